// `--maillog FILE`: a mail server's log beside the packets: read, lined up and printed.

import { createInterface } from 'node:readline';
import type { Micros } from '../../../inspect/events';
import { formatTime } from '../../system/clock';
import { createFault, isFault, type Fault } from '../../system/fault';
import { formatDuration, plural, printable } from '../../sinks/wording';
import { parseMessage } from './entry';
import type { Level } from '../../config/config';
import { createLineReader } from './lines';
import { timeOf, type Alignment, type MaillogMatch } from './match';
import { createLogSessions, type LogSession } from './session';
import { nameOf, openText, readFault } from '../../sources/input';

export interface Maillog {
  readonly sessions: readonly LogSession[];
  readonly lines: number;
  /** Lines of a mail server about connections. */
  readonly understood: number;
  readonly omitted: number;
}

/** Reads a log that is about `from` to `to`. Faults: `file-unreadable`, `maillog-unknown`. */
export async function readMaillog(file: string, from: Micros, to: Micros): Promise<Maillog | Fault> {
  const reader = createLineReader((from + to) / 2);
  const sessions = createLogSessions(from, to);
  let lines = 0;
  let formed = 0;
  let understood = 0;
  let first = '';
  const take = (line: ReturnType<typeof reader.end>): void => {
    if (line) formed += 1;
    const entry = line && parseMessage(line);
    if (!entry) return;
    understood += 1;
    sessions.take(entry);
  };
  const input = await openText(file);
  if (isFault(input)) return input;
  try {
    input.setEncoding('latin1');
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      lines += 1;
      if (first === '') first = text.trim();
      take(reader.take(text));
    }
  } catch (cause) {
    return readFault(file, cause);
  }
  take(reader.end());
  if (understood === 0)
    return createFault('maillog-unknown', `${nameOf(file)}: ${whyNone(lines, formed, first)}`);
  return { sessions: sessions.end(), lines, understood, omitted: sessions.omitted };
}

function whyNone(lines: number, formed: number, first: string): string {
  if (lines === 0) return 'it is empty';
  const of = formed === 0 ? 'none has a form that is known' : 'none is about a connection';
  return `of ${plural(lines, 'line')} ${of}; the first looks like: ${shapeOf(first)}`;
}

/** Fields that are undefined become no field. */
type MaillogRecord = Readonly<Record<string, unknown>> & { readonly level: Level };

/** One `maillog` record a match, in the style of the event log (schema 1); undefined fields become none. */
export function maillogRecords(
  { offset, matches }: Alignment,
  sessionName: (id: number) => string,
): MaillogRecord[] {
  const shift = offset?.micros ?? 0;
  return matches.map((match) => {
    const story = match.kind === 'matched' || match.kind === 'packets-only' ? match.story : undefined;
    const session = 'session' in match ? match.session : undefined;
    return {
      level: match.kind === 'matched' && match.difference === undefined ? 'info' : 'warn',
      time: formatTime(timeOf(match, shift)),
      event: 'maillog',
      session: story && sessionName(story.id),
      path: 'capture',
      'client.address': story?.client.address ?? session?.client,
      'client.port': story?.client.port ?? session?.port,
      'server.address': story?.server.address,
      'server.port': story?.server.port,
      match: match.kind,
      'log.daemons': session?.daemons,
      'log.started': session && formatTime(session.started),
      'log.ended': session?.ended === undefined ? undefined : formatTime(session.ended),
      log: 'log' in match ? match.log : undefined,
      packets: 'packets' in match ? match.packets : undefined,
      difference: match.kind === 'matched' ? match.difference : undefined,
      candidates: match.kind === 'ambiguous' ? match.candidates.map(({ id }) => sessionName(id)) : undefined,
      clock_offset_ms: offset && Math.round(offset.micros) / 1000,
      clock_spread_ms: offset && Math.round(offset.spread) / 1000,
    };
  });
}

