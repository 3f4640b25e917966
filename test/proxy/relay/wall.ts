// The wall clock as a test steps it. To be imported before anything that reads it.

const read = Date.now.bind(Date);
let offset = 0;
Date.now = () => read() + offset;

/** As somebody sets the time, or a virtual machine resumes. */
export function stepWall(ms: number): void {
  offset += ms;
}
