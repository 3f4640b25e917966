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
import type { Redaction } from '../grammar/argument';
import type { EndOfData } from '../grammar/end-of-data';
import { createProxyReader, type ProxyReader } from '../grammar/proxy-header';
import { createGreetingReader, judgementOf, type GreetingReader } from '../greeting/reader';
import { UNSEEN, type Verb } from '../grammar/grammar';
import { createOctetQueue, type OctetQueue, type Piece } from './octet-queue';
import type { AfterLookalike } from './lookalikes';
import { createFramer, type Framer, type Line } from '../grammar/lines';
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

/**
 * What may be quoted from here on.
 * `refused`: the server declined what the client may send all the same (a message, credentials). In sync again
 * with the next command that succeeds while no other one is pending.
 * `lost`: octets were missed. In sync again where only one reading is left: EHLO's reply, or 354 to DATA.
 */
export interface Quoting {
  out: 'no' | 'refused' | 'lost';
  /** Commands under way whose verb is not known: what follows them may be anything. */
  unknown: number;
  /** The client has said something that may not be quoted: from now on a reply may repeat it. */
  guarded: boolean;
}

function createQuoting(midStream: boolean): Quoting {
  return { out: midStream ? 'lost' : 'no', unknown: 0, guarded: midStream };
}

/** What is written down of a command line. */
export interface Said {
  readonly verb: string;
  readonly argument: Quotable;
  /** Octets from the line's start that may be shown as they are. */
  readonly shown: number;
}

/**
 * Whether it may is known from the reply to its EHLO: Exim offers pipelined connects there, for the connections after
 * this one, and a client that uses them begins with EHLO. What it sends may arrive before the greeting or behind it.
 */
