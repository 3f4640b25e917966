// The client of a measurement: replies and times in; octets to send, phases and failures out.

import type { Micros, Phase, PhaseEvent } from '../events';
import { parseReplyLine, type ReplyLine } from '../grammar/grammar';
import { createFramer, type Framer, type Line } from '../grammar/lines';
import { REPLY_LINE, TEXT } from '../limits';
import { createTimeline, type Timeline } from '../smtp/timeline';
import { escapeText, fromLatin1, latin1 } from '../text';

/** What each session does. */
export interface Plan {
  /** To say EHLO with. */
  readonly name: string;
  readonly starttls: boolean;
  /** MAIL, RCPT and DATA in one write, where the server offers it (RFC 2920). */
  readonly pipelining: boolean;
  /** Messages of one session; 0: none is sent, and the session ends behind EHLO. */
  readonly messages: number;
  /** Of the envelope; empty is the null reverse-path (RFC 5321 §4.5.5): what is undeliverable vanishes. */
  readonly from: string;
  readonly recipients: readonly string[];
  /** The next message with its end of data, in one piece or more. */
  readonly compose: () => readonly Uint8Array[];
}

/** Something that kept a session from its plan. */
export interface Failure {
  readonly kind: 'failure';
  /** Where it happened, by the names of the log. */
  readonly phase: Phase;
  /** The reply's code, a reason of ours, or the system's name of an error. */
  readonly cause: number | Reason | (string & {});
  /** The reply's text, escaped; empty where there is none. */
  readonly text: string;
}

type Reason =
  /** The server closed the connection. */
  | 'closed'
  | 'timed-out'
  /** A line that is no reply line. */
  | 'malformed-reply'
  /** A reply to no command. */
  | 'unsolicited-reply'
  /** STARTTLS was to be used, and the server does not offer it. */
  | 'not-offered'
  /** Octets behind the reply to STARTTLS, in the clear (RFC 3207 §6). */
  | 'starttls-injection';

export type Step =
  | { readonly kind: 'send'; readonly octets: readonly Uint8Array[] }
  /** TLS begins here. */
  | { readonly kind: 'secure' }
  /** The session is over: close the connection. */
  | { readonly kind: 'close' }
  /** The server took a message of so many octets. */
  | { readonly kind: 'taken'; readonly octets: number }
  | Failure
  | PhaseEvent;

export interface Dialogue {
  opened(at: Micros): readonly Step[];
  feed(octets: Uint8Array, at: Micros): readonly Step[];
  /** The TLS handshake is complete. */
  secured(at: Micros): readonly Step[];
  /** The connection ended, or could not be made: `closed`, `timed-out` or the system's name of an error. */
  end(cause: Failure['cause'], at: Micros): readonly Step[];
  /** What it waits for; `close` behind the reply to QUIT. */
  waiting(): Phase;
}

/** Dialogues of one plan. Each begins when its connection is requested. */
export function createDialogues(plan: Plan): (started: Micros) => Dialogue {
  const words = wordsOf(plan);
  return (started) => createDialogue(plan, words, started);
}

function createDialogue(plan: Plan, words: Words, started: Micros): Dialogue {
  const state: State = {
    plan,
    words,
    timeline: createTimeline(started),
    framer: createFramer(REPLY_LINE),
    pending: [{ phase: 'connect', asked: started }],
    out: [],
    position: 0,
    lines: 0,
    lastAt: started,
    offers: NOTHING_OFFERED,
    verb: 'EHLO',
    secured: false,
    left: plan.messages,
    recipient: 0,
    accepted: 0,
    sending: 0,
    refused: false,
    over: false,
  };
  return {
    opened(at) {
      endPhase(state, at, undefined);
      state.pending.push({ phase: 'greeting', asked: at });
      return drain(state, at);
    },
    feed(octets, at) {
      let i = 0;
      while (i < octets.length && !state.over) {
        const { next, line } = state.framer.take(octets, i, state.position, at);
        state.position += next - i;
        i = next;
        if (line) readLine(state, line, at, i === octets.length);
      }
      return drain(state, at);
    },
    secured(at) {
      endPhase(state, at, undefined);
      state.secured = true;
      sayHello(state, 'EHLO', at);
      return drain(state, at);
    },
    end(cause, at) {
      if (state.over) return [];
      const { phase } = head(state);
      if (phase !== 'close') fail(state, phase, cause);
      endPhase(state, at, undefined);
      state.over = true;
      return drain(state, at);
    },
    waiting: () => head(state).phase,
  };
}

/** A phase that has begun, or that was requested with the one before it. */
interface Pending {
  readonly phase: Phase;
  readonly asked: Micros;
}

