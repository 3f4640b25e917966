// What a client sent behind a look-alike of the end of data: a server that took it for the end reads commands there.

import type { Micros } from '../events';
import { UNDECIDED } from '../limits';
import { latin1 } from '../text';
import type { Lookalike } from '../grammar/end-of-data';
import { type Piece, createOctetQueue, type OctetQueue } from './octet-queue';

/** A look-alike: where it ends in the client's stream, and when its last octet came. */
export interface End {
  readonly end: number;
  /** Octets from its dot on. */
  readonly length: number;
  readonly at: Micros;
}

export interface AfterLookalike {
  readonly ends: readonly End[];
  /** All octets behind the first of them, while they are few enough. */
  readonly held: OctetQueue;
  readonly whole: boolean;
}

/** Keeps a piece of a message, which begins at `position` and in which look-alikes were `found`. */
export function keepAfterLookalike(
  afterLookalike: AfterLookalike | undefined,
  { bytes, at }: Piece,
  position: number,
  found: readonly Omit<Lookalike, 'form'>[],
): AfterLookalike | undefined {
  const [first] = found;
  if (!afterLookalike && !first) return undefined;
  const held = afterLookalike?.held ?? createOctetQueue();
  const room = UNDECIDED - held.length();
  const rest = afterLookalike ? bytes : bytes.subarray(Math.max(0, (first?.end ?? 0) - position));
  const kept = rest.subarray(0, room);
  if (kept.length > 0) held.push(kept, at);
  const ends = [...(afterLookalike?.ends ?? []), ...found.map(({ end, length }) => ({ end, length, at }))];
  return {
    ends: ends.slice(0, ENDS),
    held,
    whole: (afterLookalike?.whole ?? true) && kept.length === rest.length,
  };
}

/**
 * The look-alike that a server took for the end, if it took one: behind it stands a command, or nothing (`mayBeNothing`:
 * the message has no proper end, so that nothing else can have been answered).
 */
export function takenEnd({ ends, held, whole }: AfterLookalike, mayBeNothing: boolean): End | undefined {
  const [first] = ends;
  if (!first || !whole) return undefined;
  const octets = octetsOf(held);
  return ends.find(({ end }) => {
    const rest = octets.subarray(end - first.end);
    return rest.length === 0 ? mayBeNothing : opensWithCommand(rest);
  });
}

/** The octets behind one of the ends. */
export function octetsBehind({ ends, held }: AfterLookalike, { end }: End): Uint8Array {
  return octetsOf(held).subarray(end - (ends[0]?.end ?? end));
}

/** A whole line that no message begins with, and hardly any has in it. */
export function opensWithCommand(octets: Uint8Array): boolean {
  return COMMAND.test(latin1(octets.subarray(0, LONGEST)));
}

/** A header field (RFC 5322 §2.2), as messages begin with. */
export function opensWithHeader(octets: Uint8Array): boolean {
  return /^[!-9;-~]{1,76}:/.test(latin1(octets.subarray(0, LONGEST)));
}

function octetsOf(held: OctetQueue): Uint8Array {
  const all = new Uint8Array(held.length());
  let offset = 0;
  for (const { bytes } of held.pieces()) {
    all.set(bytes, offset);
    offset += bytes.length;
  }
  return all;
}

const COMMAND =
  /^(?:(?:MAIL FROM|RCPT TO): ?<[^\r\n]*|(?:EHLO|HELO|LHLO) [^\s]+|BDAT [0-9]+(?: LAST)?|(?:VRFY|EXPN|ETRN|AUTH) [^\s]+|RSET|QUIT|NOOP|HELP|DATA|STARTTLS)[ \t]*\r?\n/i;
const LONGEST = 1_024;
/** A hostile message could be nothing but look-alikes. */
const ENDS = 16;
