// What one connection says, to the inspector and to the record: octets and time in, commands out; no sockets.

import type { Close, Micros, ProxyFacts, SmtpEvent } from '../../inspect/events';
import type { Redaction } from '../../inspect/grammar/argument';
import { createGreeter, type Greeter, type GreeterAction } from '../../inspect/greeting/greeter';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import { doubtOf, type Lesson } from '../../inspect/greeting/lesson';
import { createFilter, type Filter } from '../../inspect/policy/filter';
import type { Rules } from '../../inspect/policy/rules';
import type { Step } from '../../inspect/policy/state';
import { createSession, type Session, type Waiting } from '../../inspect/smtp/session';
import { now, steady } from '../system/clock';
import type { Repair, TimeoutsMs } from '../config/config';
import { isRecorded, type Recorded } from '../sinks/record';
import { timeoutMs } from './deadline';
import type { CapturedCall } from './capture';

interface DialogueOptions {
  /** When the client was accepted, and when the server was reached. */
  readonly opened: Micros;
  readonly connected: Micros;
  readonly implicitTls: boolean;
  readonly redact: Redaction | undefined;
  /** The PROXY header that was taken off. */
  readonly proxy: ProxyFacts | undefined;
  readonly rules: Rules;
  readonly repair: Repair;
  readonly patienceMs: number;
  readonly hostname: string;
  readonly timeouts: TimeoutsMs;
  /** What is known of the server. */
  readonly known: GreetingKnowledge | undefined;
  /** What the segments of both legs show, where they are watched. */
  readonly watched: CapturedCall | undefined;
}

/** What the pump has to do, in this order. An event is to be written as a line. */
export type Command =
  | Recorded
  /** To the client, in one write: a greeting is one segment. */
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** To the server. */
  | { readonly kind: 'forward'; readonly bytes: Uint8Array }
  | { readonly kind: 'teach'; readonly lesson: Lesson; readonly at: Micros }
  /** The greeting is over: what others learn of the server does not change it any more. */
  | { readonly kind: 'greeted' }
  /** The server refused behind a greeting that the client takes for accepted: both sides are to be closed. */
  | { readonly kind: 'refuse' }
  /** Policy closes the connection; what it says of that has been sent. */
  | { readonly kind: 'block' }
  /** Policy ends the connection: a reply for the client, where it can read one, and what came from it goes no further. */
  | { readonly kind: 'end'; readonly close: Close; readonly code: string; readonly text: string }
  /** What the client sends next is not read for so long. */
  | { readonly kind: 'rest'; readonly micros: Micros };

type Commands = readonly Command[];

/** Events in, commands out. What the other side gets of octets is commanded. */
export interface Dialogue {
  /** What is to be done at its very beginning. */
  open(): Commands;
  fromClient(bytes: Uint8Array, at: Micros): Commands;
  fromServer(bytes: Uint8Array, at: Micros): Commands;
  /** The server will send nothing more. */
  serverEnd(at: Micros): Commands;
  /** The client will send nothing more. */
  clientEnd(at: Micros): Commands;
  /** Another connection learned something of this server; to be called until `greeted`. */
  update(knowledge: GreetingKnowledge, at: Micros): Commands;
  /** Its greeting is not over. After `serverEnd`: the client still has to get an answer, to its next command. */
  inGreeting(): boolean;
  /** Time passed. `blocked`: the server does not take what the client sends. */
  idle(at: Micros, blocked: boolean): Commands;
  /** When the connection has waited too long; of the steady clock, and to be called again after each event. */
  expires(): Micros;
  /** When something is to be done, `idle` or the end; as `expires`. */
  due(): Micros;
  /** Of the octets that were forwarded the last ones that are kept back: see `Session.endOfDataBegun`. */
  begun(): number;
  /** Client octets that wait for a reply or for the end of their line: no more are to be read than can be held. */
  held(): number;
  /** Commands that were forwarded and have no reply yet. */
  unanswered(): number;
  waiting(): Waiting;
  /** A reply by ehlowire would be read as one: plain text, and no reply of the server's has begun. */
  atReplyBoundary(): boolean;
  /** To be called once, and nothing after it. */
  close(close: Close, at: Micros): Commands;
}

/** Octets that are only forwarded and never reported would make the record wrong: everything goes through here, and through the filter. */
export function createDialogue(options: DialogueOptions): Dialogue {
  const state = createState(options);
  const { session, greeter, filter } = state;
  return {
    // The connect phase is over: it is reported now, not with the first octets.
    open: () => recorded(state, session.idle(options.connected)),
    fromClient(bytes, at) {
      state.heard = at;
      const before =
        greeter?.isDone() === false ? apply(state, greeter.client(bytes, steady()), at) : NOTHING;
      if (before.some(({ kind }) => kind === 'refuse')) return before;
      return join(before, commandsOf(state, filter.client(bytes, at)));
    },
    fromServer(bytes, at) {
      state.heard = at;
      if (greeter?.isDone() === false) return apply(state, greeter.server(bytes, steady()), at);
      return commandsOf(state, filter.server(bytes, at));
    },
    serverEnd(at) {
      const before = greeter?.isDone() === false ? apply(state, greeter.serverEnd(steady()), at) : NOTHING;
      return join(before, commandsOf(state, filter.serverEnd(at)));
    },
    clientEnd(at) {
      const before = greeter?.isDone() === false ? apply(state, greeter.clientEnd(steady()), at) : NOTHING;
      return join(before, commandsOf(state, filter.clientEnd(at)));
    },
    update: (knowledge, at) =>
      greeter?.isDone() === false ? apply(state, greeter.update(knowledge, steady()), at) : NOTHING,
    inGreeting: () => greeter?.isDone() === false,
    idle(at) {
      const before = greeter?.isDone() === false ? apply(state, greeter.idle(steady()), at) : NOTHING;
      if (before.some(({ kind }) => kind === 'refuse')) return before;
      return join(before, recorded(state, session.idle(at)));
    },
    expires: () => expires(state),
    due: () => Math.min(expires(state), patienceEnds(state)),
    begun: () => filter.begun(),
    held: () => filter.held(),
    unanswered: () => session.pending(),
    waiting: () => session.waiting(),
    atReplyBoundary: () => state.given === state.replied && !session.waiting().opaque,
    close: (close, at) => recorded(state, session.close(close, at)),
  };
}

