// What the client sees of a server's greeting, and when: events in, actions out, time is a value.

import type { Micros, RepairEvent } from '../events';
import { quoteKnownWords, quoteServer } from '../grammar/quote';
import { GREETING_JUNK_MICROS, LINE_PAUSE_MICROS } from '../limits';
import { joinOctets } from '../octets';
import { findHonest, findTruncated, findWhole, inSeconds, waitFor, type GreetingKnowledge } from './known';
import { createLateLines, type LateLines, type LateOptions, type LateStep } from './late-lines';
import { isForeignClient } from './foreign';
import type { Lesson } from './lesson';
import { canBeLast, codeAt, readLine, startsReply } from './lines';
import { createHeaderSkip } from '../grammar/proxy-header';
import { octetsOf, type GreetingReader } from './reader';
import { createGreetingRepair, type Change, type GreetingRepair, type RepairStep } from './repair';

/** `learn`: complete after patience, or at once where it is known to be needed. `now`: always at once. */
export type RepairMode = 'learn' | 'now' | 'never';

export interface GreeterOptions {
  readonly mode: RepairMode;
  /** What earlier connections learned of this server. */
  readonly known?: GreetingKnowledge;
  /**
   * How long a begun greeting may be silent, counted from its last octet: an unknown server's is completed
   * then. postscreen waits 6 s between its lines; 15 to 20 s have been seen.
   */
  readonly patience: Micros;
  /** Used as the server's name where its greeting has none. */
  readonly hostname: string;
  /** When the client's connection began. */
  readonly opened: Micros;
}

/** What the path has to do. */
export type GreeterAction =
  /** To the client. All of one step's are one write: a greeting is one segment. */
  | { readonly kind: 'forward'; readonly bytes: Uint8Array }
  | { readonly kind: 'repair'; readonly event: RepairEvent }
  /** What this connection shows of its server; at most one of a kind. */
  | { readonly kind: 'lesson'; readonly lesson: Lesson }
  /** After what was forwarded: end the connection. */
  | { readonly kind: 'refuse' };

/**
 * Decides over the server's octets until `done`; from then on they pass without asking. Every octet that is to
 * reach the client comes back as a `forward`. The client's own octets are the path's: it reports them first
 * (`client`) and then forwards them, unless that step said `refuse`.
 */
export interface Greeter {
  server(bytes: Uint8Array, at: Micros): GreeterAction[];
  /**
   * The server will send no more. While this leaves the greeter not `done`, it holds an answer for the client's
   * next command: the client's side has to stay open for it (or until it times out).
   */
  serverEnd(at: Micros): GreeterAction[];
  client(bytes: Uint8Array, at: Micros): GreeterAction[];
  /**
   * The client will send no more: it left, or can speak no SMTP any more. Nothing is completed for it, and what
   * follows teaches nothing.
   */
  clientEnd(at: Micros): GreeterAction[];
  /** Time passed; nothing happens before `deadline()`. */
  idle(at: Micros): GreeterAction[];
  /** Another connection learned something of this server. */
  update(knowledge: GreetingKnowledge, at: Micros): GreeterAction[];
  deadline(): Micros | undefined;
  isDone(): boolean;
}

export function createGreeter(options: GreeterOptions): Greeter {
  const repair = createGreetingRepair(options.hostname);
  const state: State = {
    options,
    repair,
    reader: repair.reader,
    known: options.known,
    lateLines: undefined,
    first: undefined,
    last: options.opened,
    pause: 0,
    skipHeader: createHeaderSkip(),
    spoke: false,
    asked: false,
    stalled: false,
    completed: false,
    refused: false,
    done: false,
  };
  return {
    server: (bytes, at) => oneWrite(server(state, bytes, at)),
    serverEnd: (at) => oneWrite(serverEnd(state, at)),
    client: (bytes, at) => oneWrite(client(state, bytes, at)),
    clientEnd: () => (state.done || state.lateLines ? [] : stepAside(state)),
    idle: (at) => oneWrite(idle(state, at)),
    update(knowledge, at) {
      state.known = knowledge;
      return state.done || state.lateLines || !isDue(state) ? [] : oneWrite(complete(state, at));
    },
    deadline: () => deadline(state),
    isDone: () => state.done,
  };
}

interface State {
  readonly options: GreeterOptions;
  readonly repair: GreetingRepair;
  readonly reader: GreetingReader;
  known: GreetingKnowledge | undefined;
  /** Once the greeting's end was ours to say. */
  lateLines: LateLines | undefined;
  /** When the greeting's first and last octets were read. */
  first: Micros | undefined;
  last: Micros;
  /** The longest silence behind a whole line. */
  pause: Micros;
  /** Of the client's octets those behind a PROXY header, which is nothing that it says. */
  readonly skipHeader: (bytes: Uint8Array) => Uint8Array;
  /** The client sent something; `asked`: a whole line. */
  spoke: boolean;
  asked: boolean;
  /** The patience has ended, and that was reported: once is enough. */
  stalled: boolean;
  /** We ended the greeting in the server's place. */
  completed: boolean;
  refused: boolean;
  done: boolean;
}

