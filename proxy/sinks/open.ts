// Opens what lines are written to: a file, a terminal, a pipe or a socket, so that none of them can block.

import { constants, closeSync, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { createFault, type Fault } from '../system/fault';
import { createFileOutput } from './file';
import { logFault, type Output, type OutputEvents } from './output';
import { createPipeOutput } from './pipe';

/** A file by name, or standard output where there is none. Faults: `log-unwritable`, `log-closed`. */
export function openOutput(file: string | undefined, events: OutputEvents, limit = LIMIT): Output | Fault {
  if (file !== undefined) return openFile(file, events, limit);
  try {
    const stats = fstatSync(STDOUT);
    if (stats.isFIFO()) return createPipeOutput(pipeToStdout(), STDOUT_NAME, limit, events);
    if (stats.isSocket()) return createPipeOutput(process.stdout, STDOUT_NAME, limit, events);
  } catch (cause) {
    return createFault('log-closed', STDOUT_NAME, { cause });
  }
  return createFileOutput(isatty(STDOUT) ? reopenStdout() : STDOUT, STDOUT_NAME, limit, events);
}

/**
 * A second description of the same pipe or terminal that does not block: a reader that stands still would
 * otherwise hold one of node's threads, and the exit of the process waits for those.
 */
function reopenStdout(): number {
  try {
    return openSync(
      `/proc/self/fd/${STDOUT}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch {
    return STDOUT;
  }
}

/** Opened here once, to tell at once what the asynchronous opening would tell too late. */
function openFile(file: string, events: OutputEvents, limit: number): Output | Fault {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK;
  try {
    const fd = openSync(file, flags, 0o640);
    if (fstatSync(fd).isFIFO()) {
      return createPipeOutput(new Socket({ fd, readable: false, writable: true }), file, limit, events);
    }
    closeSync(fd);
    return createFileOutput(file, file, limit, events);
  } catch (cause) {
    return logFault(file, cause);
  }
}

function pipeToStdout(): Socket | typeof process.stdout {
  const fd = reopenStdout();
  return fd === STDOUT ? process.stdout : new Socket({ fd, readable: false, writable: true });
}

/** Octets that may wait: some seconds of a busy log, and no matter to the memory. */
const LIMIT = 8 * 1024 * 1024;

const STDOUT = 1;
const STDOUT_NAME = 'standard output';
