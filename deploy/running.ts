// The process that is in charge: one at a time, known by a file that says which.

import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createFault, errno, type Fault } from '../proxy/fault';
import { makeFolder } from '../proxy/folder';
import { bootId } from './journal/journal';

export interface Running {
  readonly pid: number;
  /** RFC 3339. */
  readonly since: string;
  readonly version: string;
}

interface Entry extends Running {
  readonly boot: string;
  /** Ticks from the boot to its start (proc(5), `stat`, field 22): a pid alone comes again. */
  readonly started: string;
}

/** Beside the journal. */
export function runningFile(journal: string): string {
  return join(dirname(journal), 'running.json');
}

/** The process in charge, if it lives. */
export function findRunning(file: string): Running | undefined {
  const entry = readEntry(file);
  if (entry === undefined || entry.boot !== bootId() || entry.started !== startOf(entry.pid))
    return undefined;
  const { pid, since, version } = entry;
  return { pid, since, version };
}

/** Where nobody is in charge, nothing says so. */
export function forgetDead(file: string): void {
  if (findRunning(file) === undefined) rmSync(file, { force: true });
}

/** Takes charge; the answer gives it back. Fault: `already-running`. */
export function takeCharge(file: string, version: string): (() => void) | Fault {
  const entry: Entry = {
    pid: process.pid,
    since: new Date().toISOString(),
    version,
    boot: bootId(),
    started: startOf(process.pid) ?? '',
  };
  const own = `${file}.${process.pid}`;
  try {
    makeFolder(dirname(file), 0o700);
    writeFileSync(own, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    return link(own, file) ?? release(file);
  } catch (cause) {
    return createFault('journal-unwritable', file, { cause, mend: `the system said ${errno(cause)}` });
  } finally {
    rmSync(own, { force: true });
  }
}

// A link is made by one of two at the same time only; what stands there of a process that is dead goes first.
function link(own: string, file: string): Fault | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      linkSync(own, file);
      return undefined;
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
      const other = findRunning(file);
      if (other !== undefined) return createFault('already-running', `process ${other.pid}`);
      rmSync(file, { force: true });
    }
  }
  return createFault('already-running', file);
}

function release(file: string): () => void {
  return () => {
    if (readEntry(file)?.pid === process.pid) rmSync(file, { force: true });
  };
}

function readEntry(file: string): Entry | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Entry;
  } catch {
    return undefined;
  }
}

function startOf(pid: number): string | undefined {
  try {
    // The second field is a name in parentheses, which may hold anything.
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[FIELD];
  } catch {
    return undefined;
  }
}

/** `starttime`, counted from the third field on. */
const FIELD = 19;
const ATTEMPTS = 3;
