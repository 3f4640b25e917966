// Logs whose entries are records: the journal's exports, and what containers' collectors write as JSON.

import type { Micros } from '../../../inspect/events';

/** One entry. Without `process` its message is a line of a program's own log. */
export interface Record {
  readonly at: Micros | undefined;
  readonly process?: string;
  readonly message: string;
}

interface Records {
  /** `text`: the line is no part of a record. */
  take(line: string): Record | 'text' | undefined;
  end(): Record | undefined;
}

export function createRecords(): Records {
  let fields = new Map<string, string>();
  /** The lines of an object that is spread over several. */
  let open: string[] | undefined;
  const flush = (): Record | undefined => {
    const record = journalRecord((name) => fields.get(name));
    fields = new Map();
    return record;
  };
  return {
    take(given) {
      // journalctl's json-seq (RFC 7464) and json-sse.
      const line = given.replace(/^(?:\x1e|data: )/, '');
      if (open) {
        open.push(line);
        // An object of the journal is flat: its end is a whole line.
        if (line !== '}' && open.length < FIELDS) return undefined;
        const whole = open.join('\n');
        open = undefined;
        return jsonRecord(whole);
      }
      if (line === '') return flush();
      if (line === '{') {
        open = [line];
        return undefined;
      }
      if (line.startsWith('{')) return jsonRecord(line) ?? 'text';
      const verbose = VERBOSE.exec(line);
      const field = FIELD.exec(line);
      if (!verbose && !field) return 'text';
      const [, name = '', value = ''] = verbose
        ? ['', REALTIME, String(parseInt(verbose[1] ?? '', 16))]
        : (field ?? []);
      // The blank line between records may be missing (a cut export): a new head begins one as well.
      const before = verbose || name === '__CURSOR' ? flush() : undefined;
      if (fields.size < FIELDS) fields.set(name, value.slice(0, LONGEST));
      return before;
    },
    end: flush,
  };
}

function jsonRecord(text: string): Record | undefined {
  let object: Readonly<globalThis.Record<string, unknown>>;
  try {
    object = JSON.parse(text) as typeof object;
  } catch {
    return undefined;
  }
  const field = (name: string): string | undefined => textOf(object[name]);
  const journal = journalRecord(field);
  if (journal) return journal;
  const message = MESSAGES.map(field).find((each) => each !== undefined);
  if (message === undefined) return undefined;
  const time = TIMES.map(field).find((each) => each !== undefined);
  return { at: timeOf(time), message: message.slice(0, LONGEST).replace(/[\r\n]+$/, '') };
}

/** systemd.journal-fields(7). */
function journalRecord(field: (name: string) => string | undefined): Record | undefined {
  const [message, name] = [field('MESSAGE'), field('SYSLOG_IDENTIFIER')];
  const at = Number(field('_SOURCE_REALTIME_TIMESTAMP') ?? field(REALTIME));
  if (message === undefined || name === undefined || !(at > 0)) return undefined;
  const pid = field('SYSLOG_PID') ?? field('_PID') ?? '0';
  return { at, process: `${name}[${pid}]`, message };
}

/** The journal writes what is no UTF-8 as a list of octets. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  const isOctets = Array.isArray(value) && value.every((each) => typeof each === 'number');
  return isOctets ? String.fromCharCode(...(value as number[]).slice(0, LONGEST)) : undefined;
}

/** RFC 3339, or seconds, milli-, micro- or nanoseconds of Unix: by their size. */
function timeOf(text = ''): Micros | undefined {
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    const value = Number(text);
    const unit = [1e6, 1e3, 1, 1e-3].find((each) => value * each < LATEST) ?? 1e-3;
    return Math.round(value * unit);
  }
  const match = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?$/.exec(text);
  if (!match) return undefined;
  const [, local = '', fraction = '.0', zone = 'Z'] = match;
  const millis = Date.parse(`${local.replace(' ', 'T')}${zone}`);
  return Number.isNaN(millis) ? undefined : millis * 1000 + Math.round(Number(`0${fraction}`) * 1e6);
}

/** Docker's json-file has `log` and `time`; others call them otherwise. */
const MESSAGES = ['log', 'message', 'msg', 'MESSAGE'];
const TIMES = ['time', 'timestamp', '@timestamp', 'ts'];
const REALTIME = '__REALTIME_TIMESTAMP';
/** The year 2100, in microseconds. */
const LATEST = 4_102_444_800e6;
/** journalctl's verbose begins each entry with its time and its cursor, which has the time in hexadecimal. */
const VERBOSE = /^[A-Z][a-z]{2} \d{4}-\d\d-\d\d .*\[s=.*;t=([0-9a-f]{1,16});/;
const FIELD = /^ {0,8}([A-Z_][A-Z0-9_]{0,63})=(.*)$/;
/** Fields of one journal record, and characters of each. */
const FIELDS = 96;
const LONGEST = 4_096;
