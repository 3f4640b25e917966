// The forms in which logs come: what wraps a line, what stamps it, who wrote it. Each is a row of a table.

import type { Micros } from '../../../inspect/events';
import type { Line } from './entry';
import { createRecords, type Record } from './records';
import { readStamp } from './stamps';

interface LineReader {
  /** One line without its end; `undefined` where it is none of a program's, or a part of a longer record. */
  take(text: string): Line | undefined;
  /** The file ends. */
  end(): Line | undefined;
}

/** `near`: a time that the log is about; traditional stamps have no year, and the nearest one is taken. */
export function createLineReader(near: Micros): LineReader {
  const records = createRecords();
  const read = (record: Record | undefined): Line | undefined => record && fromRecord(record, near);
  return {
    take(text) {
      const got = records.take(text);
      return got === 'text' ? fromText(text, near, undefined) : read(got);
    },
    end: () => read(records.end()),
  };
}

function fromRecord({ at, process, message }: Record, near: Micros): Line | undefined {
  if (process !== undefined) return at === undefined ? undefined : { at, zoned: true, process, message };
  return fromText(message, near, at);
}

/** `outer`: when the collector of the line got it, which is as good a time as its own, and has a zone. */
function fromText(text: string, near: Micros, outer: Micros | undefined): Line | undefined {
  const { rest, at } = unwrap(text.slice(0, LONGEST), outer, near);
  const five = RFC5424.exec(rest);
  if (five) {
    const [, stamp = '', program = '', pid = '', message = ''] = five;
    const own = readStamp(`${stamp} `, near);
    const time = at === undefined ? own : { at, zoned: true };
    return time && { ...time, process: pid === '-' ? program : `${program}[${pid}]`, message };
  }
  const plain = rest.replace(PRIORITY, '');
  const stamp = readStamp(plain, near);
  const body = stamp ? plain.slice(stamp.length) : plain;
  if (!stamp && at === undefined) return undefined;
  const time = at === undefined && stamp ? stamp : { at: at ?? 0, zoned: true };
  return { at: time.at, zoned: time.zoned, ...splitProgram(body) };
}

/** Takes off what collectors put before a line: containers' names, colours, times. */
function unwrap(
  text: string,
  outer: Micros | undefined,
  near: Micros,
): { readonly rest: string; readonly at: Micros | undefined } {
  const rest = text.replace(COLOURS, '').replace(COMPOSE, '').replace(POD, '');
  // CRI: `2026-11-24T09:12:47.123456789Z stdout F …`; `docker logs -t` has the time alone.
  const cri = CRI.exec(rest);
  const [, stamp = '', inner = ''] = cri ?? [];
  const own = cri && readStamp(`${stamp} `, near);
  // A line that begins with its own stamp or a program after it is a program's line already.
  if (!own?.zoned || !(STREAM.test(inner) || readStamp(inner, near))) return { rest, at: outer };
  return { rest: inner.replace(STREAM, ''), at: outer ?? own.at };
}

/** `mx postfix/smtpd[4]: …`, without the host, without the process's number, or with neither. */
function splitProgram(text: string): Pick<Line, 'process' | 'message'> {
  const body = text.replace(LEVEL, '');
  const match = PROGRAM.exec(body);
  if (!match) return { process: '', message: body };
  const [, process = '', message = ''] = match;
  // Exim has its own time in what it sends to syslog.
  const again = /^exim/.test(process)
    ? /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})? /.exec(message)
    : null;
  return { process, message: again ? message.slice(again[0].length) : message };
}

// RFC 5424 §6: version 1, time, host, program, process, kind, structured data, and the message behind them.
const RFC5424 = new RegExp(
  String.raw`^(?:<\d{1,3}>)?1 (\S{1,40}) \S{1,255} (\S{1,48}) (\S{1,128}) \S{1,32} ` +
    String.raw`(?:-|(?:\[(?:[^\]\\]|\\.){0,1024}\])+) ?(?:\xef\xbb\xbf)?(.*)$`,
);
const PRIORITY = /^<\d{1,3}>\s?/;
/** FreeBSD's syslogd -v: `<mail.info>` or `<2.6>` behind the time. */
const LEVEL = /^<[a-z\d]{1,12}\.[a-z\d]{1,12}> /;
// journalctl's with-unit has the unit's name in place of the program's.
const PROGRAM = /^(?:[^\s[\]:]{1,255} )?(?:<[\w.]+> ?)?([A-Za-z][^\s[\]:]{0,127}(?:\[\d+\])?): (.*)$/;
const COLOURS = /\x1b\[[\d;]{0,16}m/g;
const COMPOSE = /^[\w.-]{1,128} +\| ?/;
const POD = /^\[pod\/[\w./-]{1,256}\] /;
const CRI = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)) (.*)$/;
const STREAM = /^(?:stdout|stderr) [FP] /;
const LONGEST = 4_096;
