// Where lines end up, as bytes: what files and pipes have in common.

import { createFault, errno, type Fault } from '../system/fault';

export interface Output {
  /** Never blocks. False where too much waits already: the text is left out. */
  write(text: string): boolean;
  /** Octets that wait to be written. */
  waiting(): number;
  /** Opens the file anew; nothing where there is no file. */
  reopen(): void;
  /** Resolves when all is written, or when that makes no headway for CLOSE_MS. */
  close(): Promise<void>;
}

/** What an output tells of itself, never from inside `write`. */
export interface OutputEvents {
  /** All that waited is written. */
  readonly drained: () => void;
  /** Writing fails for now: a full disk. It goes on trying; what waits is kept. */
  readonly failing: (fault: Fault) => void;
  readonly recovered: () => void;
  /** The reader went away; nothing more can be written. */
  readonly closed: (fault: Fault) => void;
}

/** Why a log cannot be written, with what to do where the errno tells. */
export function logFault(on: string, cause: unknown): Fault {
  const fix = FIXES[errno(cause)];
  return createFault('log-unwritable', on, fix === undefined ? { cause } : { cause, fix });
}

const FIXES: Readonly<Record<string, string>> = {
  ENOENT: 'its directory does not exist: create it',
  ENOTDIR: 'its directory is a file',
  EISDIR: 'it is a directory: name a file',
  EACCES: 'no permission: see the rights of the file and its directory',
  EROFS: 'the file system is read-only',
  ENXIO: 'it is a named pipe without a reader',
  ENOSPC: 'the disk is full: free some space, it goes on by itself',
  EDQUOT: 'the quota is used up: free some space, it goes on by itself',
  EIO: 'the disk reports an error: see dmesg',
};

/**
 * Waits until `whenDone` calls back, or until nothing was written for CLOSE_MS: a reader that stands still must
 * not keep the process.
 */
export function patiently(queued: () => number, whenDone: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    let before = queued();
    const done = (): void => {
      clearInterval(watch);
      resolve();
    };
    const watch = setInterval(() => {
      if (queued() === before) done();
      before = queued();
    }, CLOSE_MS);
    whenDone(done);
  });
}

const CLOSE_MS = 2_000;
