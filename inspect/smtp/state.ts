// What the session machine knows at one moment, and the few ways to change it that both directions share.

import type {
  Anomaly,
  ContentEvent,
  Direction,
  Micros,
  ProxyFacts,
  ReplyCode,
  SmtpEvent,
  Span,
  TlsFacts,
} from '../events';
import { ANOMALIES_OF_A_KIND, COMMAND_LINE, REPLY_LINE } from '../limits';
import { joinQuotable, type Quotable } from '../quotable';
import type { Veil } from '../grammar/argument';
import type { Early } from './early';
import type { EndOfData } from '../grammar/end-of-data';
import { createProxyReader, type ProxyReader } from '../grammar/proxy-header';
import { createGreetingReader, judgementOf, type GreetingReader } from '../greeting/reader';
import { UNSEEN, type Verb } from '../grammar/grammar';
import { createHeld, type Held, type Piece } from './held';
import type { Behind } from './behind';
import { createFramer, type Framer, type Line } from '../grammar/lines';
import { createStep, type Said, type Step } from './step';
import { createTimeline, type PhaseFacts, type Timeline } from './timeline';
import { createTls, type Tls } from './tls';

/** One direction's stream. */
export interface Side {
  /** Offset of the next octet. */
  position: number;
  readonly framer: Framer;
  /** When its last octets were read. */
  lastAt: Micros;
  /** Where and when the octets began that are only counted. */
  opaque: { readonly start: number; readonly started: Micros } | undefined;
}

/** Something that a reply is due for, in the order in which the replies will come (RFC 2920 §3.2). */
export interface Pending {
  readonly rule: Verb;
  /** What the machine goes by. */
  readonly verb?: string;
  /** What is written down of the command. */
  readonly said?: Pick<Said, 'verb' | 'argument'>;
  readonly arrived: Micros;
  readonly content?: Content;
  /** Its 2xx is that of a message. */
  readonly last?: boolean;
  /** Octets of the blob that its reply may ask for. */
  readonly blob?: number;
  /** How many replies are still due; not known before the first of them, since those before it count the recipients. */
  due?: number;
  /** The first 2xx of a recipient. */
  accepted?: ReplyCode;
}

/** A message, chunk or blob on its way: octets so far, and when the last of them came. */
export interface Content {
  readonly how: ContentEvent['how'];
  bytes: number;
  ended: Micros | undefined;
  /** It ends the message: DATA always, BDAT with LAST. */
  readonly last: boolean;
  /** Octets of it were missed, perhaps its end. */
  holed?: boolean;
  /** It has look-alikes of its end inside. */
  behind?: Behind;
}

/** The client's first octets, as long as they may become a PROXY header. */
export interface Preface {
  readonly reader: ProxyReader;
  readonly pieces: Piece[];
}

/** What the client's next octets are. */
export type ClientMode =
  | { readonly kind: 'command' }
  /** What the octets behind this command are the next reply decides: they are held. */
  | { readonly kind: 'undecided'; readonly verb: string }
  | {
      readonly kind: 'body';
      readonly end: EndOfData;
      readonly content: Content;
      readonly begun: Begun | undefined;
      /** Behind the first look-alike of its end. */
      readonly behind: Behind | undefined;
    }
  | {
      readonly kind: 'chunk';
      /** Octets to come; of a blob whose size nobody said it is infinite. */
      readonly left: number;
      readonly content: Content;
      readonly begun: Begun | undefined;
    }
  | { readonly kind: 'secret'; readonly verb: string }
  | { readonly kind: 'tls' }
  | { readonly kind: 'opaque' };

/** Where and when a message's or chunk's octets began. */
export interface Begun {
  readonly start: number;
  readonly started: Micros;
}

/** The reply that is being read, line by line. */
export interface OpenReply {
  readonly start: number;
  readonly started: Micros;
  readonly first: ReplyCode;
  lines: number;
  readonly texts: Quotable[];
  /** Octets from its start that may be shown as they are; all lines so far were. */
  shown: number;
  open: boolean;
  mixed: boolean;
}

