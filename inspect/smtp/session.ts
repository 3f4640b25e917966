// The session machine: both directions' octets and times in, events out. No socket, no clock, no configuration.

import type { Close, Direction, Micros, Phase, ProxyFacts, SmtpEvent } from '../events';
import { SILENCE } from '../limits';
import { say } from '../quotable';
import type { Redaction } from '../grammar/argument';
import { readClient, remarkUndecided } from './client';
import { elide } from './elide';
import { beginsSsl2, beginsTls } from '../greeting/foreign';
import { skip } from './gap';
import { readServer } from './server';
import { cutInjected, readUnit } from './unit';
import { beginImplicitTls } from './tls-stream';
import {
  type ClientMode,
  createState,
  endPending,
  endTls,
  reportOnce,
  type State,
  stepAside,
  reportRest,
} from './state';
import { reportEarly } from './early-talker';

export interface SessionOptions {
  /** When the client's connection began. */
  readonly started: Micros;
  /** The connection to the server was made by then: ends the `connect` phase. Absent: it was not observed. */
  readonly connected?: Micros;
  /** TLS from the first octet on (port 465, RFC 8314 §3.3). */
  readonly implicitTls?: boolean;
  /** A one-sided view (a capture): the server is never seen, and a client that goes on had its consent. */
  readonly serverUnheard?: boolean;
  /** The beginning was missed: no greeting is expected, and replies that match nothing are no surprise. */
  readonly midStream?: boolean;
  /** How envelope addresses are written down; absent: as they are. */
  readonly redact?: Redaction | undefined;
  /** A PROXY header that was taken off before. */
  readonly proxy?: ProxyFacts;
}

/** Which side the dialogue waits for, and in which phase: a path chooses its timeout by it (RFC 5321 §4.5.3.2). */
export interface Waiting {
  readonly on: Direction;
  readonly phase: Phase;
  readonly since: Micros;
  /** Octets are only counted: TLS, or behind a cap. */
  readonly opaque: boolean;
}

export interface Session {
  /** Octets as one side sent them, in the order in which they were read. Never throws on content. */
  feed(from: Direction, bytes: Uint8Array, at: Micros): SmtpEvent[];
  /**
   * As `feed`, but only the first line of them, or what there is of a message, a chunk or TLS: `taken` octets. What the octets
   * behind are is then known (`expects`). 0 octets are taken only where that changed.
   */
  feedUnit(
    from: Direction,
    bytes: Uint8Array,
    at: Micros,
  ): { readonly events: SmtpEvent[]; readonly taken: number };
  /** Client octets behind a command that wait for its reply (`undecided`) came, and are not fed before it is there. */
  held(at: Micros): SmtpEvent[];
  /** Plain client octets behind STARTTLS, which go no further. */
  cutInjected(bytes: Uint8Array, at: Micros): SmtpEvent[];
  /** What the client's next octets are. */
  expects(): ClientMode['kind'];
  /** Commands without their reply; the greeting counts as one. */
  pending(): number;
  /** `length` octets of this side will never be seen; 0 where the number is unknown. */
  gap(from: Direction, length: number, at: Micros): SmtpEvent[];
  /** `length` octets of this side are message or TLS, and were left out on purpose: nothing is missing. */
  elide(from: Direction, length: number, at: Micros): SmtpEvent[];
  /** Time passed and nothing came. */
  idle(at: Micros): SmtpEvent[];
  /** The connection is over: the open phase, `close` and `session` come out, and nothing after them. */
  close(close: Close, at: Micros): SmtpEvent[];
  waiting(): Waiting;
  /**
   * How many octets at the end of what the client sent are a beginning of CRLF . CRLF inside a message:
   * a path that keeps them for the next write does not split the end of data (0 to 4).
   */
  endOfDataBegun(): number;
}

