// The server's octets: replies, and what each of them settles.

import type { Micros, ReplyCode, ReplyEvent } from '../events';
import { GREETING, LINE_BY_RFC, QUOTE, REPLY_TEXTS } from '../limits';
import { clipQuotable, joinQuotable, NOTHING_SAID, say, type Quotable } from '../quotable';
import { endAtLookalike, expectSurplus } from './accepted-lookalike';
import { beginBlob, beginBody, decide, endHeader, dropInjected, endBlob } from './client';
import { isMasked, type Next, parseReplyLine, type ReplyLine, type Verb } from '../grammar/grammar';
import { dropPartial, readGreeting, type GreetingReader } from '../greeting/reader';
import { judgeEarly, noteKeyword, reportEarly } from './early-talker';
import type { Line } from '../grammar/lines';
import { pair } from './pairing';
import { loseCommands } from './gap';
import { quoteMask } from '../grammar/quote';
import {
  endPending,
  fragment,
  isInSync,
  type OpenReply,
  type Pending,
  report,
  type State,
  stepAside,
} from './state';
import { quoteAfterReply, quoteReply } from './quoting';
import { beginAgain, beginTls, isTlsAgain, readTls } from './tls-stream';

/** Reads a chunk of the server's stream. */
export function readServer(state: State, bytes: Uint8Array, at: Micros): void {
  const side = state.sides.server;
  let i = 0;
  while (i < bytes.length) {
    endHeader(state);
    const taken = READERS[state.serverMode](state, bytes, i, at);
    i += taken;
    side.position += taken;
  }
}

/** Reads one line, or all that is TLS. How many octets it took; 0 only where it changed the mode. */
export function readServerUnit(state: State, bytes: Uint8Array, at: Micros): number {
  endHeader(state);
  const taken = READERS[state.serverMode](state, bytes, 0, at);
  state.sides.server.position += taken;
  return taken;
}

type Reader = (state: State, bytes: Uint8Array, from: number, at: Micros) => number;

const READERS: Readonly<Record<State['serverMode'], Reader>> = {
  reply: readReplyLine,
  tls: (state, bytes, from, at) => readTls(state, 'server', bytes, from, at),
  opaque: (_state, bytes, from) => bytes.length - from,
};

function readReplyLine(state: State, bytes: Uint8Array, from: number, at: Micros): number {
  const side = state.sides.server;
  if (isTlsAgain(state, 'server', bytes[from])) return beginAgain(state, at);
  const { next, line } = side.framer.take(bytes, from, side.position, at);
  const octets = bytes.subarray(from, next);
  if (line) handleLine(state, line, octets);
  else {
    const open = openGreeting(state);
    if (open && isJudged(side.framer.peek()?.start)) readGreeting(open, octets);
  }
  return next - from;
}

/** `octets`: the end of the line, as it came just now. */
function handleLine(state: State, line: Line, octets: Uint8Array): void {
  const read = parseReplyLine(line.bytes);
  // Behind a hole the rest of a lost line may look like one.
  const parsed = state.lossy && read?.wellFormed === false ? undefined : read;
  if (parsed && answersBeyondGreeting(state, parsed)) giveUpGreeting(state, line);
  const { greeting } = state;
  const openAtStart = openGreeting(state);
  let goesOn = parsed?.more;
  if (openAtStart && isJudged(line.span.start)) {
    readGreeting(openAtStart, octets);
    goesOn = openAtStart.end === 'open' || openAtStart.hidden;
  } else if (openAtStart && goesOn === false) openAtStart.end = 'stated';
  // What is odd about a greeting its own judgement says.
  if (!greeting) remark(state, line, parsed);
  if (!parsed) {
    if (state.openReply) state.openReply.lines += 1;
    else fragment(state, 'server', line);
    return;
  }
  const open = collect(state, line, parsed);
  if (goesOn) return;
  state.openReply = undefined;
  if (open.mixed && !greeting) {
    report(state, 'mixed-codes', 'server', line.at, say`${open.first.code}- ended by ${parsed.code}`);
  }
  const reply: ReplyCode = { ...open.first, code: parsed.code, lines: open.lines };
  settle(state, reply, eventOf(reply, open, line));
}

/** Where a greeting ends, and what is wrong with it, its reader says. */
function openGreeting({ greeting }: State): GreetingReader | undefined {
  return greeting?.end === 'open' ? greeting : undefined;
}

/** By its line's first octet, however the octets are cut. Of the lines behind the cap only the end counts. */
function isJudged(lineStart = 0): boolean {
  return lineStart < GREETING;
}

function eventOf({ code, lines, enhanced, text }: ReplyCode, open: OpenReply, { span, at }: Line): Reply {
  const { start, started, texts, shown } = open;
  const event: Reply = {
    kind: 'reply',
    from: 'server',
    span: { start, end: span.end },
    started,
    at,
    code,
    lines,
    texts,
    shown,
  };
  if (enhanced !== undefined) event.enhanced = enhanced;
  if (text !== undefined) event.text = text;
  return event;
}

