// What one connection says, to the inspector and to the record: session and greeter behind one door, no sockets.

import type { Close, Micros, ProxyFacts, SmtpEvent } from '../../inspect/events';
import type { Veil } from '../../inspect/grammar/argument';
import { createGreeter, type Greeter, type GreeterAction } from '../../inspect/greeting/greeter';
import { doubtOf, type Lesson } from '../../inspect/greeting/lesson';
import { createSession, type Session, type Waiting } from '../../inspect/smtp/session';
import { now, steady } from '../system/clock';
import type { Repair, TimeoutsMs } from '../config/config';
import { isRecorded, type Connection, type Sink } from '../sinks/record';
import type { Listen, Server } from '../servers/servers';
import { timeoutMs } from './deadline';
import type { Watched } from './watch';

export interface DialogueOptions {
  readonly connection: Connection;
  /** When the client was accepted, and when the server was reached. */
  readonly opened: Micros;
  readonly connected: Micros;
  readonly implicitTls: boolean;
  readonly veil: Veil | undefined;
  /** The PROXY header that was taken off. */
  readonly proxy: ProxyFacts | undefined;
  readonly repair: Repair;
  readonly patienceMs: number;
  readonly hostname: string;
  readonly timeouts: TimeoutsMs;
  readonly server: Server;
  /** What the segments of both legs tell, where they are watched. */
  readonly watched: Watched | undefined;
  readonly sink: Sink;
}

/** What a dialogue makes its connection do. */
export interface Outlet {
  toClient(bytes: Uint8Array): void;
  /** The server refused behind a greeting that the client takes for accepted: both sides are to be closed. */
  refuse(at: Micros): void;
  /** `due` may be earlier now than when it was last asked for. */
  hurry(): void;
}

export interface Dialogue {
  /** Client octets, told before they are forwarded. */
  fromClient(bytes: Uint8Array, at: Micros): void;
  /** Server octets. What the client gets of them comes by `toClient`. */
  fromServer(bytes: Uint8Array, at: Micros): void;
  /** The server will send nothing more. */
  serverEnd(at: Micros): void;
  /** The client will send nothing more. */
  clientEnd(at: Micros): void;
  /** After `serverEnd`: the client is still to be told something, at its next command. */
  holdsAnswer(): boolean;
  idle(at: Micros): void;
  /** When the connection has waited too long; of the steady clock, and to be asked for behind each event. */
  expires(): Micros;
  /** When something is to be done, `idle` or the end; as `expires`. */
  due(): Micros;
  /** Octets at the end of the client's that are kept back: see `Session.endOfDataBegun`. */
  begun(): number;
  waiting(): Waiting;
  /** A reply of our own would be read as one: plain text, and no reply of the server's is half way. */
  atReplyBoundary(): boolean;
  close(close: Close, at: Micros): void;
}

/** Octets that were only forwarded and never told would make the record lie: everything goes through here. */
export function createDialogue(options: DialogueOptions, outlet: Outlet): Dialogue {
  const state = open(options, outlet);
  const { session, greeter } = state;
  if (greeter !== undefined) options.server.listen(state.listen);
  // The connect phase is over: it is told now, not with the first octets.
  record(state, session.idle(options.connected));
  return {
    fromClient(bytes, at) {
      state.heard = at;
      if (greeter?.done === false) apply(state, greeter.client(bytes, steady()), at);
      if (!state.closed) record(state, session.feed('client', bytes, at));
    },
    fromServer(bytes, at) {
      state.heard = at;
      if (greeter?.done === false) apply(state, greeter.server(bytes, steady()), at);
      else tellServer(state, bytes, at);
    },
    serverEnd(at) {
      if (greeter?.done === false) apply(state, greeter.serverEnd(steady()), at);
    },
    clientEnd(at) {
      if (greeter?.done === false) apply(state, greeter.clientEnd(steady()), at);
    },
    holdsAnswer: () => greeter?.done === false,
    idle(at) {
      if (greeter?.done === false) apply(state, greeter.idle(steady()), at);
      if (!state.closed) record(state, session.idle(at));
    },
    expires: () => expires(state),
    due: () => Math.min(expires(state), patienceEnds(state)),
    begun: () => session.endOfDataBegun(),
    waiting: () => session.waiting(),
    atReplyBoundary: () => state.told === state.replied && !session.waiting().opaque,
    close(close, at) {
      if (state.closed) return;
      state.closed = true;
      options.server.unlisten(state.listen);
      record(state, session.close(close, at));
    },
  };
}

