// Which octets of a connection may be shown: only those that are known to be plain dialogue. In doubt, none.

import type { CommandEvent, Direction, ReplyEvent, Span } from '../../inspect/events';
import type { InspectorEvent } from '../../inspect/inspector';

export interface Visible {
  /** The connection's events, in their order. */
  see(event: InspectorEvent): void;
  /** How many octets of the span may be shown, from its start on. */
  shown(from: Direction, span: Span): number;
}

/**
 * A list of what is allowed, not of what is forbidden: an octet is shown where an event says that it belongs to
 * a command or a reply, and hidden where it is content, secret, TLS, unknown, or not told at all.
 *
 * `midStream`: the beginning was missed. The client's words may then be a message's lines that look like commands.
 * `serverFromStart`: asked at each event, whether the server's first octets are its first (its SYN was seen).
 */
export function createVisible(options: {
  readonly midStream: boolean;
  readonly serverFromStart: () => boolean;
}): Visible {
  const { midStream, serverFromStart } = options;
  const state: State = {
    spans: { client: [], server: [] },
    doubt: midStream,
    serverFromStart,
    authOpen: false,
    authSeen: false,
    unknown: undefined,
  };
  return {
    see: (event) => see(state, event),
    shown: (from, span) => shown(state.spans[from], span),
  };
}

interface State {
  readonly spans: Record<Direction, Span[]>;
  /** From here on what looks like a command may be anything: content or a secret behind a gap, for example. */
  doubt: boolean;
  readonly serverFromStart: () => boolean;
  /** Behind an AUTH command and before the reply that ends its exchange. */
  authOpen: boolean;
  authSeen: boolean;
  /** The last command that has no known verb: a remark behind it may say that it is masked. */
  unknown: CommandEvent | undefined;
}

function see(state: State, event: InspectorEvent): void {
  switch (event.kind) {
    case 'command':
      return seeCommand(state, event);
    case 'reply':
      return seeReply(state, event);
    case 'gap':
    case 'opaque':
      state.doubt = true;
      return;
    case 'fragment':
      if (event.from === 'server' && isGreeting(state)) allow(state, 'server', event.span);
      return;
    case 'anomaly':
      if (event.direction !== 'client') return;
      // What was sent before its meaning was settled is read as commands where the server declined.
      if (event.anomaly === 'improper-pipelining' || event.anomaly === 'starttls-injection')
        state.doubt = true;
      if (event.anomaly === 'masked') seeMask(state, event.detail);
      return;
    default:
  }
}

/** A greeting that never ends becomes a fragment. Words from the middle, or behind AUTH, may repeat a secret. */
function isGreeting({ doubt, authSeen, serverFromStart }: State): boolean {
  return !doubt && !authSeen && serverFromStart();
}

function seeCommand(state: State, event: CommandEvent): void {
  const { verb, span } = event;
  const unsure = state.doubt || state.authOpen;
  state.unknown = verb === '?' ? event : undefined;
  if (!unsure) {
    const length = verb === '?' ? 0 : isPlain(event) ? span.end - span.start : verb.length;
    allow(state, 'client', { start: span.start, end: Math.min(span.end, span.start + length) });
  }
  if (verb === 'AUTH') state.authOpen = state.authSeen = true;
  // What follows an unknown command, or a chunk of unknown size, may be its content.
  if (verb === '?' || (verb === 'BDAT' && !CHUNK.test(event.argument))) state.doubt = true;
}

/** A command that can hold nothing private beyond names and addresses of the envelope. */
function isPlain({ verb, argument, terminator }: CommandEvent): boolean {
  return terminator !== 'none' && (PLAIN[verb]?.test(argument) ?? false);
}

/** A mask is nobody's word; what it left of the line may be. */
function seeMask({ spans, unknown }: State, detail: string): void {
  const mask = /^X{4,}/.exec(detail)?.[0] ?? '';
  if (!unknown || mask === '') return;
  const { start, end } = unknown.span;
  add(spans.client, { start, end: Math.min(end, start + mask.length) });
}

function seeReply(state: State, event: ReplyEvent): void {
  const { span, answers, code } = event;
  const ofAuth = answers === 'auth' || code === AUTH_CONTINUE;
  const codeOnly = state.doubt || state.authOpen || ofAuth || answers === undefined || answers === 'other';
  allow(state, 'server', codeOnly ? { start: span.start, end: Math.min(span.end, span.start + CODE) } : span);
  if (answers === 'auth' && code !== AUTH_CONTINUE) state.authOpen = false;
}

function allow({ spans }: State, from: Direction, span: Span): void {
  if (spans[from].length < SPANS) add(spans[from], span);
}

/** Events come in the order of the stream; spans that touch become one. */
function add(spans: Span[], span: Span): void {
  const last = spans[spans.length - 1];
  if (last && last.end === span.start) spans[spans.length - 1] = { start: last.start, end: span.end };
  else if (span.end > span.start) spans.push(span);
}

function shown(spans: readonly Span[], { start, end }: Span): number {
  const within = spans.find((span) => span.start <= start && start < span.end);
  return within ? Math.min(end, within.end) - start : 0;
}

const CHUNK = /^[0-9]{1,15}( LAST)?$/i;
const NOTHING = /^$/;
const PLAIN: Readonly<Record<string, RegExp>> = {
  EHLO: /^[^ ]{1,255}$/,
  HELO: /^[^ ]{1,255}$/,
  LHLO: /^[^ ]{1,255}$/,
  // Of the parameters only such as say nothing of a person (AUTH= does, RFC 4954 §5).
  MAIL: /^FROM: ?<[^<> ]{0,256}>(?: (?:SIZE=\d+|BODY=[A-Z0-9]+|SMTPUTF8|REQUIRETLS))*$/i,
  RCPT: /^TO: ?<[^<> ]{0,256}>$/i,
  BDAT: CHUNK,
  DATA: NOTHING,
  STARTTLS: NOTHING,
  RSET: NOTHING,
  QUIT: NOTHING,
  NOOP: NOTHING,
};
const AUTH_CONTINUE = 334;
/** `334 `: three digits and what separates them. */
const CODE = 4;
/** Spans per side: a dialogue has as many pieces as it has interruptions by content, and few are needed. */
const SPANS = 1_024;
