// The times that log lines begin with: each form is a row.

import type { Micros } from '../../../inspect/events';

interface Stamp {
  readonly at: Micros;
  /** It says its zone; else its local time is taken as UTC. */
  readonly zoned: boolean;
  /** Characters, with the blank behind it. */
  readonly length: number;
}

/** `near`: what a stamp without a year is nearest to. */
export function readStamp(text: string, near: Micros): Stamp | undefined {
  for (const { pattern, read } of FORMS) {
    const groups = pattern.exec(text)?.groups;
    const stamp = groups && read(groups, near);
    if (stamp) return { ...stamp, length: groups['all']?.length ?? 0 };
  }
  return undefined;
}

type Groups = Readonly<Record<string, string | undefined>>;

interface Form {
  readonly pattern: RegExp;
  readonly read: (groups: Groups, near: Micros) => Omit<Stamp, 'length'> | undefined;
}

const TIME = String.raw`(?<time>\d\d:\d\d:\d\d)(?<fraction>[.,]\d{1,9})?`;
const MONTH = String.raw`(?<month>[A-Z][a-z]{2}) {1,2}(?<day>\d{1,2})`;

const FORMS: readonly Form[] = [
  {
    // RFC 3339, journalctl's short-iso (`+0100`), `YYYY-MM-DD HH:MM:SS` with a zone or without.
    pattern: new RegExp(
      String.raw`^(?<all>(?<date>\d{4}-\d\d-\d\d)[T ]${TIME}(?<zone> ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))? )`,
    ),
    read: ({ date, time, fraction, zone }) => moment(`${date}T${time}`, fraction, zone),
  },
  {
    // journalctl's short-full and with-unit: `Tue 2026-11-24 09:12:47 CET`.
    pattern: new RegExp(
      String.raw`^(?<all>[A-Z][a-z]{2} (?<date>\d{4}-\d\d-\d\d) ${TIME} (?<zone>[A-Z]{2,5}|[+-]\d\d(?:\d\d)?) )`,
    ),
    read: ({ date, time, fraction, zone }) => moment(`${date}T${time}`, fraction, zone),
  },
  {
    // RFC 3164 §4.1.2, and journalctl's short: no year; some put it before or behind.
    pattern: new RegExp(String.raw`^(?<all>(?:(?<before>\d{4}) )?${MONTH}(?: (?<after>\d{4}))? ${TIME} )`),
    read: ({ month = '', day = '', time, fraction, before, after }, near) => {
      const m = MONTHS.indexOf(month) + 1;
      if (m === 0) return undefined;
      const pad = (value: number | string): string => String(value).padStart(2, '0');
      const given = before ?? after;
      const year = new Date(near / 1000).getUTCFullYear();
      const years = given === undefined ? [year - 1, year, year + 1] : [Number(given)];
      return years
        .map((each) => moment(`${each}-${pad(m)}-${pad(day)}T${time}`, fraction, undefined))
        .reduce((a, b) => (!a || (b && Math.abs(b.at - near) < Math.abs(a.at - near)) ? b : a));
    },
  },
  {
    // journalctl's short-unix.
    pattern: /^(?<all>(?<seconds>\d{9,10})(?<fraction>\.\d{1,9}) )/,
    read: ({ seconds, fraction }) => ({ at: Number(seconds) * 1e6 + microsOf(fraction), zoned: true }),
  },
];

/** `zone`: of a form above. The names of zones other than UTC mean several things, and nothing here. */
function moment(local: string, fraction: string | undefined, zone = ''): Omit<Stamp, 'length'> | undefined {
  const millis = Date.parse(`${local}Z`);
  if (Number.isNaN(millis)) return undefined;
  const at = millis * 1000 + microsOf(fraction);
  const ahead = /([+-])(\d\d):?(\d\d)?$/.exec(zone);
  if (!ahead) return { at, zoned: ZERO.test(zone) };
  const [, sign, hours, minutes = 0] = ahead;
  return { at: at - (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60e6, zoned: true };
}

function microsOf(fraction = '.0'): Micros {
  return Math.round(Number(`0.${fraction.slice(1)}`) * 1e6);
}

const ZERO = /^ ?(?:Z|UTC|GMT)$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
