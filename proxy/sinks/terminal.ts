// Events for a person at a terminal: one line each, in steady columns; what needs a look stands out.

import type { Level } from '../config/config';
import { createColors } from 'picocolors';
import type { Micros, PhaseEvent, SessionEvent, VerdictEvent } from '../../inspect/events';
import type { SegmentSessionEvent } from '../../inspect/tracker/inspector';
import { describeProxy } from '../../inspect/grammar/proxy-header';
import { formatTime } from '../system/clock';
import { clip, formatBytes, formatClose, formatDuration, messagesOf, plural, printable } from './wording';
import type { Connection, Fields, Recorded, Renderer } from './record';

type Paint = (text: string) => string;
type Colors = ReturnType<typeof createColors>;

/** What differs from line to line; the columns are the same for all. */
interface Line {
  readonly at: Micros;
  readonly connection: Connection | undefined;
  /** Phase, or what happened, in capitals where a person should look. */
  readonly what: string;
  readonly paint: Paint;
  readonly duration?: Micros | undefined;
  readonly code?: number | undefined;
  readonly text: string;
}

/** `03:02:07.412  198.51.100.7     #7      greeting   20.004 s  220  …`; times are UTC, as in every other log. */
export function createTerminalRenderer({ color }: { readonly color: boolean }): Renderer {
  const colors = createColors(color);
  // Any IPv4 address; grows to the longest one met, so that IPv6 has its columns too.
  let width = '255.255.255.255'.length;
  const render = ({ at, connection, what, paint, duration, code, text }: Line): string => {
    const client = connection?.client.address ?? '-';
    width = Math.max(width, Math.min(client.length, ADDRESS_WIDTH));
    const lasted = duration === undefined ? '' : formatDuration(duration);
    // Where there is neither duration nor code, a long name may take their room.
    const columns = [
      colors.dim(formatTime(at).slice(11, 23)),
      printable(client).padEnd(width),
      colors.dim(shortSession(connection).padEnd(SESSION_WIDTH)),
      ...(lasted === '' && code === undefined
        ? [paint(what.padEnd(WHAT_WIDTH + 2 + DURATION_WIDTH + 2 + CODE_WIDTH))]
        : [
            paint(what.padEnd(WHAT_WIDTH)),
            paintDuration(duration, colors)(lasted.padStart(DURATION_WIDTH)),
            paintCode(code, colors)(String(code ?? '').padEnd(CODE_WIDTH)),
          ]),
      text,
    ];
    return `${columns.join('  ').trimEnd()}\n`;
  };
  return {
    event: (_level, connection, event) => render({ at: event.at, connection, ...describe(event, colors) }),
    note: (at, level, what, fields) =>
      render({
        at,
        connection: undefined,
        what: printable(what),
        paint: LEVELS[level](colors),
        text: list(fields, colors),
      }),
  };
}

type Described = Omit<Line, 'at' | 'connection'>;

function describe(event: Recorded, colors: Colors): Described {
  switch (event.kind) {
    case 'phase':
      return describePhase(event, colors);
    case 'session':
      return describeSession(event, colors);
    case 'verdict':
      return describeVerdict(event, colors);
    case 'repair': {
      const text = `${event.defect}: ${clip(event.before)} ${colors.dim('became')} ${clip(event.after)}`;
      return { what: 'REPAIR', paint: colors.magenta, duration: event.held, text };
    }
    case 'learned':
      return {
        what: 'LEARNED',
        paint: colors.cyan,
        text: `${event.greeting}, ${event.policy}: ${clip(event.because)}`,
      };
    case 'anomaly': {
      const text = `${event.anomaly} ${colors.dim(`from ${event.direction}`)}  ${clip(event.detail)}`;
      return { what: 'ANOMALY', paint: colors.yellow, text };
    }
    case 'blocked': {
      const text = `${clip(event.rule)}: ${clip(event.action)} ${colors.dim(event.direction)}  ${clip(event.detail ?? '')}`;
      return { what: 'BLOCKED', paint: colors.red, text };
    }
    case 'loss':
      return { what: 'LOSS', paint: colors.red, text: describeLoss(event) };
    case 'omitted':
      return { what: 'OMITTED', paint: colors.yellow, text: describeOmitted(event) };
  }
}

