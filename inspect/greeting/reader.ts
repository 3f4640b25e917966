// The one reader of a greeting: its lines, its defects, and how it ended, from its octets in whatever pieces they come.

import type { GreetingDefect } from '../events';
import { LINE_BY_RFC, REPLY_LINE } from '../limits';
import { joinOctets, NO_OCTETS } from '../octets';
import { addLine, judge, NO_LINES, type GreetingFacts, type GreetingJudgement } from './judgement';
import {
  canBeLast,
  codeAt,
  endOfLine,
  isLast,
  isOdd,
  readLine,
  startsReply,
  type GreetingLine,
} from './lines';

/** A greeting as far as it was read. Only the functions of this file change it. */
export interface GreetingReader {
  /** Of its whole lines. */
  facts: GreetingFacts;
  /** `stated`: the server has ended it, with a space. `assumed`: its last line has no separator to say so. */
  end: 'open' | 'stated' | 'assumed';
  /** The next line, or the one that ended the greeting, stands behind a bare CR: for clients no line begins there. */
  hidden: boolean;
  readonly partial: PartialLine;
}

/** One whole line. */
export interface ReadLine {
  readonly line: GreetingLine;
  readonly last: boolean;
  /** What is wrong with this line. */
  readonly defects: readonly GreetingDefect[];
}

/** What `readLines` made of its octets. */
interface Lines {
  readonly lines: readonly ReadLine[];
  /** Octets behind these lines: the beginning of the next line or, where the greeting has ended, no part of it. */
  readonly rest: Uint8Array;
}

export function createGreetingReader(): GreetingReader {
  return {
    facts: NO_LINES,
    end: 'open',
    hidden: false,
    partial: { buffer: NO_OCTETS, length: 0, lead: 0, head: undefined },
  };
}

/** Reads on in a greeting that is open. */
export function readGreeting(reader: GreetingReader, bytes: Uint8Array): void {
  const { rest } = readLines(reader, bytes);
  if (reader.end === 'open') readPartial(reader, rest);
}

/** The first half of `readGreeting`: whole lines. While the greeting is open `readPartial` has to follow. */
export function readLines(reader: GreetingReader, bytes: Uint8Array): Lines {
  const { partial } = reader;
  if (!endsWithin(partial, bytes)) return { lines: NONE, rest: bytes };
  const all = joinOctets([octetsOf(partial), bytes]);
  clear(partial);
  const lines: ReadLine[] = [];
  let start = 0;
  let lf = all.indexOf(LF);
  for (let end = endOfLine(all, 0, lf); end !== undefined; end = endOfLine(all, start, lf)) {
    const line = readLine(all.subarray(start, end));
    lines.push(endLine(reader, line, isLast(line, all, end)));
    start = end;
    if (reader.end !== 'open') break;
    if (lf >= 0 && lf < start) lf = all.indexOf(LF, start);
  }
  return { lines, rest: all.subarray(start) };
}

/** The second half of `readGreeting`: the octets of a line that has not ended. */
export function readPartial({ partial }: GreetingReader, bytes: Uint8Array): void {
  if (bytes.length > 0) append(partial, bytes);
}

/** No more will come: what has begun counts as a line. */
export function endPartial(reader: GreetingReader): ReadLine {
  const line = readLine(octetsOf(reader.partial).slice());
  clear(reader.partial);
  return endLine(reader, line, canBeLast(line));
}

/** The line that has begun is no part of the greeting. */
export function dropPartial({ partial }: GreetingReader): Uint8Array {
  const octets = octetsOf(partial).slice();
  clear(partial);
  return octets;
}

export function judgementOf({ facts, partial, end }: GreetingReader): GreetingJudgement {
  return judge(facts, octetsOf(partial), end !== 'open');
}

/**
 * Judges the octets that a server sent so far, up to the greeting's last line; what stands behind it is no
 * part of it. Never throws. Source: RFC 5321 §3.1, §4.2, §4.2.1.
 */
export function judgeGreeting(bytes: Uint8Array): GreetingJudgement {
  const reader = createGreetingReader();
  readGreeting(reader, bytes);
  return judgementOf(reader);
}

function endLine(reader: GreetingReader, line: GreetingLine, last: boolean): ReadLine {
  const { facts, defects } = addLine(reader.facts, line, last);
  reader.facts = facts;
  if (last) reader.end = line.separator === 'space' ? 'stated' : 'assumed';
  else reader.hidden = line.terminator === 'cr';
  return { line, last, defects };
}

/** The line that has begun and not ended. It costs each octet once, however it is cut into reads. */
interface PartialLine {
  buffer: Uint8Array;
  length: number;
  /** Octets before the code that no client skips; a repair removes them. */
  lead: number;
  head: Head;
}