interface State {
  readonly plan: Plan;
  readonly words: Words;
  readonly timeline: Timeline;
  readonly framer: Framer;
  readonly pending: Pending[];
  out: Step[];
  position: number;
  /** Of the reply that is being read. */
  lines: number;
  lastAt: Micros;
  offers: Offers;
  verb: 'EHLO' | 'HELO';
  secured: boolean;
  /** Messages that are still to be sent. */
  left: number;
  /** Of this message: recipients that were named, and that the server took. */
  recipient: number;
  accepted: number;
  /** Octets of the message that waits for its reply. */
  sending: number;
  /** Something of this message was refused. */
  refused: boolean;
  over: boolean;
}

/** What EHLO's reply offers, of what a measurement uses. */
interface Offers {
  readonly starttls: boolean;
  readonly pipelining: boolean;
}

function drain(state: State, at: Micros): readonly Step[] {
  const { out } = state;
  state.out = [];
  state.lastAt = at;
  return out;
}

function head({ pending, lastAt }: State): Pending {
  return pending[0] ?? { phase: 'other', asked: lastAt };
}

/** `last`: nothing came with it that is behind it. */
function readLine(state: State, line: Line, at: Micros, last: boolean): void {
  const { pending } = state;
  const reply = parseReplyLine(line.bytes);
  const { phase } = head(state);
  if (!reply) return giveUp(state, phase, 'malformed-reply', at, line.bytes);
  if (pending.length === 0 || WITHOUT_REPLY.has(phase)) {
    return giveUp(state, phase, 'unsolicited-reply', at, line.bytes);
  }
  state.lines += 1;
  if (phase === 'hello') noteOffer(state, reply.text);
  if (reply.more) return;
  endPhase(state, at, reply);
  state.lines = 0;
  // RFC 5321 §3.8: the server closes, whatever was said.
  if (reply.code === SERVICE_CLOSING && phase !== 'quit')
    return giveUp(state, phase, reply.code, at, reply.text);
  if (phase === 'starttls' && reply.code === READY && !last) {
    return giveUp(state, phase, 'starttls-injection', at);
  }
  AFTER[phase]?.(state, reply, at);
}

function noteOffer(state: State, text: Uint8Array): void {
  if (text.length < SHORTEST_OFFER || text.length > LONGEST_OFFER) return;
  const word = latin1(text).trim().toUpperCase();
  if (word === 'STARTTLS') state.offers = { ...state.offers, starttls: true };
  if (word === 'PIPELINING') state.offers = { ...state.offers, pipelining: true };
}

function endPhase(state: State, at: Micros, reply: ReplyLine | undefined): void {
  const { phase, asked } = head(state);
  state.pending.shift();
  const facts = reply ? { reply: { code: reply.code, lines: state.lines } } : {};
  state.out.push(state.timeline.end(phase, asked, at, facts));
}

type After = (state: State, reply: ReplyLine, at: Micros) => void;

/** What follows a reply, by the phase that it ends. */
const AFTER: Readonly<Partial<Record<Phase, After>>> = {
  greeting(state, reply, at) {
    if (reply.code !== READY) return refuse(state, 'greeting', reply, at);
    sayHello(state, 'EHLO', at);
  },
  hello(state, reply, at) {
    const { plan, verb, secured, offers } = state;
    const wanted = plan.starttls && !secured;
    if (reply.code >= 500 && verb === 'EHLO' && !plan.starttls) return sayHello(state, 'HELO', at);
    if (!isPositive(reply)) return refuse(state, 'hello', reply, at);
    if (!wanted) return beginMessage(state, at);
    if (offers.starttls) return say(state, 'starttls', state.words.starttls, at);
    fail(state, 'starttls', 'not-offered');
    say(state, 'quit', state.words.quit, at);
  },
  starttls(state, reply, at) {
    if (reply.code !== READY) return refuse(state, 'starttls', reply, at);
    state.pending.push({ phase: 'tls', asked: at });
    state.out.push({ kind: 'secure' });
  },
  mail(state, reply, at) {
    if (!isPositive(reply)) return refuse(state, 'mail', reply, at);
    if (!isGrouped(state)) sayRecipient(state, at);
  },
  rcpt(state, reply, at) {
    if (isPositive(reply)) state.accepted += 1;
    else if (!state.refused || state.accepted > 0) fail(state, 'rcpt', reply.code, reply.text);
    if (isGrouped(state)) return;
    if (state.recipient < state.plan.recipients.length) return sayRecipient(state, at);
    if (state.accepted > 0) say(state, 'data', state.words.data, at);
    else say(state, 'quit', state.words.quit, at);
  },
  data(state, reply, at) {
    if (reply.code !== START_MAIL_INPUT) {
      // Behind a refused MAIL or RCPT that is what must come, and it is counted already.
      if (state.accepted > 0) fail(state, 'data', reply.code, reply.text);
      return say(state, 'quit', state.words.quit, at);
    }
    // RFC 2920 §3.1: the server took DATA without a recipient, and must get an end of data.
    const octets = state.accepted > 0 ? state.plan.compose() : state.words.nothing;
    state.sending = octets.reduce((sum, { length }) => sum + length, 0);
    say(state, 'message', octets, at);
  },
  message(state, reply, at) {
    if (state.accepted === 0) return say(state, 'quit', state.words.quit, at);
    if (!isPositive(reply)) return refuse(state, 'message', reply, at);
    state.out.push({ kind: 'taken', octets: state.sending });
    state.left -= 1;
    beginMessage(state, at);
  },
  quit(state, reply, at) {
    if (reply.code !== CLOSING) fail(state, 'quit', reply.code, reply.text);
    state.pending.push({ phase: 'close', asked: at });
  },
};