export interface State {
  out: SmtpEvent[];
  readonly started: Micros;
  readonly sides: Readonly<Record<Direction, Side>>;
  mode: ClientMode;
  /** The client's octets whose meaning the next reply decides. */
  held: Held;
  /** The client spoke before it was greeted; until its EHLO is answered it may have been right to. */
  early: Early | 'told' | undefined;
  /** Of the message that was answered last: what some servers were asked inside it. */
  surplus: Behind | undefined;
  /** Until it is known whether the client begins with a PROXY header. */
  preface: Preface | undefined;
  /** The header that the connection began with. */
  proxy: ProxyFacts | undefined;
  /** Refusals that may still come of a server that took the header for commands. */
  headerReplies: number;
  serverMode: 'reply' | 'tls' | 'opaque';
  pending: Pending[];
  readonly step: Step;
  readonly veil: Veil | undefined;
  openReply: OpenReply | undefined;
  /** While the greeting lasts. */
  greeting: GreetingReader | undefined;
  readonly timeline: Timeline;
  /** How often each anomaly of each side was told; healthy sessions have none. */
  told: Map<string, number> | undefined;
  tls: Tls;
  /** STARTTLS was agreed, and plain octets came: TLS may still begin with any line. */
  tlsDue: boolean;
  /** The TLS phase that is open. */
  tlsBegan: Micros | undefined;
  /** Only the client's side is there: what it does next tells what it was answered. */
  readonly serverUnheard: boolean;
  /** Octets of either side were missed: what the machine holds may be behind the truth. */
  lossy: boolean;
  /** Replies were missed: those to the first pending commands may be among them. */
  repliesLost: boolean;
  lmtp: boolean;
  recipients: number;
  hello: Quotable | undefined;
  messages: number;
  closed: boolean;
}

export interface StateOptions {
  readonly started: Micros;
  readonly implicitTls: boolean;
  readonly serverUnheard: boolean;
  readonly midStream: boolean;
  readonly veil?: Veil | undefined;
  readonly proxy: ProxyFacts | undefined;
}

export function createState(options: StateOptions): State {
  const { started, implicitTls, serverUnheard, midStream, veil, proxy } = options;
  const side = (cap: number): Side => ({
    position: 0,
    framer: createFramer(cap),
    lastAt: started,
    opaque: implicitTls ? { start: 0, started } : undefined,
  });
  const expectsGreeting = !implicitTls && !serverUnheard && !midStream;
  return {
    out: [],
    started,
    sides: { client: side(COMMAND_LINE), server: side(REPLY_LINE) },
    preface: midStream ? undefined : { reader: createProxyReader(), pieces: [] },
    proxy,
    headerReplies: 0,
    mode: { kind: implicitTls ? 'tls' : 'command' },
    held: createHeld(),
    early: undefined,
    surplus: undefined,
    tlsDue: false,
    serverMode: implicitTls ? 'tls' : 'reply',
    pending: expectsGreeting ? [greetingAt(started)] : midStream ? [{ rule: UNSEEN, arrived: started }] : [],
    step: createStep(midStream),
    veil,
    openReply: undefined,
    greeting: expectsGreeting ? createGreetingReader() : undefined,
    timeline: createTimeline(started),
    told: undefined,
    tls: createTls(),
    tlsBegan: implicitTls ? started : undefined,
    serverUnheard,
    lossy: midStream,
    repliesLost: false,
    lmtp: false,
    recipients: 0,
    hello: undefined,
    messages: 0,
    closed: false,
  };
}

/**
 * In step: which reply answers which command is known, and with it what the client's octets are. What a line seems to
 * be where the dialogue is not in step it may not be: a command may be a line of a message or a secret.
 */
export function isInStep(state: State): boolean {
  return !state.lossy && !state.serverUnheard;
}

function greetingAt(arrived: Micros): Pending {
  return { rule: { phase: 'greeting', endsGroup: true }, arrived };
}

/** Reports an oddity, a few times per kind and side. */
export function report(
  state: State,
  anomaly: Anomaly,
  direction: Direction,
  at: Micros,
  detail: Quotable,
): void {
  const key = `${anomaly} ${direction}`;
  state.told ??= new Map();
  const told = state.told.get(key) ?? 0;
  if (told >= ANOMALIES_OF_A_KIND) return;
  state.told.set(key, told + 1);
  state.out.push({ kind: 'anomaly', anomaly, direction, at, detail });
}

