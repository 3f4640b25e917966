// The line of a greeting that has not ended yet: what its beginning says, and which of its octets are sure.

import { LINE_BY_RFC, REPLY_LINE } from '../limits';
import { codeAt, isDigit, isOdd, startsReply } from './lines';

/**
 * What a line's first octets say for good. `last`: a code and a space. `goesOn`: a code and a hyphen. `reply`: a
 * code without a separator, whose meaning the next line decides. `stray`: no code. Undefined: too few octets.
 */
export type Head = 'last' | 'goesOn' | 'reply' | 'stray' | undefined;

/** Costs each octet once, however the line is cut into reads. */
export interface OpenLine {
  /** A view: it changes with the next call. Of a line beyond the cap only the beginning and its last octets. */
  readonly octets: Uint8Array;
  readonly head: Head;
  /** Octets of the mended line that `takeSure` gave out. */
  readonly passed: number;
  /** The line's end is within `bytes`, which come next. */
  endsWithin(bytes: Uint8Array): boolean;
  append(bytes: Uint8Array): void;
  /** What no later octet and no repair can change or take away any more, each octet once. */
  takeSure(): Uint8Array;
  /** What was not given out, as it came; the line is empty afterwards. */
  release(): Uint8Array;
  clear(): void;
}

export function createOpenLine(): OpenLine {
  const line: Line = { buffer: EMPTY, length: 0, lead: 0, head: undefined, passed: 0 };
  return {
    get octets() {
      return octetsOf(line);
    },
    get head() {
      return line.head;
    },
    get passed() {
      return line.passed;
    },
    endsWithin(bytes) {
      readHead(line, bytes);
      if (bytes.includes(LF)) return true;
      // The other ends of a CR are `endOfLine`'s: only in these lines does one count without an LF in sight.
      return (line.head === 'goesOn' || line.head === 'stray') && hasReplyBehindCr(line, bytes);
    },
    append(bytes) {
      readHead(line, bytes);
      append(line, bytes);
    },
    takeSure() {
      const { lead, passed } = line;
      line.passed = Math.max(passed, sure(line));
      return line.buffer.slice(lead + passed, lead + line.passed);
    },
    release() {
      const from = line.passed > 0 ? line.lead + line.passed : 0;
      const octets = octetsOf(line).slice(from);
      clear(line);
      return octets;
    },
    clear: () => clear(line),
  };
}

interface Line {
  buffer: Uint8Array;
  length: number;
  /** Octets before the code that no client skips; a repair takes them away. */
  lead: number;
  head: Head;
  passed: number;
}

function octetsOf({ buffer, length }: Line): Uint8Array {
  return buffer.subarray(0, length);
}

function clear(line: Line): void {
  line.length = 0;
  line.lead = 0;
  line.head = undefined;
  line.passed = 0;
}

/** Reads on where the beginning is not decided yet; `next` stands behind what is there. */
function readHead(line: Line, next: Uint8Array): void {
  if (line.head !== undefined) return;
  const { buffer, length } = line;
  const octetAt = (i: number): number | undefined => (i < length ? buffer[i] : next[i - length]);
  while (isOdd(octetAt(line.lead))) line.lead += 1;
  const first = [0, 1, 2, 3].map((i) => octetAt(line.lead + i));
  const known = first.filter((octet) => octet !== undefined);
  line.head = line.lead > REPLY_LINE ? 'stray' : headOf(Uint8Array.from(known));
}

/** Of the octets from the code's place on, at most four. */
function headOf(first: Uint8Array): Head {
  if (!mayBeCode(first)) return 'stray';
  const separator = first[3];
  if (separator === undefined) return undefined;
  if (isDigit(separator)) return 'stray';
  if (separator === SPACE) return 'last';
  return separator === HYPHEN ? 'goesOn' : 'reply';
}

/** A reply code, or the beginning of one. */
function mayBeCode([a = TWO, b = ZERO, c = ZERO]: Uint8Array): boolean {
  return codeAt(Uint8Array.of(a, b, c), 0) > 0;
}

function hasReplyBehindCr(line: Line, next: Uint8Array): boolean {
  const before = octetsOf(line).subarray(-CR_AND_CODE);
  const window = new Uint8Array(before.length + next.length);
  window.set(before);
  window.set(next, before.length);
  for (let cr = window.indexOf(CR); cr >= 0; cr = window.indexOf(CR, cr + 1)) {
    if (startsReply(window, cr + 1)) return true;
  }
  return false;
}

/**
 * Octets of the mended line that are decided. A line beyond the cap is cut to what the RFC allows, so behind that
 * nothing is sure. A CR stays whatever follows it; but a code behind it makes it a line's end.
 */
function sure({ buffer, length, lead, head }: Line): number {
  if (head === undefined || head === 'stray') return 0;
  if (head === 'reply') return CODE;
  let end = length;
  for (let cr = length - CR_AND_CODE; head === 'goesOn' && cr < length - 1; cr += 1) {
    if (buffer[cr] === CR && mayBeCode(buffer.subarray(cr + 1, length))) end = Math.min(end, cr + 1);
  }
  return Math.min(end - lead, SURE);
}

/** Keeps a line within its cap; of a longer one the last octets stay: they may be the beginning of its end. */
function append(line: Line, bytes: Uint8Array): void {
  const { length } = line;
  const room = Math.min(bytes.length, CAP - length);
  reserve(line, length + room);
  line.buffer.set(bytes.subarray(0, room), length);
  line.length += room;
  const beyond = bytes.subarray(room);
  if (beyond.length === 0) return;
  const end = line.buffer.subarray(REPLY_LINE, CAP);
  if (beyond.length < CR_AND_CODE) end.copyWithin(0, beyond.length);
  end.set(beyond.subarray(-CR_AND_CODE), Math.max(0, CR_AND_CODE - beyond.length));
}

function reserve(line: Line, length: number): void {
  if (length <= line.buffer.length) return;
  const buffer = new Uint8Array(Math.min(CAP, Math.max(length, 2 * line.buffer.length, LINE_BY_RFC)));
  buffer.set(octetsOf(line));
  line.buffer = buffer;
}

const EMPTY = new Uint8Array(0);
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
const ZERO = 0x30;
const TWO = 0x32;
const CODE = 3;
/** What may still become an end. */
const CR_AND_CODE = 1 + CODE;
const CAP = REPLY_LINE + CR_AND_CODE;
const SURE = LINE_BY_RFC - 2;