function server(state: State, bytes: Uint8Array, at: Micros): GreeterAction[] {
  if (state.refused || bytes.length === 0) return [];
  if (state.done) return forward(bytes);
  if (state.lateLines) return afterEnd(state, state.lateLines.server(bytes, at), at);
  state.first ??= at;
  if (isAnswer(state, bytes)) return endBeforeAnswer(state, bytes, at);
  if (state.reader.facts.lines > 0) state.pause = Math.max(state.pause, at - state.last);
  state.last = at;
  const step = state.repair.take(bytes);
  if (state.options.mode === 'never') return passAll(state, step, bytes);
  const actions = [
    ...forward(step.octets),
    ...repairsOf(step.changes, { since: heldSince(state), at, spoke: state.spoke }),
  ];
  if (step.state === 'complete') return [...actions, ...nativeEnd(state, step, at)];
  if (step.state === 'foreign' || isForeign(state)) {
    return [...actions, ...stepAside(state)];
  }
  return isDue(state) ? [...actions, ...complete(state, at)] : actions;
}

function serverEnd(state: State, at: Micros): GreeterAction[] {
  if (state.done) return [];
  if (state.lateLines) {
    const step = state.lateLines.expire();
    const actions = afterEnd(state, step, at);
    state.done = step.outcome !== 'held' && step.outcome !== 'waiting';
    return actions;
  }
  // A server that closed may have died or been stopped: that teaches nothing about its next greeting.
  const actions = state.options.mode === 'never' || state.first === undefined ? [] : end(state, at);
  state.done = true;
  return actions;
}

function client(state: State, bytes: Uint8Array, at: Micros): GreeterAction[] {
  if (state.done) return [];
  const said = state.skipHeader(bytes);
  if (said.length === 0) return [];
  if (!state.spoke && !state.lateLines && isForeignClient(said)) return stepAside(state);
  state.spoke = true;
  state.asked ||= said.includes(LF);
  return state.lateLines ? afterEnd(state, state.lateLines.client(said), at) : [];
}

function idle(state: State, at: Micros): GreeterAction[] {
  const due = deadline(state);
  if (due === undefined || at < due) return [];
  if (state.lateLines) return afterEnd(state, state.lateLines.expire(), at);
  const { mode } = state.options;
  if (mode === 'now' || (mode === 'learn' && state.repair.isCodeless())) return complete(state, at);
  const lesson = stalledLesson(state, at);
  state.stalled = true;
  const completed = mode === 'learn' ? complete(state, at) : [];
  return [...completed, ...lesson];
}

/**
 * The greeting's last octet plus the wait. Where it is known or ordered that nothing more will come, only what
 * may be the rest of a line in flight is waited for: a read may end anywhere.
 */
function deadline(state: State): Micros | undefined {
  const { options, repair, reader, known } = state;
  if (state.done || state.first === undefined) return undefined;
  if (state.lateLines) return state.lateLines.deadline();
  if (options.mode === 'never')
    return state.stalled ? undefined : state.last + waitFor(known, options.patience);
  const hasCome =
    known?.greeting === 'truncated' && reader.partial.length > 0 && reader.facts.lines >= known.lines;
  const wait = waitFor(known, options.patience);
  if (options.mode === 'now' || hasCome) return state.last + Math.min(LINE_PAUSE_MICROS, wait);
  return state.last + (repair.isCodeless() ? Math.min(GREETING_JUNK_MICROS, wait) : wait);
}

/** A greeting that ends in a continuation line is to be completed without waiting. */
function isDue({ options, reader, known }: State): boolean {
  if (options.mode === 'never' || reader.facts.lines === 0 || reader.partial.length > 0) return false;
  if (options.mode === 'now') return true;
  return known?.greeting === 'truncated' && known.lines > 0 && reader.facts.lines >= known.lines;
}

/** Ends the greeting in the server's place and watches what it says next. */
function complete(state: State, at: Micros): GreeterAction[] {
  const { partial } = state.reader;
  const line = partial.length > 0 ? readLine(octetsOf(partial)) : undefined;
  const open = line && (canBeLast(line) ? 'last' : 'line');
  const actions = end(state, at);
  if (state.done) return actions;
  state.completed = true;
  watchLateLines(state, open);
  return actions;
}

function end(state: State, at: Micros): GreeterAction[] {
  const step = state.repair.finish();
  if (step.state === 'foreign') state.done = true;
  return [
    ...forward(step.octets),
    ...repairsOf(step.changes, { since: heldSince(state), at, spoke: state.spoke }),
  ];
}

function watchLateLines(state: State, open: LateOptions['open']): void {
  const code = state.reader.facts.code ?? 220;
  // Behind a greeting of 250 a late line could not be distinguished from an answer.
  if (code !== 220 && code < 400) state.done = true;
  else state.lateLines = createLateLines({ code, pending: state.asked, ...(open && { open }) });
}

/** The server ended its greeting itself, or so we read it. */
function nativeEnd(state: State, step: RepairStep, at: Micros): GreeterAction[] {
  const lesson = endedLesson(state);
  if (state.reader.end === 'stated') {
    state.done = true;
    return [...forward(step.rest), ...lesson];
  }
  watchLateLines(state, undefined);
  const rest = step.rest.length > 0 ? server(state, step.rest, at) : [];
  return [...rest, ...lesson];
}