/** The event while it is made. */
type Reply = { -readonly [K in keyof ReplyEvent]: ReplyEvent[K] };

/** The greeting never ended, and this line answers a command: no greeting has such a code (RFC 5321 §3.1). */
function answersBeyondGreeting({ pending }: State, { code }: ReplyLine): boolean {
  return pending[0]?.rule.phase === 'greeting' && pending.length > 1 && code !== GREETING_CODE && code < 400;
}

function giveUpGreeting(state: State, line: Line): void {
  reportEarly(state);
  const { openReply, greeting } = state;
  // The beginning of the line may have been read already, and is none of the greeting's.
  if (greeting) dropPartial(greeting);
  if (openReply)
    fragment(state, 'server', {
      span: { start: openReply.start, end: line.span.start },
      started: openReply.started,
      at: line.started,
    });
  state.openReply = undefined;
  // It ended, for the client, when the client went on.
  endPending(state, state.pending[1]?.arrived ?? line.at, undefined);
}

/** Adds a line to the reply that is open, or opens one. */
function collect(state: State, line: Line, parsed: ReplyLine): NonNullable<State['openReply']> {
  const [head] = state.pending;
  const { code } = parsed;
  const { text, whole } = quoteReply(state, head, code, parsed.text);
  const open = (state.openReply ??= {
    start: line.span.start,
    started: line.started,
    first: firstOf(parsed, text),
    lines: 0,
    texts: [],
    shown: 0,
    open: true,
    mixed: false,
  });
  open.lines += 1;
  if (head?.rule.phase === 'hello') noteKeyword(state, parsed.text);
  open.mixed ||= code !== open.first.code;
  if (open.texts.length < REPLY_TEXTS && code !== AUTH_CONTINUE) open.texts.push(text);
  // Where every word is known, the line may be shown as it is.
  show(open, line, whole);
  return open;
}

/** Of a line that is not quoted whole the code alone is shown, and nothing behind it. */
function show(open: OpenReply, { span }: Line, whole: boolean): void {
  if (!open.open) return;
  open.shown += whole ? span.end - span.start : Math.min(CODE, span.end - span.start);
  open.open = whole;
}

function firstOf({ code, enhanced }: ReplyLine, text: Quotable): ReplyCode {
  const said = code === AUTH_CONTINUE ? {} : { text };
  return enhanced === undefined ? { code, lines: 0, ...said } : { code, lines: 0, enhanced, ...said };
}

function remark(state: State, line: Line, parsed: ReplyLine | undefined): void {
  const quote = (): Quotable => quoteReply(state, state.pending[0], parsed?.code, line.bytes, QUOTE).text;
  if (!parsed?.wellFormed) report(state, 'malformed-reply', 'server', line.at, quote());
  if (line.terminator === 'lf') report(state, 'bare-lf', 'server', line.at, quote());
  if (line.bytes.includes(CR)) report(state, 'bare-cr', 'server', line.at, quote());
  if (line.bytes.includes(NUL)) report(state, 'nul', 'server', line.at, quote());
  const length = line.span.end - line.span.start;
  if (length > LINE_BY_RFC)
    report(state, 'line-too-long', 'server', line.at, say`${length} octets: ${quote()}`);
}

/** A whole reply: which command it answers, and what follows from it. */
function settle(state: State, reply: ReplyCode, event: Reply): void {
  endBlob(state, event.at);
  endAtLookalike(state, reply);
  expectSurplus(state, reply, event.at);
  if (isForHeader(state, reply)) {
    state.out.push(event);
    return;
  }
  const head = pair(state, reply, event.at);
  if (head && (head.rule.phase !== 'greeting' || reply.code !== GREETING_CODE)) {
    judgeEarly(state, reply, head.rule.phase === 'hello');
  }
  if (head) event.answers = head.rule.phase;
  state.out.push(event);
  remarkReply(state, head, event);
  if (reply.code === AUTH_CONTINUE && askSecret(state, head, event.at)) return;
  if (!head) return;
  const { content } = head;
  if (content && content.ended === undefined && content.holed) {
    // The 354 was not lost after all, and the message was begun in good faith.
    if (reply.code === START_MAIL_INPUT) return;
    resume(state, event.at);
  }
  const next = head.rule.next?.[reply.code];
  // The exchange goes on: its last reply ends the phase.
  if (next === 'blob') return beginBlob(state, head.blob);
  const last = lastOf(state, head, reply);
  if (!last) return;
  if (head.last && isPositive(last)) state.messages += 1;
  endPending(state, event.at, last);
  state.surplus = content?.afterLookalike;
  quoteAfterReply(state, head, reply);
  if (isPositive(reply)) count(state, head.rule);
  if (head.rule.next) BECOMES[next ?? 'command'](state, event);
  // The line was requested by a command that has none.
  else if (isAsked(state) && !state.pending.some(({ rule }) => rule.next)) decide(state, { kind: 'command' });
}

function isAsked({ mode }: State): boolean {
  return mode.kind === 'secret' || mode.kind === 'undecided';
}