function describePhase(event: PhaseEvent, colors: Colors): Described {
  const { reply, greeting, tls, close, bytes, transfer } = event;
  const command = event.verb === undefined ? '' : clip(`${event.verb} ${event.argument ?? ''}`.trim());
  const answer = reply === undefined ? '' : clip([reply.enhanced, reply.text].filter(Boolean).join(' '));
  const parts = [
    command,
    bytes === undefined ? '' : formatBytes(bytes),
    transfer === undefined ? '' : colors.dim(`sent in ${formatDuration(transfer)}`),
    tls === undefined
      ? ''
      : [tls.version, tls.sni]
          .filter(Boolean)
          .map((part) => clip(String(part)))
          .join(' '),
    command === '' ? answer : colors.dim(answer),
    greeting === undefined || greeting.defects.length === 0
      ? ''
      : colors.yellow(`(${greeting.defects.join(', ')})`),
    close === undefined ? '' : formatClose(close),
    event.waited < WAIT_WORTH_A_WORD
      ? ''
      : colors.yellow(`after ${formatDuration(event.waited)} of the client's own time`),
  ];
  const text = parts.filter((part) => part !== '').join('  ');
  return { what: event.phase, paint: plain, duration: event.duration, code: reply?.code, text };
}

function describeSession(event: SessionEvent | SegmentSessionEvent, colors: Colors): Described {
  const messages = messagesOf(event);
  const parts = [
    event.proxy === undefined ? '' : colors.dim(describeProxy(event.proxy)),
    event.hello === undefined ? '' : clip(event.hello),
    event.tls?.version ?? '',
    ...(messages === undefined ? [] : [plural(messages, 'message')]),
    `${formatBytes(event.bytes.client)} from client, ${formatBytes(event.bytes.server)} from server`,
    ...('retransmits' in event ? describeSegments(event, colors) : []),
    formatClose(event.close),
  ];
  const text = parts.filter((part) => part !== '').join('  ');
  return { what: 'session', paint: colors.bold, duration: event.at - event.started, text };
}

function describeSegments({ retransmits, rtt, verdicts }: SegmentSessionEvent, colors: Colors): string[] {
  const { client, server } = retransmits;
  return [
    rtt === undefined ? '' : colors.dim(`round trip ${formatDuration(rtt)}`),
    client + server === 0 ? '' : `${client} + ${server} segments sent again`,
    verdicts.length === 0 ? '' : colors.red(verdicts.join(', ')),
  ];
}

function describeVerdict({ verdict, certainty, proof, summary }: VerdictEvent, colors: Colors): Described {
  const paint = certainty === 'proved' ? colors.red : colors.yellow;
  const text = `${paint(verdict)} ${certainty} ${colors.dim(`by ${proof}`)}  ${printable(summary)}`;
  return { what: 'VERDICT', paint, text };
}

function describeLoss({ source, count, of = {} }: Extract<Recorded, { kind: 'loss' }>): string {
  const kinds = listKinds(of);
  const what =
    source === 'log' ? `${plural(count, 'line')} of this log left out` : `${plural(count, 'segment')} missed`;
  return kinds === '' ? what : `${what}: ${kinds}`;
}

function describeOmitted({ count, of, because }: Extract<Recorded, { kind: 'omitted' }>): string {
  return `${plural(count, 'line')} of this log left out: ${listKinds(of)} (${clip(because)})`;
}

function listKinds(of: Readonly<Record<string, number>>): string {
  return Object.entries(of)
    .map(([kind, number]) => `${number} ${printable(kind)}`)
    .join(', ');
}

function list(fields: Fields = {}, colors: Colors): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${colors.dim(`${printable(name)}:`)} ${clip(String(value))}`)
    .join('  ');
}

function paintDuration(duration: Micros | undefined, colors: Colors): Paint {
  if (duration === undefined || duration < SLOW) return plain;
  return duration < VERY_SLOW ? colors.yellow : colors.red;
}

function paintCode(code: number | undefined, colors: Colors): Paint {
  if (code === undefined) return plain;
  if (code < 400) return colors.green;
  return code < 500 ? colors.yellow : colors.red;
}

/** The part that differs from connection to connection: `#7` of `mc3x1k2a-7`. */
function shortSession(connection: Connection | undefined): string {
  if (connection === undefined) return '';
  const { session } = connection;
  return `#${printable(session.slice(session.lastIndexOf('-') + 1)).slice(1 - SESSION_WIDTH)}`;
}

function plain(text: string): string {
  return text;
}

const LEVELS: Readonly<Record<Level, (colors: Colors) => Paint>> = {
  debug: (colors) => colors.dim,
  info: (colors) => colors.bold,
  warn: (colors) => colors.yellow,
  error: (colors) => colors.red,
};

const ADDRESS_WIDTH = 39;
const SESSION_WIDTH = 6;
const WHAT_WIDTH = 9;
const DURATION_WIDTH = 9;
const CODE_WIDTH = 3;

const SLOW: Micros = 1_000_000;
const VERY_SLOW: Micros = 10_000_000;
const WAIT_WORTH_A_WORD: Micros = 1_000_000;
