// Dialogues as data, and the ways to cut them: what every test of the session machine stands on.

import type { Close, Direction, Micros, SmtpEvent } from '../../../inspect/events';
import { createSession, type SessionOptions } from '../../../inspect/smtp/session';

/** One turn: who speaks, and the octets as ISO 8859-1 text. Turns are one second apart. */
export type Turn = readonly [from: 'C' | 'S', octets: string | Uint8Array];

/** One piece of a turn as the session gets it. */
export interface Piece {
  readonly from: Direction;
  readonly bytes: Uint8Array;
  readonly at: Micros;
}

export const SECOND = 1e6;
export const START: Micros = 1_700_000_000 * SECOND;

export function octets(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Uint8Array.from(text, (character) => character.charCodeAt(0)) : text;
}

/** The ways to cut a turn that every row goes through, by name. */
export const CUTS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array[]>> = {
  whole: (bytes) => [bytes],
  bytewise: (bytes) => [...bytes].map((byte) => Uint8Array.of(byte)),
  'CR and LF apart': (bytes) => cutBehind(bytes, (byte) => byte === 0x0d),
  'dots apart': (bytes) => cutBehind(bytes, (byte) => byte === 0x2e),
};

/** Every single cut of every turn: as many variants as the longest turn has octets. */
export function everySplit(turns: readonly Turn[]): Piece[][] {
  const longest = Math.max(...turns.map(([, text]) => octets(text).length));
  return Array.from({ length: longest }, (_, i) =>
    pieces(turns, (bytes) => [bytes.subarray(0, i), bytes.subarray(i)].filter((half) => half.length > 0)),
  );
}

export function pieces(
  turns: readonly Turn[],
  cut: (bytes: Uint8Array, turn: number) => Uint8Array[],
): Piece[] {
  return turns.flatMap(([from, text], i) =>
    cut(octets(text), i).map((bytes) => ({
      from: from === 'C' ? ('client' as const) : ('server' as const),
      bytes,
      at: START + (i + 1) * SECOND,
    })),
  );
}

/** Runs pieces through a session that ends one second after the last turn. */
export function run(
  fed: readonly Piece[],
  close: Close = { by: 'client', how: 'fin' },
  options: Partial<SessionOptions> = {},
): SmtpEvent[] {
  const session = createSession({ started: START, connected: START, ...options });
  const events = fed.flatMap(({ from, bytes, at }) => session.feed(from, bytes, at));
  return [...events, ...session.close(close, (fed[fed.length - 1]?.at ?? START) + SECOND)];
}

/** An event in a few words, for tables: `phase rcpt 550 5.1.1`, `command MAIL FROM:<a@b>`, `content 12`. */
export function tell(event: SmtpEvent): string {
  switch (event.kind) {
    case 'command':
      return words('command', event.verb, event.argument);
    case 'reply':
      return words('reply', event.code, event.enhanced, event.answers ?? 'to nothing');
    case 'phase':
      return words('phase', event.phase, event.reply?.code, event.bytes !== undefined && `${event.bytes} B`);
    case 'content':
      return words('content', event.how, event.last && 'last');
    case 'tls':
      return words('tls', event.from, event.version, event.sni);
    case 'anomaly':
      return words('anomaly', event.anomaly, event.direction);
    case 'session':
      return words('session', event.messages, 'messages', event.close.by, event.close.how);
    default:
      return words(event.kind, event.from, event.span.end - event.span.start);
  }
}

/** The octets of each side that no event covers, or that two cover: empty where the spans tile the stream. */
export function untiled(events: readonly SmtpEvent[], total: Readonly<Record<Direction, number>>): string[] {
  return (['client', 'server'] as const).flatMap((from) => {
    const wrong: string[] = [];
    let position = 0;
    for (const event of events) {
      if (!('span' in event) || event.from !== from) continue;
      if (event.span.start !== position || event.span.end < position) {
        wrong.push(`${from} ${tell(event)}: ${event.span.start}-${event.span.end} after ${position}`);
      }
      position = event.span.end;
    }
    if (position !== total[from]) wrong.push(`${from}: told up to ${position} of ${total[from]}`);
    return wrong;
  });
}

export function totals(turns: readonly Turn[]): Record<Direction, number> {
  const total = { client: 0, server: 0 };
  for (const [from, text] of turns) total[from === 'C' ? 'client' : 'server'] += octets(text).length;
  return total;
}

function words(...parts: unknown[]): string {
  return parts.filter((part) => part !== undefined && part !== '' && part !== false).join(' ');
}

function cutBehind(bytes: Uint8Array, ends: (byte: number) => boolean): Uint8Array[] {
  const cut: Uint8Array[] = [];
  let start = 0;
  bytes.forEach((byte, i) => {
    if (!ends(byte)) return;
    cut.push(bytes.subarray(start, i + 1));
    start = i + 1;
  });
  return start < bytes.length ? [...cut, bytes.subarray(start)] : cut;
}

/** Words of dialogues, for properties that put them together at random. */
export const TOKENS = [
  ...[
    '220 mx ESMTP\r\n',
    '220-mx\r\n',
    '250 ok\r\n',
    '250-x\r\n',
    '354 go\r\n',
    '334 x\r\n',
    '421 bye\r\n',
    '550 5.1.1 x\r\n',
  ],
  ...[
    'EHLO a\r\n',
    'MAIL FROM:<a@b>\r\n',
    'RCPT TO:<c@d>\r\n',
    'DATA\r\n',
    'BDAT 3\r\n',
    'BDAT 4 LAST\r\n',
    'STARTTLS\r\n',
  ],
  ...[
    'AUTH LOGIN\r\n',
    'QUIT\r\n',
    'RSET\r\n',
    '.\r\n',
    '\r\n.\r\n',
    '\n.\n',
    '\r',
    '\n',
    '.',
    '\0',
    'x',
    '\x16\x03\x01\0\x04',
  ],
];
