// Lines into a file or terminal: written by a thread of node, reopened on demand, patient with a full disk.

import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { createBatch } from './batch';
import { createFault, errno } from '../system/fault';
import { openDestination, type Destination } from './pino';
import { logFault, patiently, type Output, type OutputEvents } from './output';

interface State {
  /** Octets accepted and not yet written. */
  queued: number;
  failing: boolean;
  reopening: boolean;
  closed: boolean;
}

interface Target {
  readonly dest: string | number;
  readonly name: string;
}

/** `dest`: the name of a file that may be appended to, or a descriptor; `name`: how to call it to a person. */
export function createFileOutput(
  dest: string | number,
  name: string,
  limit: number,
  events: OutputEvents,
): Output {
  const wasCut = typeof dest === 'string' && isCut(dest);
  const destination = openDestination(dest);
  const state: State = { queued: 0, failing: false, reopening: false, closed: false };
  const arm = createFlusher(destination, state);
  const batch = createBatch((octets) => {
    if (state.closed) return;
    destination.write(octets);
    arm();
  });
  watch(destination, state, events);
  if (wasCut) state.queued += batch.add('\n');
  let last: unknown;
  destination.on('error', (error: unknown) => {
    // pino emits the first error twice.
    if (!state.closed && error !== last) fail(error, { dest, name }, state, events);
    last = error;
    arm();
  });
  return {
    write(text) {
      if (state.closed) return true;
      if (state.queued + text.length > limit) return false;
      state.queued += batch.add(text);
      return true;
    },
    waiting: () => (state.closed ? 0 : state.queued),
    reopen() {
      if (typeof dest !== 'string' || state.closed) return;
      batch.flush();
      state.reopening = true;
      destination.reopen();
    },
    close() {
      batch.flush();
      return close(destination, state);
    },
  };
}

/** A machine that fell over may have left half a line: what comes next would be taken for the rest of it. */
function isCut(file: string): boolean {
  try {
    const { size } = statSync(file);
    if (size === 0) return false;
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const last = Buffer.alloc(1);
      return readSync(fd, last, 0, 1, size - 1) === 1 && last[0] !== LF;
    } finally {
      closeSync(fd);
    }
  } catch {
    // Whether it may be written shows when it is written.
    return false;
  }
}

/** A few lines wait for company, but not for long; and a full disk is tried again. */
function createFlusher(destination: Destination, state: State): () => void {
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    timer ??= setTimeout(tick, state.failing ? RETRY_MS : FLUSH_MS).unref();
  };
  const tick = (): void => {
    timer = undefined;
    if (state.closed || state.queued === 0) return;
    destination.flush();
    arm();
  };
  return arm;
}

function watch(destination: Destination, state: State, events: OutputEvents): void {
  destination.on('drain', events.drained);
  destination.on('ready', () => (state.reopening = false));
  destination.on('write', (octets: number) => {
    state.queued = Math.max(0, state.queued - octets);
    if (octets === 0 || !state.failing) return;
    state.failing = false;
    events.recovered();
  });
}

function fail(error: unknown, { dest, name }: Target, state: State, events: OutputEvents): void {
  const code = errno(error);
  // EIO of a terminal: it was closed.
  if (code === 'EPIPE' || (code === 'EIO' && typeof dest === 'number')) {
    state.closed = true;
    events.closed(createFault('log-closed', name, { cause: error }));
  } else if (state.reopening) {
    state.reopening = false;
    const fault = logFault(name, error);
    const fix = `${fault.fix}; until then the old file is written`;
    events.failing({ ...fault, what: 'cannot reopen log', fix });
  } else if (!state.failing) {
    state.failing = true;
    events.failing(logFault(name, error));
  }
}

async function close(destination: Destination, state: State): Promise<void> {
  if (state.closed) return;
  await patiently(
    () => state.queued,
    (done) => {
      destination.once('close', done);
      destination.once('error', done);
      destination.end();
    },
  );
  state.closed = true;
  destination.destroy();
}

const LF = 0x0a;
const FLUSH_MS = 100;
const RETRY_MS = 1_000;
