// The forms in which logs come: syslog's traditional time, RFC 3339, and the journal's exports.

import type { Micros } from '../../inspect/events';
import type { Line } from './entry';

export interface LineReader {
  /** One line without its end; `undefined` where it is none of a program's, or a part of a longer record. */
  take(text: string): Line | undefined;
  /** The file ends. */
  end(): Line | undefined;
}

/** `near`: a time that the log is about; traditional stamps have no year, and the nearest one is taken. */
export function createLineReader(near: Micros): LineReader {
  let fields = new Map<string, string>();
  const flush = (): Line | undefined => {
    const line = fromJournal((name) => fields.get(name));
    fields = new Map();
    return line;
  };
  return {
    take(text) {
      if (text === '') return flush();
      if (text.startsWith('{')) return fromJson(text);
      const field = FIELD.exec(text);
      if (field) {
        // The blank line between records may be missing (a cut export): a new cursor begins one as well.
        const before = field[1] === '__CURSOR' ? flush() : undefined;
        if (fields.size < FIELDS) fields.set(field[1] ?? '', (field[2] ?? '').slice(0, LONGEST));
        return before;
      }
      return fromRfc3339(text) ?? fromSyslog(text, near);
    },
    end: flush,
  };
}

/** `2026-11-24T09:12:47.123456+01:00 mx postfix/smtpd[4]: …`, also journalctl's `short-iso` with `+0100`. */
function fromRfc3339(text: string): Line | undefined {
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [, date = '', fraction = '', zone = '', process = '', message = ''] = match;
  const [sign, hours, minutes] = [zone[0], Number(zone.slice(1, 3)), Number(zone.slice(-2))];
  const ahead = zone === 'Z' ? 0 : (sign === '-' ? -1 : 1) * (hours * 60 + minutes);
  const seconds = Date.parse(`${date}Z`) / 1000 - ahead * 60;
  if (Number.isNaN(seconds)) return undefined;
  const at = Math.round(seconds * 1e6 + Number(`0${fraction || '.0'}`) * 1e6);
  return { at, zoned: true, process, message };
}

/** `Nov 24 09:12:47 mx postfix/smtpd[4]: …` (RFC 3164 §4.1.2): local time, no year. */
function fromSyslog(text: string, near: Micros): Line | undefined {
  const match = SYSLOG.exec(text);
  if (!match) return undefined;
  const [, month = '', day, hour, minute, second, fraction = '', process = '', message = ''] = match;
  const m = MONTHS.indexOf(month);
  if (m < 0) return undefined;
  const year = new Date(near / 1000).getUTCFullYear();
  const candidates = [year - 1, year, year + 1].map((each) =>
    Date.UTC(each, m, Number(day), Number(hour), Number(minute), Number(second)),
  );
  const nearest = candidates.reduce((a, b) =>
    Math.abs(b * 1000 - near) < Math.abs(a * 1000 - near) ? b : a,
  );
  const at = Math.round(nearest * 1000 + Number(`0${fraction || '.0'}`) * 1e6);
  return { at, zoned: false, process, message };
}

/** `journalctl -o json`. */
function fromJson(text: string): Line | undefined {
  try {
    const record = JSON.parse(text) as Record<string, unknown>;
    return fromJournal((name) => (typeof record[name] === 'string' ? record[name] : undefined));
  } catch {
    return undefined;
  }
}

/** systemd.journal-fields(7). */
function fromJournal(field: (name: string) => string | undefined): Line | undefined {
  const [message, name] = [field('MESSAGE'), field('SYSLOG_IDENTIFIER')];
  const at = Number(field('_SOURCE_REALTIME_TIMESTAMP') ?? field('__REALTIME_TIMESTAMP'));
  if (message === undefined || name === undefined || !(at > 0)) return undefined;
  const pid = field('SYSLOG_PID') ?? field('_PID') ?? '0';
  return { at, zoned: true, process: `${name}[${pid}]`, message };
}

const PROGRAM = String.raw`\S{1,255} (?:<\w+> ?)?(\S{1,128}\[\d+\]): (.*)$`;
const RFC3339 = new RegExp(
  String.raw`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:?\d\d) ${PROGRAM}`,
);
const SYSLOG = new RegExp(
  String.raw`^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d)(\.\d{1,9})? ${PROGRAM}`,
);
const FIELD = /^([A-Z_][A-Z0-9_]{0,63})=(.*)$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Fields of one journal record, and characters of each. */
const FIELDS = 64;
const LONGEST = 4_096;