interface State {
  readonly options: DialogueOptions;
  readonly outlet: Outlet;
  readonly session: Session;
  readonly greeter: Greeter | undefined;
  /** Another connection learned something of this server. */
  readonly listen: Listen;
  /** When either side was last heard. */
  heard: Micros;
  /** What is waited for began at `from`, which a step of the wall clock may have moved; `at` is of the steady clock. */
  silence: { readonly from: Micros; readonly at: Micros };
  /** Server octets that the session was fed with and the client given, and the end of the last whole reply. */
  told: number;
  replied: number;
  /** Its greeting was completed: `doubted`, and the server's answers have thrown doubt on that. */
  completed: boolean;
  doubted: boolean;
  closed: boolean;
}

function open(options: DialogueOptions, outlet: Outlet): State {
  const { opened, connected, implicitTls, veil, proxy } = options;
  const greeter = implicitTls ? undefined : createGreeter(greeterOptions(options));
  const state: State = {
    options,
    outlet,
    session: createSession({ started: opened, connected, implicitTls, veil, ...(proxy && { proxy }) }),
    greeter,
    listen: (knowledge, at) => {
      if (greeter === undefined) return;
      apply(state, greeter.update(knowledge, steady()), at);
      outlet.hurry();
    },
    heard: connected,
    silence: { from: connected, at: steady() },
    told: 0,
    replied: 0,
    completed: false,
    doubted: false,
    closed: false,
  };
  return state;
}

function apply(state: State, actions: readonly GreeterAction[], at: Micros): void {
  const { options, outlet, greeter } = state;
  if (state.closed) return;
  const bytes = joined(actions);
  if (bytes.length > 0) tellServer(state, bytes, at);
  for (const action of actions) {
    if (action.kind === 'repair') {
      state.completed ||= action.event.defect === 'truncated';
      // The greeter's clock knows no steps and no time of day.
      options.sink.write(options.connection, { ...action.event, at });
    }
    if (action.kind === 'lesson') teach(state, action.lesson, at);
    if (action.kind === 'refuse') outlet.refuse(at);
  }
  if (greeter?.done !== false) options.server.unlisten(state.listen);
}

function teach({ options: { server, connection, sink } }: State, lesson: Lesson, at: Micros): void {
  const event = server.teach(lesson, connection, at);
  if (event) sink.write(connection, event);
}

function tellServer(state: State, bytes: Uint8Array, at: Micros): void {
  state.told += bytes.length;
  record(state, state.session.feed('server', bytes, at));
  state.outlet.toClient(bytes);
}

function record(state: State, events: readonly SmtpEvent[]): void {
  const { sink, connection, watched } = state.options;
  for (const event of events) {
    if (event.kind === 'reply') state.replied = event.span.end;
    else if (event.kind === 'session' && watched) sink.write(connection, { ...event, ...watched.facts() });
    else if (isRecorded(event)) sink.write(connection, event);
    const doubt = state.completed && !state.doubted && event.kind === 'phase' ? doubtOf(event) : undefined;
    if (doubt === undefined) continue;
    state.doubted = true;
    teach(state, doubt, event.at);
  }
}

/** A peer that trickles is heard, and not ended: RFC 5321 §4.5.3.2 bounds silence, not slowness. */
function expires(state: State): Micros {
  const waiting = state.session.waiting();
  const from = Math.max(waiting.since, state.heard);
  if (from !== state.silence.from) state.silence = { from, at: steady() };
  return state.silence.at + timeoutMs(waiting, state.options.timeouts) * 1000;
}

function patienceEnds({ greeter }: State): Micros {
  return (greeter?.done === false ? greeter.deadline() : undefined) ?? Infinity;
}

function greeterOptions(options: DialogueOptions): Parameters<typeof createGreeter>[0] {
  const known = options.server.knowledge;
  return {
    mode: options.repair,
    ...(known === undefined ? {} : { known }),
    patience: options.patienceMs * 1000,
    hostname: options.hostname,
    // How long the client has waited, on the greeter's clock.
    opened: steady() - (now() - options.opened),
  };
}

/** One greeting, one segment: what the greeter lets out at once is written at once. */
function joined(actions: readonly GreeterAction[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const action of actions) if (action.kind === 'forward') parts.push(action.bytes);
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? first : Buffer.concat(parts);
}
