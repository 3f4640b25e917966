// The log's engine: the only file that knows pino. Lines from records, and files that never block.

import pino from 'pino';
import type { Level } from '../config/config';

/** A file or descriptor that is written behind our back, by a thread of node. */
export type Destination = Omit<ReturnType<typeof pino.destination>, 'write'> & {
  write(octets: Uint8Array): boolean;
};

/** A flat record as one JSON line: `level` first, then the record's fields in their order. */
export function createSerializer(): (level: Level, record: Record<string, unknown>) => string {
  let line = '';
  const stream = { write: (text: string) => (line = text) };
  // No time of pino's: a record's own says when it happened, not when it was written.
  const options = {
    base: null,
    timestamp: false,
    level: 'debug',
    formatters: { level: (level: string) => ({ level }) },
  };
  const logger = pino(options, stream);
  return (level, record) => {
    logger[level](record);
    return harmless(line);
  };
}

/** JSON with the characters escaped that a terminal or an editor may obey. */
export function harmless(json: string): string {
  if (!UNSAFE.test(json)) return json;
  return json.replace(
    new RegExp(UNSAFE, 'g'),
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Opens for appending. Log lines name correspondents, so a new file is not for everybody. */
export function openDestination(dest: string | number): Destination {
  // As octets: as texts they would be joined and measured anew with every line.
  const destination = pino.destination({
    dest,
    append: true,
    mode: 0o640,
    sync: false,
    contentMode: 'buffer',
    minLength: BATCH,
    maxWrite: 2 * BATCH,
  });
  return destination as unknown as Destination;
}

/** Octets that are worth a write, and a thread's waking, by themselves; fewer wait a moment for company. */
const BATCH = 32_768;

// JSON leaves them as they are, but a terminal or an editor may obey them or break the line.
const UNSAFE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
