// After we completed a greeting: what the server still sends of it is dropped, or it would shift every reply by one.

import type { Micros } from '../events';
import { GREETING, LINE_BY_RFC, LINE_PAUSE_MICROS } from '../limits';
import { joinOctets, NO_OCTETS } from '../octets';
import { codeAt, endOfLine, isLast, readLine, startsReply } from './lines';

export interface LateOptions {
  /** The code that we ended the greeting with: lines with it are the server's own end of it. */
  readonly code: number;
  /** The server's line that we ended may still go on; `last`: and with it the greeting is over. */
  readonly open?: 'last' | 'line';
  /** A command waits for its answer already. */
  readonly pending: boolean;
}

export interface LateStep {
  /** For the client. */
  readonly octets: Uint8Array;
  /**
   * `greeted`: the server has ended its greeting itself. `answered`: it has answered a command. `held`: it
   * refuses, and no command asks for an answer yet. `refused`: that was its answer, and the connection's end.
   * `aside`: something else. All but `waiting` and `held` end this machine.
   */
  readonly outcome: 'waiting' | 'greeted' | 'answered' | 'held' | 'refused' | 'aside';
}

export interface LateLines {
  server(bytes: Uint8Array, at: Micros): LateStep;
  client(bytes: Uint8Array): LateStep;
  /** Nothing more comes, or not in time. */
  expire(): LateStep;
  deadline(): Micros | undefined;
}

export function createLateLines(options: LateOptions): LateLines {
  const state: State = {
    ...options,
    open: options.open,
    buffer: NO_OCTETS,
    seen: 0,
    held: undefined,
    last: 0,
  };
  return {
    server(bytes, at) {
      state.last = at;
      // A refusal is the last thing a server has to say; what follows it could only shift replies.
      if (state.held) return WAITING;
      state.buffer = joinOctets([state.buffer, bytes]);
      return read(state);
    },
    client(bytes) {
      if (bytes.includes(LF)) state.pending = true;
      return state.held && state.pending ? { octets: state.held, outcome: 'refused' } : WAITING;
    },
    expire: () => expire(state),
    deadline: () => (state.held || state.buffer.length === 0 ? undefined : state.last + LINE_PAUSE_MICROS),
  };
}

interface State {
  readonly code: number;
  open: LateOptions['open'];
  pending: boolean;
  buffer: Uint8Array;
  /** Octets of the buffer that are whole lines of a refusal, read already. */
  seen: number;
  held: Uint8Array | undefined;
  last: Micros;
}

function read(state: State): LateStep {
  if (state.open !== undefined) {
    const step = skipOpenLine(state);
    if (step) return step;
  }
  while (state.buffer.length > 0) {
    if (maybeReply(state.buffer)) break;
    const code = codeAt(state.buffer, 0);
    if (code === 0 || !isBoundary(state.buffer[3])) return pass(state, 'aside');
    if (code !== state.code) return code >= 400 ? refusal(state) : pass(state, 'answered');
    const end = endOfLine(state.buffer, 0);
    if (end === undefined) {
      // Only code and separator still matter, and what may become another line behind a bare CR.
      if (state.buffer.length > LINE_BY_RFC) state.buffer = withoutMiddle(state.buffer);
      break;
    }
    const last = isLast(readLine(state.buffer.subarray(0, end)), state.buffer, end);
    state.buffer = state.buffer.subarray(end);
    if (last) return pass(state, 'greeted');
  }
  // A copy, once: what was read came in octets that are not ours to keep.
  state.buffer = state.buffer.slice();
  return WAITING;
}

function withoutMiddle(line: Uint8Array): Uint8Array {
  return joinOctets([line.subarray(0, 4), line.subarray(-4)]);
}

/** Swallows the rest of a line that we ended. Undefined where there is none, or no more of it. */
function skipOpenLine(state: State): LateStep | undefined {
  if (maybeReply(state.buffer)) return WAITING;
  if (!startsReply(state.buffer, 0)) {
    const lf = state.buffer.indexOf(LF);
    state.buffer = lf < 0 ? NO_OCTETS : state.buffer.slice(lf + 1);
    if (lf < 0) return WAITING;
    if (state.open === 'last') return pass(state, 'greeted');
  }
  state.open = undefined;
  return undefined;
}

function refusal(state: State): LateStep {
  let start = state.seen;
  for (let end = endOfLine(state.buffer, start); end !== undefined; end = endOfLine(state.buffer, start)) {
    const line = readLine(state.buffer.subarray(start, end));
    start = end;
    if (!isLast(line, state.buffer, end)) continue;
    if (state.pending && !GREETING_REFUSALS.has(line.code)) return pass(state, 'answered');
    const reply = state.buffer.slice(0, end);
    if (state.pending) return { octets: reply, outcome: 'refused' };
    state.held = reply;
    return { octets: NO_OCTETS, outcome: 'held' };
  }
  state.seen = start;
  return state.buffer.length > GREETING ? pass(state, 'aside') : WAITING;
}

function expire(state: State): LateStep {
  const { buffer, code } = state;
  if (state.held) return WAITING;
  const found = codeAt(buffer, 0);
  if (found === code && isBoundary(buffer[3])) return { octets: NO_OCTETS, outcome: 'greeted' };
  if (found >= 400 && !state.pending) {
    state.held = joinOctets([buffer, CRLF]);
    return { octets: NO_OCTETS, outcome: 'held' };
  }
  return pass(state, 'aside');
}

function pass(state: State, outcome: LateStep['outcome']): LateStep {
  const { buffer } = state;
  state.buffer = NO_OCTETS;
  state.seen = 0;
  return { octets: buffer, outcome };
}

/** Too short to decide, and so far a code. */
function maybeReply(buffer: Uint8Array): boolean {
  return buffer.length < 4 && buffer.every((octet) => octet >= 0x30 && octet <= 0x39);
}

function isBoundary(octet: number | undefined): boolean {
  return octet !== undefined && BOUNDARIES.has(octet);
}

const LF = 0x0a;
const CRLF = new Uint8Array([0x0d, LF]);
const WAITING: LateStep = { octets: NO_OCTETS, outcome: 'waiting' };
/** TAB, LF, CR, space, hyphen. */
const BOUNDARIES: ReadonlySet<number> = new Set([0x09, LF, 0x0d, 0x20, 0x2d]);
/** RFC 5321 §3.8 (421), §3.1 (554), RFC 7504 (521): a server says these to a connection, not to a command. */
const GREETING_REFUSALS: ReadonlySet<number> = new Set([421, 521, 554]);
