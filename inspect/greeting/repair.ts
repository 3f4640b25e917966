// Greeting repair as the octets come: what can no longer change goes out at once, the end on demand.

import type { GreetingDefect } from '../events';
import { GREETING_JUNK, LINE_BY_RFC, REPLY_LINE } from '../limits';
import { isBinary, isForeignServer } from './foreign';
import { endOfLine, isLast, readLine, type GreetingLine } from './lines';
import { createOpenLine, type OpenLine } from './open-line';
import {
  isQualified,
  judgeTally,
  leadDefect,
  NO_LINES,
  tallyLine,
  type GreetingJudgement,
  type GreetingTally,
} from './judgement';

/** One change, told once per defect and greeting; `before` and `after` are the octets of the line concerned. */
export interface Mend {
  readonly defect: GreetingDefect;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** What a step lets through. */
export interface Mended {
  /** Of the mended greeting, all that no later octet can change. */
  readonly octets: Uint8Array;
  readonly mends: readonly Mend[];
  /** `alien`: no code line came where one was due, everything held is in `octets` as it was. */
  readonly state: 'open' | 'complete' | 'alien';
  /** Octets behind the greeting's last line, where it is complete: as they came. */
  readonly rest: Uint8Array;
}

export interface Mender {
  /** Takes octets of the server's stream. To be called only while the state is `open`. */
  take(bytes: Uint8Array): Mended;
  /** No more will come: ends what was begun. */
  finish(): Mended;
  /** Gives up what is held, as it came: it turned out to be no part of the greeting. */
  release(): Uint8Array;
  /** Whole reply lines so far, and their last code. */
  readonly lines: number;
  readonly code: number | undefined;
  /** The unfinished line: a view that changes with the next step. Empty right behind a terminator. */
  readonly tail: Uint8Array;
  /** The unfinished line is a reply line for sure, and what is sure of it went out. */
  readonly begun: boolean;
  /** That the greeting had ended was our reading: its last line had no separator to say so. */
  readonly guessed: boolean;
  /** No text but what Postfix takes for a PIX (FACTS: Servers). */
  readonly veiled: boolean;
  /** Something came, and no code with it: it is held back. */
  readonly codeless: boolean;
  /** Defects mended so far. */
  readonly mended: ReadonlySet<GreetingDefect>;
  judgement(): GreetingJudgement;
}

/** `hostname` stands for the server where the greeting does not begin with a fully qualified name. */
export function createMender(hostname: string): Mender {
  const state: State = {
    hostname,
    tally: NO_LINES,
    open: createOpenLine(),
    stray: [],
    strayed: 0,
    last: EMPTY,
    complete: false,
    guessed: false,
    out: [],
    mends: [],
    noted: new Set(),
  };
  return {
    take: (bytes) => take(state, bytes),
    finish: () => finish(state),
    release() {
      const { stray } = state;
      state.stray = [];
      return joinOctets([...stray, state.open.release()]);
    },
    get lines() {
      return state.tally.lines;
    },
    get code() {
      return state.tally.code;
    },
    get tail() {
      return state.open.octets;
    },
    get begun() {
      return state.open.passed > 0;
    },
    get guessed() {
      return state.guessed;
    },
    get veiled() {
      return state.tally.veiled;
    },
    get codeless() {
      const { tally, strayed, open } = state;
      if (tally.lines > 0) return false;
      return open.head === 'stray' || (open.head === undefined && strayed > 0);
    },
    get mended() {
      return state.noted;
    },
    judgement: () => judgeTally(state.tally, state.open.octets, state.complete),
  };
}

interface State {
  readonly hostname: string;
  tally: GreetingTally;
  readonly open: OpenLine;
  /** Lines without a code in front of the first one with, and their octets. */
  stray: Uint8Array[];
  strayed: number;
  /** The last reply line, mended. */
  last: Uint8Array;
  complete: boolean;
  guessed: boolean;
  out: Uint8Array[];
  mends: Mend[];
  readonly noted: Set<GreetingDefect>;
}

function take(state: State, bytes: Uint8Array): Mended {
  const { open } = state;
  if (isForeign(state, bytes)) return alien(state, bytes);
  let rest = bytes;
  if (open.endsWithin(bytes)) {
    const all = joinOctets([open.octets, bytes]);
    let { passed } = open;
    open.clear();
    let start = 0;
    let lf = all.indexOf(LF);
    for (let end = endOfLine(all, 0, lf); end !== undefined; end = endOfLine(all, start, lf)) {
      const line = readLine(all.subarray(start, end));
      start = end;
      if (lf >= 0 && lf < start) lf = all.indexOf(LF, start);
      if (line.kind === 'reply') addReply(state, line, isLast(line, all, end), passed);
      else addStray(state, line);
      passed = 0;
      if (state.complete) return result(state, 'complete', all.subarray(start));
    }
    rest = all.subarray(start);
  }
  if (isAlien(state, rest)) return alien(state, rest);
  open.append(rest);
  state.out.push(open.takeSure());
  return result(state, 'open');
}

/** The first octets of all are another protocol's. */
function isForeign({ tally, strayed, open }: State, bytes: Uint8Array): boolean {
  if (tally.lines > 0 || strayed > 0 || open.octets.length >= FOREIGN) return false;
  return isForeignServer(joinOctets([open.octets, bytes.subarray(0, FOREIGN)]));
}

/** Before the first code: octets that are no text, or more than a stray line has, and still none. */
function isAlien({ tally, strayed, open }: State, rest: Uint8Array): boolean {
  if (tally.lines > 0 || open.head === 'last' || open.head === 'goesOn' || open.head === 'reply')
    return false;
  const held = joinOctets([open.octets, rest]);
  if (open.head === 'stray' && isBinary(held)) return true;
  return strayed + held.length > GREETING_JUNK && readLine(held).kind !== 'reply';
}

function alien(state: State, rest: Uint8Array): Mended {
  const octets = joinOctets([...state.stray, state.open.release(), rest]);
  return { octets, mends: [], state: 'alien', rest: EMPTY };
}

function finish(state: State): Mended {
  const { open } = state;
  const line = readLine(open.octets.slice());
  if (line.kind !== 'reply' && state.tally.lines === 0) return alien(state, EMPTY);
  if (line.kind === 'reply') addReply(state, line, line.separator !== 'hyphen', open.passed);
  else if (line.octets.length > 0) note(state, endDefect(line), line.octets, EMPTY);
  open.clear();
  if (!state.complete) {
    const end = closingLine(state.tally.code ?? 220, nameOf(state));
    state.out.push(end);
    note(state, 'truncated', state.last, joinOctets([state.last, end]));
  }
  state.complete = true;
  return result(state, 'complete');
}

function addStray(state: State, line: GreetingLine): void {
  if (state.tally.lines === 0) {
    state.stray.push(line.octets.slice());
    state.strayed += line.octets.length;
  } else note(state, 'inner-junk', line.octets, EMPTY);
  state.tally = tallyLine(state.tally, line, false);
}

/** `passed` octets of the mended line went out before. */
function addReply(state: State, line: GreetingLine, last: boolean, passed: number): void {
  for (const defect of state.stray.length > 0 ? state.tally.defects : []) {
    if (STRAY.has(defect)) note(state, defect, joinOctets(state.stray), EMPTY);
  }
  state.stray = [];
  const lead = line.lead > 0 ? [leadDefect(state.tally, line)] : [];
  state.tally = tallyLine(state.tally, line, last);
  const { octets, defects } = mendLine(line, last, nameOf(state));
  for (const defect of [...lead, ...defects]) note(state, defect, line.octets, octets);
  state.out.push(octets.subarray(passed));
  state.last = octets.slice();
  state.complete = last;
  state.guessed = last && line.separator !== 'space';
}

function note(state: State, defect: GreetingDefect, before: Uint8Array, after: Uint8Array): void {
  if (!state.noted.has(defect)) state.mends.push({ defect, before, after });
  state.noted.add(defect);
}

function result(state: State, outcome: 'open' | 'complete', rest: Uint8Array = EMPTY): Mended {
  const mended: Mended = { octets: joinOctets(state.out), mends: state.mends, state: outcome, rest };
  state.out = [];
  state.mends = [];
  return mended;
}

function nameOf({ tally, hostname }: State): string {
  return tally.host !== undefined && isQualified(tally.host) ? tally.host : hostname;
}

/** Octets of several arrays in one; a single one is returned as it is. */
export function joinOctets(parts: readonly Uint8Array[]): Uint8Array {
  const full = parts.filter((part) => part.length > 0);
  if (full.length <= 1) return full[0] ?? EMPTY;
  const all = new Uint8Array(full.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of full) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** A last line for a greeting that has none. `ESMTP` keeps a client from HELO, and Postfix from PIX mode. */
function closingLine(code: number, host: string): Uint8Array {
  return octetsOf(`${code} ${host}${code < 400 ? ' ESMTP' : ''}\r\n`);
}

/** Mends one reply line, with the defects that made it necessary; the same octets where there are none. */
function mendLine(
  line: GreetingLine,
  last: boolean,
  host: string,
): { octets: Uint8Array; defects: GreetingDefect[] } {
  const defects: GreetingDefect[] = [];
  let content = line.octets.subarray(line.lead, line.end);
  if (line.separator === 'end' && last) {
    defects.push('empty-text');
    content = closingLine(line.code, host);
    content = content.subarray(0, content.length - 2);
  } else if (line.separator !== 'space' && line.separator !== 'hyphen') {
    defects.push(line.separator === 'tab' ? 'tab-separator' : 'no-separator');
    const code = line.octets.subarray(line.lead, line.lead + 3);
    content = joinOctets([code, octetsOf(last ? ' ' : '-'), line.octets.subarray(line.text, line.end)]);
  }
  let end = line.octets.subarray(line.end);
  if (line.terminator === 'none' || line.terminator === 'cr') {
    defects.push(endDefect(line));
    end = CRLF;
  }
  if (content.length + end.length > REPLY_LINE) {
    defects.push('over-long');
    content = content.subarray(0, LINE_BY_RFC - end.length);
  }
  if (defects.length === 0 && line.lead === 0) return { octets: line.octets, defects };
  return { octets: joinOctets([content, end]), defects };
}

/** What the end of a line without an LF is called. */
function endDefect(line: GreetingLine): GreetingDefect {
  return line.terminator === 'cr' ? 'bare-cr' : 'no-terminator';
}

function octetsOf(ascii: string): Uint8Array {
  return Uint8Array.from(ascii, (char) => char.charCodeAt(0));
}

/** Octets that tell another protocol. */
const FOREIGN = 16;
const LF = 0x0a;
const EMPTY = new Uint8Array(0);
const CRLF = octetsOf('\r\n');
const STRAY: ReadonlySet<GreetingDefect> = new Set(['leading-blank', 'leading-junk']);