/**
 * What a line's first octets say for good. `last`: a code and a space. `continuation`: a code and a hyphen. `code`: a
 * code without a separator, whose meaning the next line decides. `stray`: no code. Undefined: too few octets.
 */
type Head = 'last' | 'continuation' | 'code' | 'stray' | undefined;

/** A view: it changes with the next octets. Of a line beyond the cap only the beginning and its last octets. */
export function octetsOf({ buffer, length }: PartialLine): Uint8Array {
  return buffer.subarray(0, length);
}

function clear(line: PartialLine): void {
  line.length = 0;
  line.lead = 0;
  line.head = undefined;
}

/** The line's end is within `bytes`, which come next. */
function endsWithin(line: PartialLine, bytes: Uint8Array): boolean {
  if (bytes.includes(LF)) return true;
  readHead(line, bytes);
  // `endOfLine` says where else a CR is an end: only in these lines does one count while no LF has come.
  return (line.head === 'continuation' || line.head === 'stray') && hasReplyBehindCr(line, bytes);
}

function append(line: PartialLine, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  readHead(line, bytes);
  const { length } = line;
  const room = Math.min(bytes.length, CAP - length);
  reserve(line, length + room);
  line.buffer.set(bytes.subarray(0, room), length);
  line.length += room;
  const beyond = bytes.subarray(room);
  if (beyond.length === 0) return;
  // The last octets of a longer line stay: they may be the beginning of its end.
  const end = line.buffer.subarray(REPLY_LINE, CAP);
  if (beyond.length < CR_AND_CODE) end.copyWithin(0, beyond.length);
  end.set(beyond.subarray(-CR_AND_CODE), Math.max(0, CR_AND_CODE - beyond.length));
}

/** Reads on where the beginning is not decided yet; `next` stands behind what is there. */
function readHead(line: PartialLine, next: Uint8Array): void {
  if (line.head !== undefined) return;
  const { buffer, length } = line;
  const octetAt = (i: number): number | undefined => (i < length ? buffer[i] : next[i - length]);
  while (isOdd(octetAt(line.lead))) line.lead += 1;
  const first = [0, 1, 2, 3].map((i) => octetAt(line.lead + i)).filter((octet) => octet !== undefined);
  line.head = line.lead > REPLY_LINE ? 'stray' : headOf(first);
}

/** Of the octets from the code's place on, at most four. */
function headOf(first: readonly number[]): Head {
  if (!mayBeCode(first)) return 'stray';
  if (first.length < 4) return undefined;
  const { kind, separator } = readLine(Uint8Array.from(first));
  if (kind !== 'reply') return 'stray';
  if (separator === 'space') return 'last';
  return separator === 'hyphen' ? 'continuation' : 'code';
}

/** A reply code, or the beginning of one. */
function mayBeCode([a = TWO, b = ZERO, c = ZERO]: Iterable<number>): boolean {
  return codeAt(Uint8Array.of(a, b, c), 0) > 0;
}

/**
 * Octets of the repaired line that are decided. A line beyond the cap is cut to what the RFC allows, so behind that
 * nothing is sure. A CR stays whatever follows it; but a code behind it makes it a line's end.
 */
export function sureOf({ buffer, length, lead, head }: PartialLine): number {
  if (head === undefined || head === 'stray') return 0;
  if (head === 'code') return CODE;
  let end = length;
  for (let cr = length - CR_AND_CODE; head === 'continuation' && cr < length - 1; cr += 1) {
    if (buffer[cr] === CR && mayBeCode(buffer.subarray(cr + 1, length))) end = Math.min(end, cr + 1);
  }
  return Math.min(end - lead, SURE);
}

function hasReplyBehindCr(line: PartialLine, next: Uint8Array): boolean {
  const before = octetsOf(line).subarray(-CR_AND_CODE);
  const window = new Uint8Array(before.length + next.length);
  window.set(before);
  window.set(next, before.length);
  for (let cr = window.indexOf(CR); cr >= 0; cr = window.indexOf(CR, cr + 1)) {
    if (startsReply(window, cr + 1)) return true;
  }
  return false;
}

function reserve(line: PartialLine, length: number): void {
  if (length <= line.buffer.length) return;
  const buffer = new Uint8Array(Math.min(CAP, Math.max(length, 2 * line.buffer.length, LINE_BY_RFC)));
  buffer.set(octetsOf(line));
  line.buffer = buffer;
}

const NONE: readonly ReadLine[] = [];
const LF = 0x0a;
const CR = 0x0d;
const ZERO = 0x30;
const TWO = 0x32;
/** What may still become an end. */
const CR_AND_CODE = 4;
const CAP = REPLY_LINE + CR_AND_CODE;
const CODE = 3;
const SURE = LINE_BY_RFC - 2;