/**
 * The reply that counts, once all that are due for it are there. LMTP has one a recipient (RFC 2033 §4.2) and none
 * for the message: one that took it counts. PRDR says 353, then has one a recipient, and then one for the message.
 */
function lastOf(state: State, pending: Pending, reply: ReplyCode): ReplyCode | undefined {
  if (reply.code === SERVICE_CLOSING || !pending.last) return reply;
  if (reply.code === RECIPIENTS_FOLLOW && pending.due === undefined) {
    pending.due = state.recipients + 1;
    return undefined;
  }
  if (state.lmtp && isPositive(reply)) pending.accepted ??= reply;
  pending.due = (pending.due ?? (state.lmtp ? Math.max(1, state.recipients) : 1)) - 1;
  return pending.due > 0 ? undefined : (pending.accepted ?? reply);
}

/** The transaction, in the order of the replies: pipelined commands are ahead of it. */
function count(state: State, { recipients }: Verb): void {
  if (recipients === 'none') state.recipients = 0;
  else if (recipients === 'one more') state.recipients += 1;
}

/**
 * Whatever was asked: behind a 334 the client's next line is a secret (RFC 4954 §4), unless it is sending what it can
 * send nothing else before the end of.
 */
function askSecret(state: State, head: Pending | undefined, at: Micros): boolean {
  const { kind } = state.mode;
  if (kind !== 'command' && kind !== 'undecided') return false;
  if (!head) state.pending.push({ rule: EXCHANGE, arrived: at });
  state.quoting.guarded = true;
  decide(state, { kind: 'secret', verb: head?.verb ?? '?' });
  return true;
}

/** "Command unrecognized" (RFC 5321 §4.2.4) to the PROXY header that the server did not expect. */
function isForHeader(state: State, { code }: ReplyCode): boolean {
  if (state.headerReplies === 0 || state.pending[0]?.rule.phase === 'greeting') return false;
  const refused = code === 500 || code === 502;
  state.headerReplies = refused ? state.headerReplies - 1 : 0;
  return refused;
}

function remarkReply(state: State, head: Pending | undefined, reply: ReplyEvent): void {
  const { at } = reply;
  if (head?.rule.phase === 'hello') {
    const masked = reply.texts.slice(1).filter(isMasked);
    const masks = clipQuotable(joinQuotable(masked.map(quoteMask), ', '), QUOTE);
    if (masked.length > 0) report(state, 'masked', 'server', at, masks);
  }
  const said = (): Quotable => joinQuotable([reply.code, reply.text ?? NOTHING_SAID], ' ');
  if (reply.code === SERVICE_CLOSING && head?.rule.phase !== 'greeting') {
    report(state, 'service-closing', 'server', at, said());
  } else if (!head && isInSync(state)) {
    report(state, 'unsolicited-reply', 'server', at, said());
  } else if (head?.content && head.content.ended === undefined && !head.content.holed) {
    report(state, 'early-reply', 'server', at, say`${said()} before the message had ended`);
  }
}

/** What the client's next octets are from here on. */
const BECOMES: Readonly<
  Record<'command' | Exclude<Next, 'blob'>, (state: State, event: ReplyEvent) => void>
> = {
  command: (state) => decide(state, { kind: 'command' }),
  body: (state, { at }) => beginBody(state, at),
  tls: agreeTls,
  turned: (state, { at, span }) => {
    state.sides.server.opaque = { start: span.end, started: at };
    stepAside(state, 'opaque', 'server', at, say`client and server have changed places`);
  },
};

function agreeTls(state: State, { at, span }: ReplyEvent): void {
  const early = state.undecided.first()?.bytes[0] === TLS_HANDSHAKE;
  if (!early) dropInjected(state);
  beginTls(state, at, state.sides.client.position - state.undecided.length(), span.end);
  decide(state, { kind: 'tls' });
}

/** Octets were missed, and this reply shows that the message had ended among them. */
function resume(state: State, at: Micros): void {
  const { mode } = state;
  if (mode.kind !== 'body' && mode.kind !== 'chunk') return;
  const { begun } = mode;
  if (begun)
    fragment(state, 'client', {
      span: { start: begun.start, end: state.sides.client.position },
      started: begun.started,
      at,
    });
  mode.content.ended = at;
  state.mode = { kind: 'command' };
  loseCommands(state, at);
}

function isPositive({ code }: ReplyCode): boolean {
  return code >= 200 && code < 300;
}

/** `250 `: three digits and what separates them. */
const CODE = 4;
/** A 334 to nothing that was seen. */
const EXCHANGE: Verb = { phase: 'auth', endsGroup: true, next: {} };
const CR = 0x0d;
const NUL = 0x00;
const TLS_HANDSHAKE = 0x16;
const GREETING_CODE = 220;
const START_MAIL_INPUT = 354;
const RECIPIENTS_FOLLOW = 353;
const AUTH_CONTINUE = 334;
const SERVICE_CLOSING = 421;