/** The chapter of the summary: counts, the clocks, and every line that needs a look (at most `most`). */
export function maillogText({ offset, matches }: Alignment, log: Maillog, most = MOST): string[] {
  const shift = offset?.micros ?? 0;
  const count = (kind: MaillogMatch['kind']): number => matches.filter((match) => match.kind === kind).length;
  const differ = matches.filter((match) => match.kind === 'matched' && match.difference !== undefined);
  const shownMatches = matches.filter((match) => match.kind !== 'matched' || match.difference !== undefined);
  const shown = [...differ, ...shownMatches.filter((match) => match.kind !== 'matched')].slice(0, most);
  return [
    `mail log: ${plural(log.lines, 'line')}, ${log.understood} about connections, ${plural(log.sessions.length, 'session')} near the capture's time`,
    clockWords(offset),
    `  ${count('matched')} matched, of them ${differ.length} tell another story than the packets; ` +
      `${count('ambiguous')} ambiguous, ${count('log-only')} only in the log, ${count('packets-only')} only in the packets`,
    ...shown.map((match) => `  ${lineOf(match, shift)}`),
    ...(shownMatches.length > shown.length
      ? [`  … and ${shownMatches.length - shown.length} more (--json has all)`]
      : []),
    ...(log.omitted > 0 ? [`  ${plural(log.omitted, 'log session')} left out: too many`] : []),
  ];
}

function clockWords(offset: Alignment['offset']): string {
  if (!offset) return '  no client of the log is in the capture: nothing to line up';
  const { micros, spread, from, ambiguous } = offset;
  const how =
    Math.abs(micros) < 1e6
      ? 'agree'
      : `the log is ${formatDuration(Math.abs(micros))} ${micros > 0 ? 'ahead' : 'behind'}`;
  const doubt = ambiguous ? '; another offset fits as well: this may be wrong' : '';
  return `  clocks: ${how} (from ${plural(from, 'connection')}, spread ${formatDuration(spread)})${doubt}`;
}

/** The story of one match in one line. */
function lineOf(match: MaillogMatch, shift: Micros): string {
  const time = formatTime(timeOf(match, shift)).slice(11, 23);
  switch (match.kind) {
    case 'matched': {
      const { client } = match.story;
      const text = match.difference ?? `log and packets agree: ${match.log}`;
      return printable(`${time}  ${client.address}:${client.port}  ${text}`);
    }
    case 'ambiguous':
      return printable(
        `${time}  ${match.session.client}  "${match.log}" may be any of ${plural(match.candidates.length, 'connection')}`,
      );
    case 'log-only':
      return printable(`${time}  ${match.session.client}  only in the log: ${match.log}`);
    case 'packets-only':
      return printable(
        `${time}  ${match.story.client.address}:${match.story.client.port}  only in the packets: ${match.packets}`,
      );
  }
}

const MOST = 20;

/** Letters as `x`, digits as `9`, and only such words as they are that tell the form of a log. */
export function shapeOf(line: string): string {
  const cut = line.slice(0, LONGEST);
  const shape = cut.replace(/[A-Za-z]+|\d+|[^\x20-\x7e]+/g, (part) => {
    if (WORDS.has(part)) return part;
    const mark = /\d/.test(part) ? '9' : /[A-Za-z]/.test(part) ? 'x' : '?';
    return mark.repeat(Math.min(part.length, LONG));
  });
  return line.length > LONGEST ? `${shape}…` : shape;
}

const WORDS: ReadonlySet<string> = new Set([
  ...['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
  ...['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun', 'T', 'Z', 'UTC', 'GMT', 'CET', 'CEST'],
  ...[
    'postfix',
    'smtpd',
    'postscreen',
    'exim',
    'sendmail',
    'mta',
    'dovecot',
    'kernel',
    'systemd',
    'mail',
    'info',
  ],
  ...['log', 'time', 'stream', 'stdout', 'stderr', 'message', 'MESSAGE', 'timestamp', 'level', 'msg', 'host'],
]);
const LONGEST = 120;
/** Letters and digits in a row that are shown. */
const LONG = 12;
