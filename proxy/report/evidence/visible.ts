// Which octets of a connection may be shown: only those that are known to be plain dialogue. In doubt, none.

import type { CommandEvent, Direction, ReplyEvent, Span } from '../../../inspect/events';
import type { InspectorEvent } from '../../../inspect/tracker/inspector';
import { addSpan, octetsWithin } from './spans';

export interface Visible {
  /** The connection's events, in their order. */
  add(event: InspectorEvent): void;
  /** How many octets of the span may be shown, from its start on. */
  shown(from: Direction, span: Span): number;
}

/**
 * A list of what is allowed, not of what is forbidden: an octet is shown where an event says that it may be
 * (`shown`, decided where the log's quotes are), and hidden where it is content, secret, TLS, unknown, or in no event.
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
    heard: false,
    unknown: undefined,
  };
  return {
    add: (event) => add(state, event),
    shown: (from, span) => octetsWithin(state.spans[from], span),
  };
}

interface State {
  readonly spans: Record<Direction, Span[]>;
  /** From here on what looks like a command may be anything: content or a secret behind a gap, for example. */
  doubt: boolean;
  readonly serverFromStart: () => boolean;
  /** A command came: a greeting that has no end may repeat it. */
  heard: boolean;
  /** The last command that has no known verb: a remark behind it may say that it is masked. */
  unknown: CommandEvent | undefined;
}

function add(state: State, event: InspectorEvent): void {
  switch (event.kind) {
    case 'command':
      return addCommand(state, event);
    case 'reply':
      return addReply(state, event);
    case 'gap':
    case 'opaque':
      state.doubt = true;
      return;
    case 'fragment':
      if (event.from === 'server' && isGreeting(state)) allow(state, 'server', event.span);
      return;
    case 'anomaly':
      if (event.direction === 'client' && event.anomaly === 'masked') addMask(state, event.detail);
      return;
    default:
  }
}

/** A greeting that never ends becomes a fragment. Words from the middle, or behind a command, may repeat a secret. */
function isGreeting({ doubt, heard, serverFromStart }: State): boolean {
  return !doubt && !heard && serverFromStart();
}

function addCommand(state: State, event: CommandEvent): void {
  const { verb, span, shown } = event;
  state.heard = true;
  state.unknown = verb === '?' ? event : undefined;
  if (!state.doubt)
    allow(state, 'client', { start: span.start, end: Math.min(span.end, span.start + shown) });
}

/** A mask is no word of the client's; what it left of the line may be. */
function addMask({ spans, unknown }: State, detail: string): void {
  const mask = /^X{4,}/.exec(detail)?.[0] ?? '';
  if (!unknown || mask === '') return;
  const { start, end } = unknown.span;
  addSpan(spans.client, { start, end: Math.min(end, start + mask.length) });
}

function addReply(state: State, { span, shown }: ReplyEvent): void {
  const most = state.doubt ? Math.min(shown, CODE) : shown;
  allow(state, 'server', { start: span.start, end: Math.min(span.end, span.start + most) });
}

function allow({ spans }: State, from: Direction, span: Span): void {
  if (spans[from].length < SPANS) addSpan(spans[from], span);
}

/** `250 `: three digits and what separates them. */
const CODE = 4;
/** Spans per side: a dialogue has as many pieces as it has interruptions by content, and few are needed. */
const SPANS = 1_024;