function say(state: State, phase: Phase, octets: readonly Uint8Array[], at: Micros): void {
  state.pending.push({ phase, asked: at });
  state.out.push({ kind: 'send', octets });
}

function sayHello(state: State, verb: State['verb'], at: Micros): void {
  state.verb = verb;
  state.offers = NOTHING_OFFERED;
  say(state, 'hello', verb === 'EHLO' ? state.words.ehlo : state.words.helo, at);
}

function sayRecipient(state: State, at: Micros): void {
  const octets = state.words.recipients[state.recipient];
  state.recipient += 1;
  if (octets) say(state, 'rcpt', octets, at);
}

function isGrouped({ plan, offers }: State): boolean {
  return plan.pipelining && offers.pipelining;
}

/** The next message, or the end. */
function beginMessage(state: State, at: Micros): void {
  const { words, plan } = state;
  if (state.left === 0) return say(state, 'quit', words.quit, at);
  state.recipient = 0;
  state.accepted = 0;
  state.refused = false;
  if (!isGrouped(state)) return say(state, 'mail', words.mail, at);
  state.pending.push({ phase: 'mail', asked: at });
  for (let i = 0; i < plan.recipients.length; i += 1) state.pending.push({ phase: 'rcpt', asked: at });
  state.pending.push({ phase: 'data', asked: at });
  state.out.push({ kind: 'send', octets: words.group });
}

/** A reply that ends the plan: the session says QUIT, where no other reply is due. */
function refuse(state: State, phase: Phase, { code, text }: ReplyLine, at: Micros): void {
  fail(state, phase, code, text);
  state.refused = true;
  if (state.pending.length === 0) say(state, 'quit', state.words.quit, at);
}

/** The dialogue makes no sense any more, or is at its end. */
function giveUp(state: State, phase: Phase, cause: Failure['cause'], at: Micros, text?: Uint8Array): void {
  fail(state, phase, cause, text);
  state.pending.length = 0;
  state.pending.push({ phase: 'close', asked: at });
  endPhase(state, at, undefined);
  state.out.push({ kind: 'close' });
  state.over = true;
}

function fail(state: State, phase: Phase, cause: Failure['cause'], text?: Uint8Array): void {
  state.out.push({ kind: 'failure', phase, cause, text: text ? escapeText(text, TEXT) : '' });
}

function isPositive({ code }: ReplyLine): boolean {
  return code >= 200 && code < 300;
}

/** What is said, as octets: made once for all sessions. */
type Words = ReturnType<typeof wordsOf>;

function wordsOf({ name, from, recipients }: Plan) {
  const line = (text: string): readonly Uint8Array[] => [fromLatin1(`${text}\r\n`)];
  const mail = `MAIL FROM:<${from}>`;
  const rcpts = recipients.map((address) => `RCPT TO:<${address}>`);
  return {
    ehlo: line(`EHLO ${name}`),
    helo: line(`HELO ${name}`),
    starttls: line('STARTTLS'),
    mail: line(mail),
    recipients: rcpts.map(line),
    data: line('DATA'),
    group: line([mail, ...rcpts, 'DATA'].join('\r\n')),
    nothing: line('.'),
    quit: line('QUIT'),
  };
}

const NOTHING_OFFERED: Offers = { starttls: false, pipelining: false };
/** STARTTLS and PIPELINING, with some blanks behind. */
const [SHORTEST_OFFER, LONGEST_OFFER] = [8, 16] as const;
const WITHOUT_REPLY: ReadonlySet<Phase> = new Set(['connect', 'tls', 'close']);
const READY = 220;
const CLOSING = 221;
const START_MAIL_INPUT = 354;
const SERVICE_CLOSING = 421;