export interface Early {
  /** Absent: it has waited for the greeting. */
  readonly at?: Micros;
  /** What would be said of a client that may not. */
  readonly remarks: { readonly at: Micros; readonly detail: Quotable }[];
  agreed: boolean;
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

/** A message, chunk or blob that is being sent: octets so far, and when the last of them came. */
export interface Content {
  readonly how: ContentEvent['how'];
  bytes: number;
  ended: Micros | undefined;
  /** It ends the message: DATA always, BDAT with LAST. */
  readonly last: boolean;
  /** Octets of it were missed, perhaps its end. */
  holed?: boolean;
  /** It has look-alikes of its end inside. */
  afterLookalike?: AfterLookalike;
}

/** The client's first octets, as long as they may become a PROXY header. */
export interface LeadingHeader {
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
      readonly afterLookalike: AfterLookalike | undefined;
    }
  | {
      readonly kind: 'chunk';
      /** Octets to come; infinite where a blob has no stated size. */
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
  undecided: OctetQueue;
  /** The client spoke before it was greeted; until its EHLO is answered it may have been right to. */
  early: Early | 'reported' | undefined;
  /** Of the message that was answered last: what some servers were asked inside it. */
  surplus: AfterLookalike | undefined;
  /** Until it is known whether the client begins with a PROXY header. */
  header: LeadingHeader | undefined;
  /** The header that the connection began with. */
  proxy: ProxyFacts | undefined;
  /** Refusals that may still come of a server that took the header for commands. */
  headerReplies: number;
  serverMode: 'reply' | 'tls' | 'opaque';
  pending: Pending[];
  readonly quoting: Quoting;
  readonly redact: Redaction | undefined;
  openReply: OpenReply | undefined;
  /** While the greeting lasts. */
  greeting: GreetingReader | undefined;
  readonly timeline: Timeline;
  /** How often each anomaly of each side was reported; healthy sessions have none. */
  reported: Map<string, number> | undefined;
  tls: Tls;
  /** STARTTLS was agreed, and plain octets came: TLS may still begin with any line. */
  tlsDue: boolean;
  /** The TLS phase that is open. */
  tlsBegan: Micros | undefined;
  /** Only the client's side is there: what it does next shows which reply it got. */
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

interface StateOptions {
  readonly started: Micros;
  readonly implicitTls: boolean;
  readonly serverUnheard: boolean;
  readonly midStream: boolean;
  readonly redact?: Redaction | undefined;
  readonly proxy: ProxyFacts | undefined;
}

export function createState(options: StateOptions): State {
  const { started, implicitTls, serverUnheard, midStream, redact, proxy } = options;
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
    header: midStream ? undefined : { reader: createProxyReader(), pieces: [] },
    proxy,
    headerReplies: 0,
    mode: { kind: implicitTls ? 'tls' : 'command' },
    undecided: createOctetQueue(),
    early: undefined,
    surplus: undefined,
    tlsDue: false,
    serverMode: implicitTls ? 'tls' : 'reply',
    pending: expectsGreeting ? [greetingAt(started)] : midStream ? [{ rule: UNSEEN, arrived: started }] : [],
    quoting: createQuoting(midStream),
    redact,
    openReply: undefined,
    greeting: expectsGreeting ? createGreetingReader() : undefined,
    timeline: createTimeline(started),
    reported: undefined,
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
 * In sync: which reply answers which command is known, and with it what the client's octets are. Out of sync a line may
 * not be what it looks like: a command may be a line of a message or a secret.
 */
export function isInSync(state: State): boolean {
  return !state.lossy && !state.serverUnheard;
}

function greetingAt(arrived: Micros): Pending {
  return { rule: { phase: 'greeting', endsGroup: true }, arrived };
}

/** Reports an anomaly, a few times per kind and side. */
export function report(
  state: State,
  anomaly: Anomaly,
  direction: Direction,
  at: Micros,
  detail: Quotable,
): void {
  const key = `${anomaly} ${direction}`;
  state.reported ??= new Map();
  const times = state.reported.get(key) ?? 0;
  if (times >= ANOMALIES_OF_A_KIND) return;
  state.reported.set(key, times + 1);
  state.out.push({ kind: 'anomaly', anomaly, direction, at, detail });
}

/** Reports an anomaly once per connection and side: for what every read would report again. */
export function reportOnce(
  state: State,
  anomaly: Anomaly,
  direction: Direction,
  at: Micros,
  detail: Quotable,
): void {
  if (!state.reported?.has(`${anomaly} ${direction}`)) report(state, anomaly, direction, at, detail);
}

/** A line that belongs to no dialogue: only its place is reported. */
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
  if (verb === '?') state.quoting.unknown -= 1;
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
 * `why` is reported as an anomaly of its own name.
 */
export function stepAside(state: State, anomaly: Anomaly, from: Direction, at: Micros, why: Quotable): void {
  report(state, anomaly, from, at, why);
  for (const direction of ['client', 'server'] as const) {
    const side = state.sides[direction];
    const open = openStretch(state, direction);
    side.opaque ??= open ?? { start: side.position, started: at };
    side.framer.flush();
  }
  state.undecided.clear();
  state.openReply = undefined;
  while (state.pending.length > 0) endPending(state, at, undefined);
  endTls(state, at);
  state.mode = { kind: 'opaque' };
  state.serverMode = 'opaque';
}

/** Where the octets begin that are read and not yet reported: a line, reply or message without its end, or undecided. */
export function openStretch(state: State, from: Direction): Begun | undefined {
  const { framer, position } = state.sides[from];
  const line = framer.peek();
  if (from === 'server') return state.openReply ?? line;
  const { mode, header, undecided } = state;
  const [first] = header?.pieces ?? [];
  if (first) return { start: 0, started: first.at };
  if (undecided.length() > 0) return { start: position - undecided.length(), started: undecided.startedAt() };
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

/** Octets that no event has reported yet: what was only counted, or a line, reply or message without its end. */
export function reportRest(state: State, from: Direction): void {
  const { position, opaque, lastAt } = state.sides[from];
  const open = opaque ?? openStretch(state, from);
  if (!open || open.start === position) return;
  const span = { start: open.start, end: position };
  state.out.push({ kind: opaque ? 'opaque' : 'fragment', from, span, started: open.started, at: lastAt });
}
