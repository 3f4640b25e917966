// Lines into a pipe or socket, by the event loop: a reader that stands still costs memory up to a limit, no more.

import type { Socket } from 'node:net';
import { createBatch } from './batch';
import { createFault } from '../system/fault';
import { patiently, type Output, type OutputEvents } from './output';

/** The stream is never ended, only let go: other processes may write to the same pipe. */
export function createPipeOutput(
  stream: Socket | typeof process.stdout,
  name: string,
  limit: number,
  events: OutputEvents,
): Output {
  const state = { queued: 0, closed: false, finished: (): void => undefined };
  const written = (octets: number): void => {
    state.queued -= octets;
    if (state.queued > 0 || state.closed) return;
    state.finished();
    events.drained();
  };
  const batch = createBatch((octets) => {
    stream.write(octets, (error) => {
      if (!error) written(octets.length);
    });
  });
  stream.on('error', (cause: Error) => {
    if (state.closed) return;
    state.closed = true;
    state.finished();
    events.closed(createFault('log-closed', name, { cause }));
  });
  return {
    write(text) {
      if (state.closed) return true;
      if (state.queued + text.length > limit) return false;
      state.queued += batch.add(text);
      return true;
    },
    waiting: () => (state.closed ? 0 : state.queued),
    reopen: () => undefined,
    async close() {
      batch.flush();
      if (state.queued > 0 && !state.closed) {
        await patiently(
          () => state.queued,
          (done) => (state.finished = done),
        );
      }
      state.closed = true;
      stream.destroy();
    },
  };
}