/** Reports an oddity once per connection and side: for what a read could tell anew each time. */
export function reportOnce(
  state: State,
  anomaly: Anomaly,
  direction: Direction,
  at: Micros,
  detail: Quotable,
): void {
  if (!state.told?.has(`${anomaly} ${direction}`)) report(state, anomaly, direction, at, detail);
}

/** A line that belongs to no dialogue: only its place is told. */
export function fragment(state: State, from: Direction, line: Pick<Line, 'span' | 'started' | 'at'>): void {
  if (line.span.end > line.span.start) state.out.push({ kind: 'fragment', from, ...stretch(line) });
}

export function stretch({ span, started, at }: { span: Span; started: Micros; at: Micros }) {
  return { span, started, at };
}

/** Lines up a reply that is due. One-sided: a client that goes on has had the replies before it. */
export function expectReply(state: State, pending: Pending): void {
  while (state.serverUnheard && state.pending.length > 0) endPending(state, pending.arrived, undefined);
  state.pending.push(pending);
}

/** Ends the first pending phase, with its reply or, where none will come, without; `open`: the rest may still come. */
export function endPending(state: State, at: Micros, reply: ReplyCode | undefined, open = false): void {
  const pending = state.pending.shift();
  if (!pending || pending.rule === UNSEEN) return;
  const { verb, said, content, arrived } = pending;
  const { phase } = pending.rule;
  if (verb === '?') state.step.unknown -= 1;
  const facts: { -readonly [K in keyof PhaseFacts]: PhaseFacts[K] } = {};
  if (said) facts.verb = said.verb;
  if (said && said.argument !== '') facts.argument = said.argument;
  if (reply) facts.reply = reply;
  if (content) facts.bytes = content.bytes;
  const greeting = phase === 'greeting' ? endGreeting(state, at, open) : undefined;
  if (greeting) facts.greeting = greeting;
  state.out.push(state.timeline.end(phase, arrived, at, facts, content?.ended));
}

/** The TLS handshake is over, or will never be. */
export function endTls(state: State, at: Micros): void {
  if (state.tlsBegan === undefined) return;
  const tls: TlsFacts = state.tls.facts();
  state.out.push(state.timeline.end('tls', state.tlsBegan, at, { tls }));
  state.tlsBegan = undefined;
}

/**
 * From here on octets are only counted, on both sides: the dialogue can no longer be followed.
 * `why` is told as an anomaly of its own name.
 */
export function stepAside(state: State, anomaly: Anomaly, from: Direction, at: Micros, why: Quotable): void {
  report(state, anomaly, from, at, why);
  for (const direction of ['client', 'server'] as const) {
    const side = state.sides[direction];
    const open = openStretch(state, direction);
    side.opaque ??= open ?? { start: side.position, started: at };
    side.framer.flush();
  }
  state.held.clear();
  state.openReply = undefined;
  while (state.pending.length > 0) endPending(state, at, undefined);
  endTls(state, at);
  state.mode = { kind: 'opaque' };
  state.serverMode = 'opaque';
}

/** Where the octets begin that are read and not yet told: an unfinished line, reply, message or decision. */
export function openStretch(state: State, from: Direction): Begun | undefined {
  const { framer, position } = state.sides[from];
  const line = framer.peek();
  if (from === 'server') return state.openReply ?? line;
  const { mode, preface, held } = state;
  const [first] = preface?.pieces ?? [];
  if (first) return { start: 0, started: first.at };
  if (held.length > 0) return { start: position - held.length, started: held.startedAt() };
  return mode.kind === 'body' || mode.kind === 'chunk' ? mode.begun : line;
}

function endGreeting(state: State, at: Micros, open: boolean): PhaseFacts['greeting'] {
  const { greeting } = state;
  state.greeting = undefined;
  if (!greeting) return undefined;
  const { class: name, defects } = judgementOf(greeting);
  // Nothing at all is no greeting to judge: the phase without a reply says it.
  if (defects.includes('empty')) return undefined;
  // A refusal may be worded as well as any greeting.
  const odd = defects.filter((defect) => defect !== 'refusal');
  if (odd.length > 0 && !open) report(state, 'greeting-malformed', 'server', at, joinQuotable(odd, ', '));
  return { class: name, defects };
}
