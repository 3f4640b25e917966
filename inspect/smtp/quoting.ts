// What may be quoted of a line: only where it is known which reply answers which command is a line what it looks like.

import type { ReplyCode } from '../events';
import { commandLimit, QUOTE, TEXT } from '../limits';
import { clipQuotable, joinQuotable, NOTHING_SAID, type Quotable, say } from '../quotable';
import type { Command } from '../grammar/grammar';
import type { Line } from '../grammar/lines';
import { latin1 } from '../text';
import {
  describeOctets,
  quoteKnownWords,
  quoteMask,
  quoteParsed,
  quoteServer,
  sayVerb,
} from '../grammar/quote';
import { queueNameIn } from '../grammar/reply-words';
import { type Pending, report, type Said, type State, type Quoting } from './state';

/** What may be quoted of a command line; a line that is not quoted whole makes replies suspect. */
export function quoteCommand({ quoting }: State, line: Line, command: Command): Said {
  const said = choose(quoting, line, command);
  const whole = said.shown === line.span.end - line.span.start;
  if (!whole) quoting.guarded = true;
  return said;
}

function choose(quoting: Quoting, line: Line, { verb, argument, whole, parses }: Command): Said {
  const all = line.span.end - line.span.start;
  const untouched = whole && line.terminator === 'crlf' && !line.cut;
  if (verb === '?') return hide(line);
  if (quoting.out === 'no' && quoting.unknown === 0) {
    return { verb, argument, shown: untouched ? all : verb.length };
  }
  if (!parses) return hide(line);
  // A word of the protocol that stands alone holds no secret, whatever it was meant for.
  if (argument === '') return { verb, argument, shown: untouched ? all : 0 };
  return { verb, argument: describeOctets(line.bytes.subarray(verb.length + 1)), shown: 0 };
}

function hide(line: Line): Said {
  return { verb: '?', argument: describeOctets(line.bytes, lengthOf(line)), shown: 0 };
}

/** Octets without the terminator, those that were not kept included. */
function lengthOf({ bytes, span, terminator }: Line): number {
  return Math.max(
    bytes.length,
    span.end - span.start - (terminator === 'crlf' ? 2 : terminator === 'none' ? 0 : 1),
  );
}

/** Reports what is odd about a command line. */
export function remarkCommand(state: State, line: Line, command: Command, said: Said): void {
  const { at, terminator, bytes } = line;
  const { verb, anomaly } = command;
  const quote = (): Quotable => quoteAnomaly(line, command, said);
  if (anomaly) report(state, anomaly, 'client', at, quote());
  if (terminator === 'lf') report(state, 'bare-lf', 'client', at, quote());
  if (bytes.includes(CR)) report(state, 'bare-cr', 'client', at, quote());
  if (bytes.includes(NUL)) report(state, 'nul', 'client', at, quote());
  const length = line.span.end - line.span.start;
  if (length > commandLimit(verb)) {
    report(state, 'line-too-long', 'client', at, say`${length} octets: ${quote()}`);
  }
}

/** What may be quoted of a line of a reply to `head`; `whole`: all of it. */
export function quoteReply(
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
function mayRepeat({ quoting, sides, mode, undecided }: State, head: Pending | undefined): boolean {
  if (head === undefined || quoting.guarded || quoting.out !== 'no') return true;
  // Half a line, or octets whose meaning is not decided: not quoted yet, and the server may have them.
  if (mode.kind === 'command') return sides.client.framer.peek() !== undefined;
  return mode.kind !== 'undecided' || undecided.length() > 0;
}

/** Octets were missed. */
export function quoteAfterGap({ quoting }: State): void {
  quoting.out = 'lost';
  quoting.guarded = true;
}

/** The client goes on as if it had been answered otherwise: nothing it says now is sure. */
export function quoteAfterRefusal({ quoting }: State): void {
  if (quoting.out === 'no') quoting.out = 'refused';
  quoting.guarded = true;
}

/** A reply came to `head`, which is answered: what follows from it for all that the client says next. */
export function quoteAfterReply(state: State, head: Pending, reply: ReplyCode): void {
  const { quoting } = state;
  const { code } = reply;
  if (isAnchor(head, reply)) quoting.out = 'no';
  else if (quoting.out === 'refused' && isDone(code) && head.said?.verb === head.verb && isQuiet(state)) {
    quoting.out = 'no';
  }
  if (mayGoOn(head, code)) quoteAfterRefusal(state);
}

/** Replies that only one command can have: what comes next is known again. */
function isAnchor({ rule: { phase } }: Pending, { code, lines }: ReplyCode): boolean {
  if (phase === 'hello') return code === 250 && lines > 1;
  return phase === 'data' && code === START_MAIL_INPUT;
}

/** Clients that do not wait, or do not read replies, send a message or credentials that the server has refused. */
function mayGoOn({ verb, rule: { phase, next } }: Pending, code: number): boolean {
  if (verb === '?') return code >= 300 && code < 400;
  if (phase === 'auth') return !isDone(code);
  if (phase === 'message') return verb !== undefined && !isDone(code);
  if (phase === 'starttls') return false;
  return next !== undefined && next[code] === undefined;
}

/** The client has sent nothing that is not answered. */
function isQuiet({ pending, mode, sides }: State): boolean {
  return pending.length === 0 && mode.kind === 'command' && sides.client.framer.peek() === undefined;
}

function isDone(code: number): boolean {
  return code >= 200 && code < 300;
}

const CONTINUE = 334;
const START_MAIL_INPUT = 354;

function quoteAnomaly(line: Line, { anomaly }: Command, said: Said): Quotable {
  if (said.verb !== '?') return clipQuotable(joinQuotable([sayVerb(said), said.argument], ' '), QUOTE);
  const text = latin1(line.bytes.subarray(0, LONGEST));
  const head =
    anomaly === 'masked'
      ? quoteMask(text)
      : anomaly === 'http'
        ? method(text)
        : anomaly === 'proxy-header'
          ? proxy(text)
          : '';
  const rest = lengthOf(line) - head.length;
  if (head === '') return said.argument;
  return rest === 0 ? head : say`${head} ${describeOctets(line.bytes.subarray(head.length), rest)}`;
}

/** Of a request only the method: a path may hold anything. */
function method(text: string): Quotable {
  return quoteParsed(/^[A-Z]+(?= )/.exec(text)?.[0] ?? '');
}

/** A header of PROXY protocol v1, where it is one (haproxy's proxy-protocol.txt §2.1). */
function proxy(text: string): Quotable {
  return quoteParsed(PROXY.exec(text)?.[0] ?? (text.startsWith('PROXY ') ? 'PROXY' : ''));
}

const PROXY =
  /^PROXY (?:UNKNOWN|TCP4 [0-9.]{7,15} [0-9.]{7,15} [0-9]{1,5} [0-9]{1,5}|TCP6 [0-9A-Fa-f:.]{2,45} [0-9A-Fa-f:.]{2,45} [0-9]{1,5} [0-9]{1,5})$/;
/** An HTTP method or a PROXY header is short. */
const LONGEST = 256;
const CR = 0x0d;
const NUL = 0x00;