/** A session at its very beginning, at the greeting (RFC 5321 §3.1). */
export function createSession(options: SessionOptions): Session {
  const { started, connected, implicitTls = false, serverUnheard = false, midStream = false } = options;
  const { redact, proxy } = options;
  const state = createState({ started, implicitTls, serverUnheard, midStream, redact, proxy });
  if (connected !== undefined) {
    state.out.push(state.timeline.end('connect', started, connected, {}));
    state.sides.client.lastAt = state.sides.server.lastAt = connected;
  }
  return {
    feed(from, bytes, at) {
      if (state.closed || bytes.length === 0) return drain(state);
      noticeTls(state, from, bytes, at);
      if (from === 'client') readClient(state, bytes, at);
      else readServer(state, bytes, at);
      state.sides[from].lastAt = at;
      return drain(state);
    },
    feedUnit(from, bytes, at) {
      const fed = !state.closed && bytes.length > 0;
      if (fed) noticeTls(state, from, bytes, at);
      const taken = fed ? readUnit(state, from, bytes, at) : bytes.length;
      return { events: drain(state), taken };
    },
    held(at) {
      if (!state.closed) remarkUndecided(state, at);
      return drain(state);
    },
    cutInjected(bytes, at) {
      if (!state.closed) cutInjected(state, bytes, at);
      return drain(state);
    },
    expects: () => state.mode.kind,
    pending: () => state.pending.length,
    gap(from, length, at) {
      if (!state.closed) skip(state, from, length, at);
      return drain(state);
    },
    elide(from, length, at) {
      if (!state.closed && length > 0) elide(state, from, length, at);
      return drain(state);
    },
    idle(at) {
      if (!state.closed) remarkSilence(state, at);
      return drain(state);
    },
    close(close, at) {
      if (!state.closed) endSession(state, close, at);
      return drain(state);
    },
    waiting: () => waitingOf(state),
    endOfDataBegun: () => (state.mode.kind === 'body' ? state.mode.end.begun() : 0),
  };
}

/** TLS from the first octet on, at whatever port (RFC 8314 §3.3): its beginning says so. */
function noticeTls(state: State, from: Direction, bytes: Uint8Array, at: Micros): void {
  const { sides, mode, serverMode, lossy } = state;
  const first = sides[from].position === 0 && !sides[from].opaque && !lossy;
  if (!first || !beginsTls(bytes) || mode.kind !== 'command' || serverMode !== 'reply') return;
  const silent = sides.client.position === 0 && sides.server.position === 0;
  if (silent && !beginsSsl2(bytes)) beginImplicitTls(state);
  else if (silent || from === 'server') {
    stepAside(state, 'opaque', from, at, say`the ${from} speaks TLS from its first octet on`);
  }
}

function drain(state: State): SmtpEvent[] {
  const { out } = state;
  state.out = [];
  return out;
}

function waitingOf(state: State): Waiting {
  const { client, server } = state.sides;
  const since = Math.max(client.lastAt, server.lastAt);
  const [head] = state.pending;
  if (state.mode.kind === 'opaque') return { on: 'client', phase: 'other', since, opaque: true };
  if (state.mode.kind === 'tls') return { on: 'client', phase: 'tls', since, opaque: true };
  if (!head) return { on: 'client', phase: 'other', since, opaque: false };
  const sending = head.content !== undefined && head.content.ended === undefined;
  const on = sending || ASKED.has(state.mode.kind) ? 'client' : 'server';
  return { on, phase: head.rule.phase, since, opaque: false };
}

/** RFC 5321 §4.5.3.2: no side has to wait longer than this. Reported once per side. */
function remarkSilence(state: State, at: Micros): void {
  const { on, phase, since, opaque } = waitingOf(state);
  if (opaque) return;
  const limit = on === 'client' ? (phase === 'message' ? SILENCE.block : SILENCE.command) : SILENCE[phase];
  if (at - since < limit) return;
  const seconds = Math.round((at - since) / 1e6);
  reportOnce(state, 'silence', on, at, say`nothing from the ${on} for ${seconds} s in ${phase}`);
}

/** Modes in which the server has requested more, whatever is pending. */
const ASKED: ReadonlySet<State['mode']['kind']> = new Set(['secret', 'chunk']);

/** Ends what is open, then reports `close` and the session's own line. */
function endSession(state: State, close: Close, at: Micros): void {
  const { client, server } = state.sides;
  // The end was not observed: the reply to EHLO, which may allow it (PIPECONNECT), can still follow.
  if (close.how !== 'open') reportEarly(state);
  reportRest(state, 'client');
  reportRest(state, 'server');
  while (state.pending.length > 0) endPending(state, at, undefined, close.how === 'open');
  endTls(state, at);
  // The time between the last octet and the end is the close's own.
  state.out.push(state.timeline.end('close', Math.max(client.lastAt, server.lastAt), at, { close }));
  state.closed = true;
  const tls = state.tls.facts();
  state.out.push(
    state.timeline.summary(at, {
      ...(state.proxy && { proxy: state.proxy }),
      ...(state.hello !== undefined && { hello: state.hello }),
      ...((tls.version ?? tls.sni) !== undefined && { tls }),
      messages: state.messages,
      bytes: { client: client.position, server: server.position },
      close,
    }),
  );
}
