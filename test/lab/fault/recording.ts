// Recordings of the lab: tcpdump with kernel timestamps and whole packets.

import { awaitWord, type Place, type Topology } from '../../kit/topology';

export interface Recording {
  readonly file: string;
  /** Everything that passed by now is in the file. */
  stop(): Promise<void>;
}

/** Records what a filter of tcpdump lets through; resolves when it listens. */
export async function startRecording(
  topology: Topology,
  at: { readonly place: Place; readonly device: string },
  file: string,
  filter: string,
): Promise<Recording> {
  // Without -Z it gives its rights away, and may not write there any more.
  const options = ['-n', '-U', '--immediate-mode', '-s', '262144', '-Z', 'root', '-i', at.device, '-w', file];
  const child = topology.start(at.place, 'tcpdump', ...options, filter);
  await awaitWord(child, 'listening on');
  return {
    file,
    async stop() {
      await child.stop('SIGINT');
      const dropped = /(\d+) packets? dropped by kernel/.exec(child.output())?.[1];
      if (dropped !== '0') throw new Error(`${file}: tcpdump dropped ${dropped ?? 'nobody knows how many'}`);
    },
  };
}
