// Whether the dialogue is in step: only then is a line what it looks like, and may be quoted.

import type { ReplyCode } from '../events';
import { TEXT } from '../limits';
import { NOTHING_SAID, type Quotable } from '../quotable';
import type { Command } from '../grammar/grammar';
import type { Line } from '../grammar/lines';
import { latin1 } from '../text';
import { describeOctets, quoteKnownWords, quoteParsed, quoteServer } from '../grammar/quote';
import { queueNameIn } from '../grammar/reply-words';
import type { Pending, State } from './state';

/**
 * What may be quoted from here on.
 * `refused`: the server declined what the client may send all the same (a message, credentials). In step again
 * with the next command that succeeds while nothing else is under way.
 * `lost`: octets were missed. In step again where only one reading is left: EHLO's reply, or 354 to DATA.
 */
export interface Step {
  out: 'no' | 'refused' | 'lost';
  /** Commands under way whose verb is not known: what follows them may be anything. */
  unknown: number;
  /** The client has said something that may not be quoted: from now on a reply may repeat it. */
  guarded: boolean;
}

export function createStep(midStream: boolean): Step {
  return { out: midStream ? 'lost' : 'no', unknown: 0, guarded: midStream };
}

/** What is written down of a command line. */
export interface Said {
  readonly verb: string;
  readonly argument: Quotable;
  /** Octets from the line's start that may be shown as they are. */
  readonly shown: number;
}

/** What may be quoted of a command line; a line that is not quoted whole makes replies suspect. */
export function sayCommand({ step }: State, line: Line, command: Command): Said {
  const said = choose(step, line, command);
  const whole = said.shown === line.span.end - line.span.start;
  if (!whole) step.guarded = true;
  return said;
}

function choose(step: Step, line: Line, { verb, argument, whole, parses }: Command): Said {
  const all = line.span.end - line.span.start;
  const untouched = whole && line.terminator === 'crlf' && !line.cut;
  if (verb === '?') return hide(line);
  if (step.out === 'no' && step.unknown === 0) {
    return { verb, argument, shown: untouched ? all : verb.length };
  }
  if (!parses) return hide(line);
  // A word of the protocol that stands alone tells nothing, whatever it was meant for.
  if (argument === '') return { verb, argument, shown: untouched ? all : 0 };
  return { verb, argument: describeOctets(line.bytes.subarray(verb.length + 1)), shown: 0 };
}

function hide(line: Line): Said {
  return { verb: '?', argument: describeOctets(line.bytes, lengthOf(line)), shown: 0 };
}

/** Octets without the terminator, those that were not kept included. */
export function lengthOf({ bytes, span, terminator }: Line): number {
  return Math.max(
    bytes.length,
    span.end - span.start - (terminator === 'crlf' ? 2 : terminator === 'none' ? 0 : 1),
  );
}

/** What may be quoted of a line of a reply to `head`; `whole`: all of it. */
export function sayReply(
  state: State,
  head: Pending | undefined,
  code: number | undefined,
  text: Uint8Array,
  cap?: number,
): { readonly text: Quotable; readonly whole: boolean } {
  // Of a challenge nothing: it is made for a secret.
  if (code === CONTINUE) return { text: NOTHING_SAID, whole: false };
  if (!mayRepeat(state, head)) return { text: quoteServer(text, cap), whole: true };
  const said = [state.hello, head?.said?.argument, queueNameOf(head, code, text)].filter(
    (each) => each !== undefined,
  );
  const known = quoteKnownWords(text, said, cap);
  return { text: known, whole: !known.includes('…') };
}

/** What a server calls the message that it took. */
function queueNameOf(
  head: Pending | undefined,
  code: number | undefined,
  text: Uint8Array,
): Quotable | undefined {
  if (!head?.content || code !== 250) return undefined;
  const name = queueNameIn(latin1(text.subarray(0, TEXT)));
  return name === undefined ? undefined : quoteParsed(name);
}

/** Whether a line to `head` may repeat something of the client's that is not quotable, seen by us or not. */
function mayRepeat({ step, sides, mode, held }: State, head: Pending | undefined): boolean {
  if (head === undefined || step.guarded || step.out !== 'no') return true;
  // Half a line, or octets whose meaning is not decided: not quoted yet, and the server may have them.
  if (mode.kind === 'command') return sides.client.framer.peek() !== undefined;
  return mode.kind !== 'undecided' || held.length > 0;
}

/** Octets were missed. */
export function loseStep({ step }: State): void {
  step.out = 'lost';
  step.guarded = true;
}

/** The client goes on as if it had been answered otherwise: nothing it says now is sure. */
export function refuseStep({ step }: State): void {
  if (step.out === 'no') step.out = 'refused';
  step.guarded = true;
}

/** A reply came to `head`, which is answered: what follows from it for all that the client says next. */
export function followStep(state: State, head: Pending, reply: ReplyCode): void {
  const { step } = state;
  const { code } = reply;
  if (isAnchor(head, reply)) step.out = 'no';
  else if (step.out === 'refused' && isDone(code) && head.said?.verb === head.verb && isQuiet(state)) {
    step.out = 'no';
  }
  if (mayGoOn(head, code)) refuseStep(state);
}

/** Replies that only one command can have: what comes next is known again. */
function isAnchor({ rule: { phase } }: Pending, { code, lines }: ReplyCode): boolean {
  if (phase === 'hello') return code === 250 && lines > 1;
  return phase === 'data' && code === START_MAIL_INPUT;
}

/** Clients that do not wait, or do not listen, send a message or credentials that nobody takes any more. */
function mayGoOn({ verb, rule: { phase, next } }: Pending, code: number): boolean {
  if (verb === '?') return code >= 300 && code < 400;
  if (phase === 'auth') return !isDone(code);
  if (phase === 'message') return verb !== undefined && !isDone(code);
  if (phase === 'starttls') return false;
  return next !== undefined && next[code] === undefined;
}

/** Nothing of the client's is on its way. */
function isQuiet({ pending, mode, sides }: State): boolean {
  return pending.length === 0 && mode.kind === 'command' && sides.client.framer.peek() === undefined;
}

function isDone(code: number): boolean {
  return code >= 200 && code < 300;
}

const CONTINUE = 334;
const START_MAIL_INPUT = 354;
