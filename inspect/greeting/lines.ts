// The lines of a greeting as clients read them: where each ends, and what stands before, at and behind its code.

import type { Terminator } from '../events';

/** What follows the code: `hyphen` goes on, `space` ends (RFC 5321 §4.2.1); the others are no separator. */
type Separator = 'space' | 'hyphen' | 'tab' | 'nul' | 'end' | 'none';

/** One line of a greeting, terminator included. Offsets count from its first octet. */
export interface GreetingLine {
  readonly octets: Uint8Array;
  readonly kind: 'reply' | 'blank' | 'junk';
  /** Octets before the code that no client skips: blanks, controls, a byte order mark. */
  readonly lead: number;
  /** 0 unless `kind` is `reply`. */
  readonly code: number;
  readonly separator: Separator;
  /** The text, `text <= end`; the terminator starts at `end`. */
  readonly text: number;
  readonly end: number;
  readonly terminator: Terminator;
}

/**
 * Where the line that starts at `start` ends: the offset behind its terminator, or undefined if it has none
 * yet. A bare CR ends no line for any client measured, so it counts only where a whole reply line that must
 * be one follows it (`220-a CR 220 b`); elsewhere it is an octet of the text, which all of them accept.
 * `lf` is the next LF, or -1: a caller that cuts many lines searches for each LF only once.
 */
export function endOfLine(
  bytes: Uint8Array,
  start: number,
  lf: number = bytes.indexOf(LF, start),
): number | undefined {
  const line = bytes.subarray(start, lf < 0 ? bytes.length : lf + 1);
  let cr = line.indexOf(CR);
  // Of a line that a repair will make a continuation, its CRs count now as they will then.
  if (cr >= 0 && !isLast(readLine(line), bytes, start + line.length)) {
    for (; cr >= 0; cr = line.indexOf(CR, cr + 1)) {
      if (startsReply(line, cr + 1)) return start + cr + 1;
    }
  }
  return lf < 0 ? undefined : lf + 1;
}

/** Three digits of a reply code and a separator stand at `start`. */
export function startsReply(bytes: Uint8Array, start: number): boolean {
  const next = bytes[start + 3];
  return codeAt(bytes, start) > 0 && (next === SPACE || next === HYPHEN || next === TAB);
}

/** Reads one line that `endOfLine` cut, or what there is of a line without an end. */
export function readLine(octets: Uint8Array): GreetingLine {
  const terminator = terminatorOf(octets);
  const end = octets.length - WIDTH[terminator];
  let lead = 0;
  while (lead < end && isOdd(octets[lead])) lead += 1;
  const code = codeAt(octets, lead);
  const after = lead + 3 < end ? octets[lead + 3] : undefined;
  if (code === 0 || isDigit(after)) {
    const kind = isBlank(octets.subarray(0, end)) ? 'blank' : 'junk';
    return { octets, kind, lead: 0, code: 0, separator: 'none', text: 0, end, terminator };
  }
  const separator = separatorOf(octets, lead + 3, end);
  const text = Math.min(end, lead + 3 + (separator === 'none' || separator === 'end' ? 0 : 1));
  return { octets, kind: 'reply', lead, code, separator, text, end, terminator };
}

/**
 * Whether a whole line is the greeting's last one. A space says so. Without a separator no client can know: then it
 * is the last unless a line with the same code stands behind it at `next`, in the same octets.
 */
export function isLast(line: GreetingLine, bytes: Uint8Array, next: number): boolean {
  if (!canBeLast(line)) return false;
  return line.separator === 'space' || !(startsReply(bytes, next) && codeAt(bytes, next) === line.code);
}

/** The same before the line has its terminator. */
export function canBeLast({ kind, separator }: GreetingLine): boolean {
  return kind === 'reply' && separator !== 'hyphen';
}

/** The reply code at `start`, or 0. RFC 5321 §4.2: the first digit is 2 to 5; 1 was RFC 821's. */
export function codeAt(bytes: Uint8Array, start: number): number {
  const [a = 0, b = 0, c = 0] = [bytes[start], bytes[start + 1], bytes[start + 2]];
  if (a < ONE || a > FIVE || !isDigit(b) || !isDigit(c)) return 0;
  return (a - ZERO) * 100 + (b - ZERO) * 10 + (c - ZERO);
}

function separatorOf(octets: Uint8Array, at: number, end: number): Separator {
  let last = at;
  while (last < end && octets[last] === CR) last += 1;
  if (last === end) return 'end';
  return SEPARATORS.get(octets[at] ?? -1) ?? 'none';
}

function terminatorOf(octets: Uint8Array): Terminator {
  const [before, last] = [octets[octets.length - 2], octets[octets.length - 1]];
  if (last === LF) return before === CR ? 'crlf' : 'lf';
  return last === CR ? 'cr' : 'none';
}

function isBlank(octets: Uint8Array): boolean {
  return octets.every((octet) => octet <= SPACE);
}

/** Not printable: every client but one that searches takes it for a part of the code. */
export function isOdd(octet: number | undefined): boolean {
  return octet !== undefined && (octet <= SPACE || octet > TILDE);
}

export function isDigit(octet: number | undefined): boolean {
  return octet !== undefined && octet >= ZERO && octet <= NINE;
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
const [ZERO, ONE, FIVE, NINE] = [0x30, 0x31, 0x35, 0x39] as const;
const TILDE = 0x7e;
const WIDTH = { crlf: 2, lf: 1, cr: 1, none: 0 } as const;
const SEPARATORS: ReadonlyMap<number, Separator> = new Map([
  [SPACE, 'space'],
  [HYPHEN, 'hyphen'],
  [TAB, 'tab'],
  [0, 'nul'],
]);
