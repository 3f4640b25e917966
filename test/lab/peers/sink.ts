// smtp-sink(1) of Postfix: accepts everything fast, keeps nothing.

import { freePort, scratch, start } from '../../kit/process';
import { listening, type Server } from './server';

export type Sink = Omit<Server, 'delivered' | 'drop'>;

/** `args` go before the address, as in `['-w', '1']`. */
export async function startSink(args: readonly string[] = []): Promise<Sink> {
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = start('smtp-sink', [...user, ...args, `127.0.0.1:${port}`, '1024']);
  const log = child.output;
  const stop = await listening('smtp-sink', child, { port, folder: scratch('sink'), log });
  return { host: '127.0.0.1', port, log, stop };
}
