// What all servers of the kit have in common: an address, a mailbox, a log, an end.

import type { Mailbox } from './maildir';
import { discard, isOpen, until, type Child } from '../../kit/process';

export interface Server extends Mailbox {
  /** 127.0.0.1 */
  readonly host: string;
  readonly port: number;
  /** Ends it at once and removes its folder. */
  stop(): Promise<void>;
}

/** Waits for a daemon to listen; when it ends or is too slow, stops it and throws with its log. */
export async function listening(
  name: string,
  daemon: Child,
  { port, folder, log }: { readonly port: number; readonly folder: string; readonly log: () => string },
): Promise<() => Promise<void>> {
  const stop = async (): Promise<void> => {
    await daemon.stop('SIGKILL');
    discard(folder);
  };
  try {
    await until(
      `${name} to start`,
      async () => {
        if (daemon.process.exitCode !== null) throw new Error(`${name} ended:\n${log()}`);
        return (await isOpen('127.0.0.1', port)) || undefined;
      },
      30_000,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
