// Greeting repair as the octets come: what can no longer change goes out at once, the end on demand.

import type { GreetingDefect } from '../events';
import { GREETING_JUNK, LINE_BY_RFC, REPLY_LINE } from '../limits';
import { joinOctets, NO_OCTETS } from '../octets';
import { fromLatin1 } from '../text';
import { isBinary, isForeignServer } from './foreign';
import { isQualified, terminatorDefect } from './judgement';
import { readLine, type GreetingLine } from './lines';
import {
  createGreetingReader,
  dropPartial,
  endPartial,
  octetsOf,
  readLines,
  readPartial,
  sureOf,
  type GreetingReader,
  type ReadLine,
} from './reader';

/** One change, reported once per defect and greeting; `before` and `after` are the octets of the line concerned. */
export interface Change {
  readonly defect: GreetingDefect;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** What a step lets through. */
export interface RepairStep {
  /** Of the repaired greeting, all that no later octet can change. */
  readonly octets: Uint8Array;
  readonly changes: readonly Change[];
  /** `foreign`: this is no greeting, and everything held is in `octets` as it was. */
  readonly state: 'open' | 'complete' | 'foreign';
  /** Octets behind the greeting's last line, where it is complete: as they came. */
  readonly rest: Uint8Array;
}

/**
 * Completes and repairs one greeting. It changes only what stalls or desyncs a real client: no end, no terminator, a
 * bare CR for one, no separator (none, TAB, NUL, or a code alone), stray lines and octets around the code, lines beyond
 * 8192 octets. Everything else passes as it is: bare LF, NUL and CR in the text, 8-bit, masked, mixed and wrong codes,
 * refusals. Octets that hold no reply line at all are not a greeting and stay as they are.
 */
export interface GreetingRepair {
  /** Takes octets of the server's stream. To be called only while the state is `open`. */
  take(bytes: Uint8Array): RepairStep;
  /** No more will come: ends what was begun. */
  finish(): RepairStep;
  /** Gives up what is held, as it came: it turned out to be no part of the greeting. */
  release(): Uint8Array;
  readonly reader: GreetingReader;
  /** The line that has not ended is a reply line for sure, and what is sure of it went out. */
  hasBegun(): boolean;
  /** Something came, and no code with it: it is held back. */
  isCodeless(): boolean;
  /** Defects repaired so far. */
  readonly repaired: ReadonlySet<GreetingDefect>;
}

/** `hostname` is used as the server's name where the greeting does not begin with a fully qualified one. */
export function createGreetingRepair(hostname: string): GreetingRepair {
  const state: State = {
    hostname,
    reader: createGreetingReader(),
    passed: 0,
    stray: [],
    last: NO_OCTETS,
    out: [],
    changes: [],
    repaired: new Set(),
    take: (bytes) => take(state, bytes),
    finish: () => finish(state),
    release: () => release(state),
    hasBegun: () => state.passed > 0,
    isCodeless() {
      const { facts, partial } = state.reader;
      if (facts.lines > 0) return false;
      return partial.head === 'stray' || (partial.head === undefined && facts.octets > 0);
    },
  };
  return state;
}

interface State extends GreetingRepair {
  readonly hostname: string;
  /** Octets of the repaired line that went out before the line had ended. */
  passed: number;
  /** Lines without a code in front of the first one with. */
  stray: ReadLine[];
  /** The last reply line, repaired. */
  last: Uint8Array;
  out: Uint8Array[];
  changes: Change[];
  readonly repaired: Set<GreetingDefect>;
}

function take(state: State, bytes: Uint8Array): RepairStep {
  const { reader } = state;
  if (beginsForeign(reader, bytes)) return foreign(state, bytes);
  const { lines, rest } = readLines(reader, bytes);
  for (const each of lines) addLine(state, each);
  if (reader.end !== 'open') return result(state, 'complete', rest);
  if (isForeign(reader, rest)) return foreign(state, rest);
  readPartial(reader, rest);
  passSure(state);
  return result(state, 'open', NO_OCTETS);
}

/** The first octets of all are another protocol's. */
function beginsForeign({ facts, partial }: GreetingReader, bytes: Uint8Array): boolean {
  if (facts.octets > 0 || partial.length >= FOREIGN) return false;
  return isForeignServer(joinOctets([octetsOf(partial), bytes.subarray(0, FOREIGN)]));
}

/** Before the first code: octets that are no text, or more than a stray line has, and still none. */
function isForeign({ facts, partial }: GreetingReader, rest: Uint8Array): boolean {
  const { head } = partial;
  if (facts.lines > 0 || (head !== undefined && head !== 'stray')) return false;
  const held = joinOctets([octetsOf(partial), rest]);
  if (head === 'stray' && isBinary(held)) return true;
  return facts.octets + held.length > GREETING_JUNK && readLine(held).kind !== 'reply';
}

function foreign(state: State, rest: Uint8Array): RepairStep {
  return { octets: joinOctets([release(state), rest]), changes: [], state: 'foreign', rest: NO_OCTETS };
}

function release(state: State): Uint8Array {
  const { stray, reader, passed } = state;
  const from = passed > 0 ? reader.partial.lead + passed : 0;
  state.stray = [];
  state.passed = 0;
  return joinOctets([...stray.map(({ line }) => line.octets), dropPartial(reader).subarray(from)]);
}

function finish(state: State): RepairStep {
  const { reader } = state;
  const line = readLine(octetsOf(reader.partial));
  if (line.kind !== 'reply' && reader.facts.lines === 0) return foreign(state, NO_OCTETS);
  if (line.kind === 'reply') addLine(state, endPartial(reader));
  else if (line.octets.length > 0) note(state, terminatorDefect(line), dropPartial(reader), NO_OCTETS);
  if (reader.end === 'open') {
    const end = closingLine(reader.facts.code ?? 220, nameOf(state));
    state.out.push(end);
    note(state, 'truncated', state.last, joinOctets([state.last, end]));
  }
  return result(state, 'complete', NO_OCTETS);
}

function addLine(state: State, each: ReadLine): void {
  const { line, defects } = each;
  if (line.kind === 'reply') addReply(state, each);
  else if (state.last.length > 0) note(state, defects[0], line.octets, NO_OCTETS);
  // The octets that came are not ours to keep.
  else state.stray.push({ ...each, line: { ...line, octets: line.octets.slice() } });
}

function addReply(state: State, { line, last, defects }: ReadLine): void {
  const before = joinOctets(state.stray.map((each) => each.line.octets));
  for (const each of state.stray) note(state, each.defects[0], before, NO_OCTETS);
  state.stray = [];
  const repaired = repairLine(line, last, nameOf(state));
  if (line.lead > 0) note(state, defects[0], line.octets, repaired.octets);
  for (const defect of repaired.defects) note(state, defect, line.octets, repaired.octets);
  state.out.push(repaired.octets.subarray(state.passed));
  state.passed = 0;
  state.last = repaired.octets.slice();
}

function note(state: State, defect: GreetingDefect | undefined, before: Uint8Array, after: Uint8Array): void {
  if (defect === undefined || state.repaired.has(defect)) return;
  state.changes.push({ defect, before, after });
  state.repaired.add(defect);
}

function result(state: State, outcome: 'open' | 'complete', rest: Uint8Array): RepairStep {
  const step: RepairStep = { octets: joinOctets(state.out), changes: state.changes, state: outcome, rest };
  state.out = [];
  state.changes = [];
  return step;
}

function nameOf({ reader, hostname }: State): string {
  const { host } = reader.facts;
  return host !== undefined && isQualified(host) ? host : hostname;
}

/** Lets out what no later octet and no repair can change or take away any more, each octet once. */
function passSure(state: State): void {
  const { partial } = state.reader;
  const sure = sureOf(partial);
  if (sure <= state.passed) return;
  state.out.push(partial.buffer.slice(partial.lead + state.passed, partial.lead + sure));
  state.passed = sure;
}

/** A last line for a greeting that has none. `ESMTP` keeps a client from HELO, and Postfix from PIX mode. */
function closingLine(code: number, host: string): Uint8Array {
  return fromLatin1(`${code} ${host}${code < 400 ? ' ESMTP' : ''}\r\n`);
}

/** Repairs one reply line, with the defects that made it necessary; the same octets where there are none. */
function repairLine(
  line: GreetingLine,
  last: boolean,
  host: string,
): { readonly octets: Uint8Array; readonly defects: readonly GreetingDefect[] } {
  const defects: GreetingDefect[] = [];
  let content = line.octets.subarray(line.lead, line.end);
  if (line.separator === 'end' && last) {
    defects.push('empty-text');
    content = closingLine(line.code, host);
    content = content.subarray(0, content.length - 2);
  } else if (line.separator !== 'space' && line.separator !== 'hyphen') {
    defects.push(line.separator === 'tab' ? 'tab-separator' : 'no-separator');
    const code = line.octets.subarray(line.lead, line.lead + CODE);
    content = joinOctets([code, fromLatin1(last ? ' ' : '-'), line.octets.subarray(line.text, line.end)]);
  }
  let end = line.octets.subarray(line.end);
  if (line.terminator === 'none' || line.terminator === 'cr') {
    defects.push(terminatorDefect(line));
    end = CRLF;
  }
  if (content.length + end.length > REPLY_LINE) {
    defects.push('over-long');
    content = content.subarray(0, LINE_BY_RFC - end.length);
  }
  if (defects.length === 0 && line.lead === 0) return { octets: line.octets, defects };
  return { octets: joinOctets([content, end]), defects };
}

/** Octets by which another protocol is recognised. */
const FOREIGN = 16;
const CODE = 3;
const CRLF = fromLatin1('\r\n');
