// Between client and server: each rule is applied to what both say, and the session hears of it. Octets in, steps out.

import type { Micros } from '../events';
import { NO_OCTETS, put } from '../octets';
import type { Session } from '../smtp/session';
import { endClient, readClient } from './client';
import { endServer, readServer } from './server';
import { isNoRule, type Rules } from './rules';
import { createState, end, isEnforced, type State, type Step } from './state';

export interface FilterOptions {
  readonly rules: Rules;
  /** It is fed by the filter alone: with what the client sends, and with what the client gets. */
  readonly session: Session;
  /** What would be refused is reported as `blocked`, and passes. */
  readonly dryRun?: boolean;
}

/** Each call returns what is to be done, in this order. After an `end` nothing passes any more. */
export interface Filter {
  client(bytes: Uint8Array, at: Micros): readonly Step[];
  server(bytes: Uint8Array, at: Micros): readonly Step[];
  /** This side will send no more. */
  clientEnd(at: Micros): readonly Step[];
  serverEnd(at: Micros): readonly Step[];
  /** Client octets that wait to be judged. */
  held(): number;
  /** How many octets at the end of what the server was given begin CRLF . CRLF (0 to 4). */
  begun(): number;
}

export function createFilter({ rules, session, dryRun = false }: FilterOptions): Filter {
  if (isNoRule(rules)) return createPassage(session);
  const state = createState(rules, session, dryRun);
  const held: Held = { room: NO_OCTETS, start: 0, end: 0, at: 0, over: undefined };
  return {
    client(bytes, at) {
      if (state.over) return NOTHING;
      const none = held.start === held.end;
      if (none && session.expects() === 'opaque') return passClient(session, bytes, at);
      const taken = none ? readClient(state, bytes, at) : 0;
      hold(held, bytes.subarray(taken), at);
      if (!none) release(state, held);
      return drain(state);
    },
    server(bytes, at) {
      if (state.over) return NOTHING;
      if (session.expects() === 'opaque') return passServer(session, bytes, at);
      const before = session.expects();
      state.waits = false;
      readServer(state, bytes, at);
      if (before !== 'tls' && session.expects() === 'tls') cutInjected(state, held);
      if (before === 'body' && session.expects() !== 'body') endUnclear(state);
      release(state, held);
      return drain(state);
    },
    clientEnd(at) {
      held.over = at;
      release(state, held);
      return drain(state);
    },
    serverEnd(at) {
      endServer(state, at);
      return drain(state);
    },
    held: () => held.end - held.start,
    begun: () => state.normalizer?.begun() ?? session.endOfDataBegun(),
  };
}

/** Where no rule holds nothing is held. */
function createPassage(session: Session): Filter {
  return {
    client: (bytes, at) => passClient(session, bytes, at),
    server: (bytes, at) => passServer(session, bytes, at),
    clientEnd: () => NOTHING,
    serverEnd: () => NOTHING,
    held: () => 0,
    begun: () => session.endOfDataBegun(),
  };
}

/** Octets that wait: `room[start…end)`, the last of which came at `at`. */
interface Held {
  room: Uint8Array;
  start: number;
  end: number;
  at: Micros;
  /** No more will come behind them. */
  over: Micros | undefined;
}

function hold(held: Held, bytes: Uint8Array, at: Micros): void {
  if (bytes.length === 0) return;
  if (held.start > 0) {
    held.room = held.room.slice(held.start, held.end);
    held.end -= held.start;
    held.start = 0;
  }
  held.room = put(held.room, held.end, bytes);
  held.end += bytes.length;
  held.at = at;
}

/** What can be judged of them by now. */
function release(state: State, held: Held): void {
  if (held.start === held.end || state.over) return;
  held.start += readClient(state, octetsOf(held), held.at);
  if (held.over !== undefined) held.start += endClient(state, octetsOf(held), held.over);
  if (held.start < held.end) return;
  held.room = NO_OCTETS;
  held.start = held.end = 0;
}

function octetsOf({ room, start, end }: Held): Uint8Array {
  return room.subarray(start, end);
}

function passClient(session: Session, bytes: Uint8Array, at: Micros): readonly Step[] {
  return [...session.feed('client', bytes, at), { kind: 'to-server', bytes }];
}

function passServer(session: Session, bytes: Uint8Array, at: Micros): readonly Step[] {
  return [...session.feed('server', bytes, at), { kind: 'to-client', bytes }];
}

/** The server has agreed to TLS, and the client did not wait for that (RFC 3207 §4.2, §6). */
function cutInjected(state: State, held: Held): void {
  const bytes = octetsOf(held);
  if (bytes.length === 0 || bytes[0] === TLS_HANDSHAKE) return;
  const enforced = isEnforced(state, 'command injection', held.at);
  state.out.push(...state.session.cutInjected(bytes, held.at));
  if (!enforced) state.out.push({ kind: 'to-server', bytes });
  held.start = held.end;
}

/**
 * The server answered within a message that has a look-alike of its end inside. What it was given had none: it is not known
 * what it takes the client's next octets for.
 */
function endUnclear(state: State): void {
  const { smuggling } = state.rules;
  if (!state.dryRun && (smuggling === 'normalize' || smuggling === 'enforce')) end(state);
}

function drain(state: State): readonly Step[] {
  const { out } = state;
  if (out.length === 0) return NOTHING;
  state.out = [];
  return out;
}

const NOTHING: readonly Step[] = [];
const TLS_HANDSHAKE = 0x16;