interface State {
  readonly options: DialogueOptions;
  readonly session: Session;
  readonly greeter: Greeter | undefined;
  readonly filter: Filter;
  /** When octets of either side last came. */
  heard: Micros;
  /** What is waited for began at `from`, which a step of the wall clock may have moved; `at` is of the steady clock. */
  readonly silence: { from: Micros; at: Micros };
  /** Server octets that the session was fed with and the client given, and the end of the last whole reply. */
  given: number;
  replied: number;
  /** Its greeting was completed: `doubted`, and the server's answers have thrown doubt on that. */
  completed: boolean;
  doubted: boolean;
}

function createState(options: DialogueOptions): State {
  const { opened, connected, implicitTls, redact, proxy } = options;
  const session = createSession({ started: opened, connected, implicitTls, redact, ...(proxy && { proxy }) });
  return {
    options,
    session,
    filter: createFilter({ rules: options.rules, session }),
    greeter: implicitTls ? undefined : createGreeter(greeterOptions(options)),
    heard: connected,
    silence: { from: connected, at: steady() },
    given: 0,
    replied: 0,
    completed: false,
    doubted: false,
  };
}

/** One greeting, one segment: what the greeter lets out at once is written at once, and first of all. */
function apply(state: State, actions: readonly GreeterAction[], at: Micros): Commands {
  const commands: Command[] = [];
  for (const action of actions) {
    if (action.kind !== 'forward') continue;
    commands.push(...commandsOf(state, state.filter.server(action.bytes, at)));
  }
  for (const action of actions) {
    if (action.kind === 'repair') {
      state.completed ||= action.event.defect === 'truncated';
      // The greeter's clock knows no steps and no time of day.
      commands.push({ ...action.event, at });
    }
    if (action.kind === 'lesson') commands.push({ kind: 'teach', lesson: action.lesson, at });
    if (action.kind === 'refuse') commands.push({ kind: 'refuse' });
  }
  if (state.greeter?.isDone() !== false) commands.push({ kind: 'greeted' });
  return commands;
}

function commandsOf(state: State, steps: readonly Step[]): Commands {
  if (steps.length === 0) return NOTHING;
  const commands: Command[] = [];
  for (const step of steps) {
    switch (step.kind) {
      case 'to-server':
        commands.push({ kind: 'forward', bytes: step.bytes });
        break;
      case 'to-client':
        state.given += step.bytes.length;
        commands.push({ kind: 'send', bytes: step.bytes });
        break;
      case 'end':
        commands.push({ kind: 'block' });
        break;
      case 'blocked':
        commands.push(step);
        break;
      default:
        record(state, step, commands);
    }
  }
  return commands;
}

function recorded(state: State, events: readonly SmtpEvent[]): Commands {
  if (events.length === 0) return NOTHING;
  const commands: Command[] = [];
  for (const event of events) record(state, event, commands);
  return commands;
}

/** What is written down of an event, and what it teaches. */
function record(state: State, event: SmtpEvent, commands: Command[]): void {
  const { watched } = state.options;
  if (event.kind === 'reply') state.replied = event.span.end;
  else if (event.kind === 'session' && watched) commands.push({ ...event, ...watched.facts() });
  else if (isRecorded(event)) commands.push(event);
  const doubt = state.completed && !state.doubted && event.kind === 'phase' ? doubtOf(event) : undefined;
  if (doubt === undefined) return;
  state.doubted = true;
  commands.push({ kind: 'teach', lesson: doubt, at: event.at });
}

/** Nearly always one of the two is empty. */
function join(first: Commands, second: Commands): Commands {
  if (second.length === 0) return first;
  return first.length === 0 ? second : [...first, ...second];
}

/** A slow peer is not ended: RFC 5321 §4.5.3.2 limits silence, not slowness. */
function expires(state: State): Micros {
  const waiting = state.session.waiting();
  const from = Math.max(waiting.since, state.heard);
  const { silence } = state;
  if (from !== silence.from) {
    silence.from = from;
    silence.at = steady();
  }
  return silence.at + timeoutMs(waiting, state.options.timeouts) * 1000;
}

function patienceEnds({ greeter }: State): Micros {
  return (greeter?.isDone() === false ? greeter.deadline() : undefined) ?? Infinity;
}

function greeterOptions(options: DialogueOptions): Parameters<typeof createGreeter>[0] {
  const { known } = options;
  return {
    mode: options.repair,
    ...(known === undefined ? {} : { known }),
    patience: options.patienceMs * 1000,
    hostname: options.hostname,
    // How long the client has waited, on the greeter's clock.
    opened: steady() - (now() - options.opened),
  };
}

const NOTHING: Commands = [];
