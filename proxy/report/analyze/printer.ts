// Where an analysis prints: unlike a log it loses nothing, so that a slow reader slows it down.

import { closeSync, openSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { isFault, type Fault } from '../../system/fault';
import { logFault } from '../../sinks/output';

export interface Printer {
  write(text: string): void;
  /** Room for more; false where nothing can be written any more. */
  settle(): Promise<boolean>;
  readonly fault: Fault | undefined;
  close(): void;
}

/** Standard output. Its reader may go away at any time (`| head`); that is no fault. */
export function createStdoutPrinter(): Printer {
  const out = process.stdout;
  let waiting = '';
  const flush = (): void => {
    if (waiting === '') return;
    out.write(waiting);
    waiting = '';
  };
  const gone = (): boolean => out.destroyed || out.errored !== null;
  return {
    write(text) {
      waiting += text;
      if (waiting.length >= BATCH && !gone()) flush();
    },
    async settle() {
      if (gone()) return false;
      flush();
      if (out.writableNeedDrain) await drained(out);
      return !gone();
    },
    fault: undefined,
    close: flush,
  };
}

/** Until there is room again, or the reader is gone. */
async function drained(out: typeof process.stdout): Promise<void> {
  const abort = new AbortController();
  const { signal } = abort;
  await Promise.race([once(out, 'drain', { signal }), once(out, 'close', { signal })]).catch(() => undefined);
  abort.abort();
}

/** A file, appended to. Fault: `log-unwritable`. */
export function openFilePrinter(file: string): Printer | Fault {
  let fd: number;
  try {
    fd = openSync(file, 'a', 0o640);
  } catch (error) {
    return logFault(file, error);
  }
  let waiting = '';
  let fault: Fault | undefined;
  const flush = (): void => {
    try {
      let octets: Uint8Array = Buffer.from(waiting);
      while (octets.length > 0 && !fault) octets = octets.subarray(writeSync(fd, octets));
    } catch (error) {
      fault = logFault(file, error);
    }
    waiting = '';
  };
  return {
    write(text) {
      waiting += text;
      if (waiting.length >= BATCH) flush();
    },
    settle: () => Promise.resolve(!isFault(fault)),
    get fault() {
      return fault;
    },
    close() {
      flush();
      closeSync(fd);
    },
  };
}

const BATCH = 65_536;
