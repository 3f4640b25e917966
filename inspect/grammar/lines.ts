// Lines out of octets, terminators kept: the framing that everything above it trusts.

import type { Micros, Span, Terminator } from '../events';
import { NO_OCTETS, put } from '../octets';

/** One line as it was sent. */
export interface Line {
  /** The octets before the terminator, at most `cap` of them. */
  readonly bytes: Uint8Array;
  /** Where line and terminator lie in the stream. */
  readonly span: Span;
  readonly terminator: Terminator;
  /** Longer than the cap: the octets beyond it were counted and not kept. */
  readonly cut: boolean;
  /** When its first and last octets were read. */
  readonly started: Micros;
  readonly at: Micros;
}

/** What `take` did: it read up to index `next` of the chunk, and a line came of it or not yet. */
export interface Taken {
  readonly next: number;
  readonly line: Line | undefined;
}

/** Collects one line at a time, so that its reader can change what the octets behind it are. */
export interface Framer {
  /** Reads at most one line from `bytes[from…]`, whose first octet has stream offset `position`. */
  take(bytes: Uint8Array, from: number, position: number, at: Micros): Taken;
  /** The unfinished line: where and when it began, and its octets so far, at most the cap. */
  peek(): { readonly start: number; readonly started: Micros; readonly bytes: Uint8Array } | undefined;
  /** The unfinished line, as `none`-terminated; the framer is empty afterwards. */
  flush(): Line | undefined;
}

/**
 * A framer of lines that end in CRLF or in a bare LF, as SMTP programs read them (RFC 5321 §2.3.8 forbids
 * the bare LF, and nearly all take it). A bare CR ends no line for them: it stays among the line's octets.
 * `splitLines` is the strict counterpart, for judging.
 */
export function createFramer(cap: number): Framer {
  let held: Held | undefined;
  return {
    take(bytes, from, position, at) {
      const lf = bytes.indexOf(LF, from);
      const end = lf < 0 ? bytes.length : lf + 1;
      if (lf >= 0 && !held) return { next: end, line: wholeLine(bytes, from, lf, position, at, cap) };
      const piece = bytes.subarray(from, end);
      if (piece.length > 0) held = hold(held, piece, position, at, cap);
      const line = lf >= 0 && held ? lineOf(held, cap) : undefined;
      if (line) held = undefined;
      return { next: end, line };
    },
    peek: () =>
      held && {
        ...{ start: held.position, started: held.started },
        bytes: held.room.subarray(0, held.kept),
      },
    flush() {
      const line = held && lineOf(held, cap);
      held = undefined;
      return line;
    },
  };
}

/** A whole text cut into lines; here a bare CR ends a line too, so that every terminator has its name. */
export function splitLines(bytes: Uint8Array): { bytes: Uint8Array; terminator: Terminator }[] {
  const lines: { bytes: Uint8Array; terminator: Terminator }[] = [];
  let start = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const octet = bytes[i];
    if (octet !== LF && octet !== CR) continue;
    const crlf = octet === CR && bytes[i + 1] === LF;
    lines.push({ bytes: bytes.subarray(start, i), terminator: crlf ? 'crlf' : octet === LF ? 'lf' : 'cr' });
    if (crlf) i += 1;
    start = i + 1;
  }
  if (start < bytes.length) lines.push({ bytes: bytes.subarray(start), terminator: 'none' });
  return lines;
}

/** A line in the making: `kept` octets in `room`, `length` octets in all. */
interface Held {
  room: Uint8Array;
  kept: number;
  length: number;
  readonly position: number;
  readonly started: Micros;
  at: Micros;
  /** The last two octets, wherever they went: the terminator of a cut line. */
  tail?: readonly [number, number];
}

function hold(held: Held | undefined, piece: Uint8Array, position: number, at: Micros, cap: number): Held {
  const line = held ?? { room: NO_OCTETS, kept: 0, length: 0, position, started: at, at };
  // Two octets more than the cap: a line of just `cap` octets still has its CRLF here.
  const room = Math.max(0, cap + 2 - line.kept);
  const kept = room < piece.length ? piece.subarray(0, room) : piece;
  if (kept.length > 0) line.room = put(line.room, line.kept, kept);
  line.kept += kept.length;
  line.length += piece.length;
  line.at = at;
  const before = piece.length > 1 ? piece[piece.length - 2] : line.tail?.[1];
  line.tail = [before ?? 0, piece[piece.length - 1] ?? 0];
  return line;
}

/** A line that lies in one chunk, as nearly all do: nothing is held, nothing copied. */
function wholeLine(
  bytes: Uint8Array,
  from: number,
  lf: number,
  position: number,
  at: Micros,
  cap: number,
): Line {
  const terminator = lf > from && bytes[lf - 1] === CR ? 'crlf' : 'lf';
  const total = lf + 1 - from;
  const length = total - TERMINATOR_LENGTH[terminator];
  return {
    bytes: bytes.subarray(from, from + Math.min(length, cap)),
    span: { start: position, end: position + total },
    terminator,
    cut: length > cap,
    started: at,
    at,
  };
}

function lineOf(held: Held, cap: number): Line {
  const all = held.room.subarray(0, held.kept);
  const [before, last] = held.tail ?? [all[all.length - 2] ?? 0, all[all.length - 1] ?? 0];
  const terminator = last !== LF ? 'none' : before === CR ? 'crlf' : 'lf';
  const length = held.length - TERMINATOR_LENGTH[terminator];
  return {
    bytes: all.subarray(0, Math.min(length, cap)),
    span: { start: held.position, end: held.position + held.length },
    terminator,
    cut: length > cap,
    started: held.started,
    at: held.at,
  };
}

const CR = 0x0d;
const LF = 0x0a;
const TERMINATOR_LENGTH = { none: 0, lf: 1, crlf: 2 } as const;