/** The client spoke first, and what the server answers has no code. */
function isForeign({ spoke, repair }: State): boolean {
  return spoke && repair.isCodeless();
}

/** No SMTP greeting, or no client to greet: what is held passes as it came. */
function stepAside(state: State): GreeterAction[] {
  state.done = true;
  // In mode `never` the client has it all.
  return state.options.mode === 'never' ? [] : forward(state.repair.release());
}

/** Mode `never`: everything passes, and is understood all the same. */
function passAll(state: State, step: RepairStep, bytes: Uint8Array): GreeterAction[] {
  const lesson = step.state === 'complete' ? endedLesson(state) : [];
  state.done = step.state !== 'open';
  return [...forward(bytes), ...lesson];
}

/** The client has spoken early, and the server answers it: it will not end its greeting any more. */
function isAnswer({ spoke, repair, reader }: State, bytes: Uint8Array): boolean {
  // A line whose beginning the client has was begun before it spoke.
  if (!spoke || reader.facts.lines === 0 || repair.hasBegun()) return false;
  const next = joinOctets([octetsOf(reader.partial).subarray(0, 4), bytes.subarray(0, 4)]);
  const code = codeAt(next, 0);
  return startsReply(next, 0) && code < 400 && code !== reader.facts.code;
}

function endBeforeAnswer(state: State, bytes: Uint8Array, at: Micros): GreeterAction[] {
  const answer = joinOctets([state.repair.release(), bytes]);
  state.done = true;
  if (state.options.mode === 'never') return forward(bytes);
  return [...end(state, at), ...forward(answer)];
}

/** What the server said after we had ended its greeting. */
function afterEnd(state: State, step: LateStep, at: Micros): GreeterAction[] {
  if (step.outcome === 'waiting') return forward(step.octets);
  const actions = [...forward(step.octets), ...lateLesson(state, step, at)];
  if (step.outcome === 'held') return actions;
  state.done = true;
  state.refused = step.outcome === 'refused';
  return state.refused ? [...actions, { kind: 'refuse' }] : actions;
}

/**
 * Before the client has spoken, a line with the greeting's own code is the server's last line. Once it has spoken, the
 * same line may answer it (RFC 3207 §4): then it is a doubt.
 */
function lateLesson(
  { completed, reader, spoke, last }: State,
  { outcome }: LateStep,
  at: Micros,
): GreeterAction[] {
  if (outcome !== 'greeted' || !completed || (reader.facts.code ?? 220) >= 400) return [];
  const delay = at - last;
  if (!spoke) return [{ kind: 'lesson', lesson: { kind: 'ended', finding: findHonest(delay) } }];
  const because = `a line like its last one came ${inSeconds(delay)} after its greeting's last octet`;
  return [{ kind: 'lesson', lesson: { kind: 'doubt', because, delay } }];
}

/** The server ended its greeting by itself. What a client provoked is only a doubt about what is known. */
function endedLesson({ repair, pause, spoke }: State): GreeterAction[] {
  const finding = findWhole(repair, pause);
  if (finding === undefined) return [];
  const because = 'its greeting ended on a connection whose client had spoken before';
  return [
    { kind: 'lesson', lesson: spoke ? { kind: 'doubt', because, delay: pause } : { kind: 'ended', finding } },
  ];
}

/** Silence counts only where the client has not spoken: a server that got octets may wait for more of them. */
function stalledLesson({ options, known, repair, spoke, last }: State, at: Micros): GreeterAction[] {
  if (spoke || at - last < waitFor(known, options.patience)) return [];
  const because = `no last line came within ${inSeconds(at - last)} of its greeting's last octet`;
  const finding = findTruncated(repair, because);
  return finding === undefined ? [] : [{ kind: 'lesson', lesson: { kind: 'stalled', finding } }];
}

function heldSince({ first, options }: State): Micros {
  return first ?? options.opened;
}

/** The repairs of one step; `since`: from when on the client waited; `spoke`: the server may repeat its words. */
function repairsOf(
  changes: readonly Change[],
  { since, at, spoke }: { readonly since: Micros; readonly at: Micros; readonly spoke: boolean },
): GreeterAction[] {
  const quote = spoke ? quoteKnownWords : quoteServer;
  return changes.map(({ defect, before, after }) => {
    const texts = { before: quote(before), after: quote(after) };
    return { kind: 'repair', event: { kind: 'repair', at, defect, ...texts, held: at - since } };
  });
}

function forward(bytes: Uint8Array): GreeterAction[] {
  return bytes.length > 0 ? [{ kind: 'forward', bytes }] : [];
}

/** What a step lets through is one write, whatever it was put together from. */
function oneWrite(actions: readonly GreeterAction[]): GreeterAction[] {
  const parts = actions.flatMap((action) => (action.kind === 'forward' ? [action.bytes] : []));
  const others = actions.filter((action) => action.kind !== 'forward');
  return [...forward(joinOctets(parts)), ...others];
}

const LF = 0x0a;
