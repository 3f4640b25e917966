// The control process: one at a time, by a lock that the kernel releases when the process ends, however it ends. The
// locked file says which process it is.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFault, errno, isFault, type Fault } from '../../proxy/system/fault';
import { makeFolder } from '../../proxy/system/files';
import { isAlive, ownIdentity, type Identity } from '../../proxy/system/process';
import { readVersion } from '../../proxy/system/version';

export interface ControlProcess {
  readonly pid: number;
  /** RFC 3339. */
  readonly since: string;
  readonly version: string;
  readonly does: ControlCommand;
}

export type ControlCommand = 'bridge' | 'host' | 'leave';

/** Ends the control. It does not throw: what went wrong before must not be hidden. */
export type Release = () => void;

type Entry = ControlProcess & Identity;

/** Beside the journal. */
export function controlFile(journal: string): string {
  return join(dirname(journal), 'running.json');
}

/** The control process, if it lives. One that ended and that its parent has not waited for does not. */
export function findControlProcess(file: string): ControlProcess | undefined {
  const entry = readEntry(file);
  if (entry === undefined || !isAlive(entry)) return undefined;
  const { pid, since, version, does } = entry;
  return { pid, since, version, does };
}

/** Faults: `already-running`, `journal-unwritable`, `tool-missing`. */
export async function takeControl(file: string, does: ControlCommand): Promise<Release | Fault> {
  const since = performance.now();
  for (;;) {
    const fd = openFile(file);
    if (isFault(fd)) return fd;
    const locked = lock(fd);
    if (locked === true && isStillThere(fd, file)) return sign(fd, file, does);
    closeSync(fd);
    // The process before removed the file in between: there is another file now, or none.
    if (locked === true) continue;
    if (isFault(locked)) return locked;
    const other = findControlProcess(file);
    // A process that has just locked the file has not written it yet; one that has removed it may still hold the lock.
    if (other !== undefined || performance.now() - since > SIGNED_MS) return alreadyRunning(file, other);
    await sleep(STEP_MS);
  }
}

function alreadyRunning(file: string, other: ControlProcess | undefined): Fault {
  const on = other === undefined ? file : `process ${other.pid}, \`ehlowire ${other.does}\``;
  return createFault('already-running', on, other?.does === 'leave' ? { fix: LEAVING } : {});
}

function openFile(file: string): number | Fault {
  try {
    makeFolder(dirname(file), 0o700);
    return openSync(file, 'a+', 0o600);
  } catch (cause) {
    return unwritable(file, cause);
  }
}

/** flock(1) locks what is open here; the lock is ours until we close it or end. False: another process holds it. */
function lock(fd: number): boolean | Fault {
  const { error, status } = spawnSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (error !== undefined) return createFault('tool-missing', 'flock', { fix: 'apt install util-linux' });
  return status === 0;
}

function isStillThere(fd: number, file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}

function sign(fd: number, file: string, does: ControlCommand): Release | Fault {
  const entry: Entry = {
    ...ownIdentity(),
    since: new Date().toISOString(),
    version: readVersion(),
    does,
  };
  const release = (): void => {
    try {
      // While it is locked: a process that opened it before sees that it is gone.
      if (isStillThere(fd, file)) rmSync(file, { force: true });
      closeSync(fd);
    } catch {
      // The lock ends with the process all the same.
    }
  };
  try {
    ftruncateSync(fd);
    writeSync(fd, `${JSON.stringify(entry)}\n`);
    return release;
  } catch (cause) {
    release();
    return unwritable(file, cause);
  }
}

function unwritable(file: string, cause: unknown): Fault {
  const code = errno(cause);
  const fix = RIGHTS.has(code) ? 'run this as root' : `the system said ${code}`;
  return createFault('journal-unwritable', file, { cause, fix });
}

function readEntry(file: string): Entry | undefined {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) ?? undefined) as Entry | undefined;
  } catch {
    return undefined;
  }
}

/** On a machine that has much else to do. */
const SIGNED_MS = 5_000;
const STEP_MS = 20;
const RIGHTS: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);
const LEAVING = 'it ends by itself: try again in a moment';
