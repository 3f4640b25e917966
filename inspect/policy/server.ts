// The server's octets: what of them the client gets.

import type { Micros } from '../events';
import { LINE_BY_RFC, REPLY_LINE, UNDECIDED } from '../limits';
import { joinOctets, NO_OCTETS } from '../octets';
import { fromLatin1 } from '../text';
import { parseReplyLine } from '../grammar/grammar';
import { hideKeywords, linesOf } from './keywords';
import { end, isEnforced, passReply, sendClient, type State } from './state';
import { confirmTls, endLost } from './tls';

/** Reads all of it; what waits for the end of a reply is kept. */
export function readServer(state: State, given: Uint8Array, at: Micros): void {
  const bytes = state.rules.lines === 'enforce' && isPlain(state) ? cutLongLines(state, given, at) : given;
  if (bytes.length > 0) state.greeted = true;
  const wasTls = state.session.expects() === 'tls';
  let from = 0;
  while (from < bytes.length && !state.over) {
    const agreed = !wasTls && state.session.expects() === 'tls';
    from += readPart(state, from === 0 ? bytes : bytes.subarray(from), at, agreed);
  }
}

function readPart(state: State, bytes: Uint8Array, at: Micros, agreed: boolean): number {
  const { session, rules, dryRun } = state;
  if (session.expects() === 'tls') return readTls(state, bytes, at, agreed);
  const { on, phase, opaque } = session.waiting();
  if (!opaque && on === 'server') {
    if (phase === 'greeting' && rules.banner !== undefined && !dryRun)
      return readGreeting(state, rules.banner, bytes, at);
    if (phase === 'hello' && state.hidden.size > 0 && !dryRun) return readHello(state, bytes, at);
    // Behind the 220 everything is something else.
    if (phase === 'starttls') return readUnit(state, bytes, at);
  }
  // The reply behind this one may be one of those.
  if (dryRun || session.pending() > 1) return readUnit(state, bytes, at);
  sendClient(state, bytes, at);
  return bytes.length;
}

function readUnit(state: State, bytes: Uint8Array, at: Micros): number {
  const before = state.session.expects();
  const { events, taken } = state.session.feedUnit('server', bytes, at);
  passReply(state, events, bytes.subarray(0, taken), at);
  if (before !== 'tls' && state.session.expects() === 'tls') state.tls.client = state.tls.server = 0;
  return taken;
}

/** After its 220 to STARTTLS. `agreed`: the 220 came in the same piece, and plain octets were put behind it. */
function readTls(state: State, bytes: Uint8Array, at: Micros, agreed: boolean): number {
  if (confirmTls(state, 'server', bytes)) return readUnit(state, bytes, at);
  if (agreed && isEnforced(state, 'response injection', at)) return bytes.length;
  if (!agreed && isEnforced(state, 'no TLS of the server', at)) {
    end(state);
    return bytes.length;
  }
  const taken = readUnit(state, bytes, at);
  endLost(state, at);
  return taken;
}

/** Line by line, each with the operator's text in place of the server's. */
function readGreeting(state: State, banner: string, bytes: Uint8Array, at: Micros): number {
  const lf = bytes.indexOf(LF);
  const taken = lf < 0 ? bytes.length : lf + 1;
  const line = joinOctets([state.reply, bytes.subarray(0, taken)]);
  const whole = lf >= 0 || line.length > REPLY_LINE;
  state.reply = whole ? NO_OCTETS : line.slice();
  if (!whole) return taken;
  const parsed = parseReplyLine(withoutEnd(line));
  const replaced = parsed?.code === GREETED ? fromLatin1(`220${parsed.more ? '-' : ' '}${banner}\r\n`) : line;
  sendClient(state, replaced, at);
  return taken;
}

/** The whole reply to EHLO, without the keywords that are hidden. */
function readHello(state: State, bytes: Uint8Array, at: Micros): number {
  const before = state.reply.length;
  const all = joinOctets([state.reply, bytes]);
  // Lines that were whole before are none of them the last.
  const end = endOfReply(all, state.reply.lastIndexOf(LF) + 1);
  if (end === undefined && all.length <= UNDECIDED) {
    state.reply = all.slice();
    return bytes.length;
  }
  const reply = all.subarray(0, end?.index);
  state.reply = NO_OCTETS;
  sendClient(state, end?.code === HELLO_DONE ? hideKeywords(reply, state.hidden) : reply, at);
  return reply.length - before;
}

/** Behind the last line of a reply. */
function endOfReply(
  bytes: Uint8Array,
  from: number,
): { readonly index: number; readonly code: number } | undefined {
  let index = from;
  for (const line of linesOf(bytes.subarray(from))) {
    index += line.length;
    if (line[line.length - 1] !== LF) return undefined;
    const parsed = parseReplyLine(withoutEnd(line));
    if (parsed && !parsed.more) return { index, code: parsed.code };
  }
  return undefined;
}

/** Octets of a reply that is not whole: the server will send no more. */
export function endServer(state: State, at: Micros): void {
  const { reply } = state;
  state.reply = NO_OCTETS;
  if (reply.length > 0 && !state.over) sendClient(state, reply, at);
}

function withoutEnd(line: Uint8Array): Uint8Array {
  const { length } = line;
  if (line[length - 1] !== LF) return line;
  return line.subarray(0, line[length - 2] === CR ? length - 2 : length - 1);
}

/** What is beyond the limit of a reply line is left out; its CRLF stays. */
function cutLongLines(state: State, bytes: Uint8Array, at: Micros): Uint8Array {
  if (state.replyLine === 0 && bytes.length <= LINE_BY_RFC && bytes.indexOf(LF) === bytes.length - 1)
    return bytes;
  const parts: Uint8Array[] = [];
  for (const piece of linesOf(bytes)) {
    const before = state.replyLine;
    const length = before + piece.length;
    const ended = piece[piece.length - 1] === LF;
    state.replyLine = ended ? 0 : length;
    if (before <= LINE_BY_RFC && length > LINE_BY_RFC) isEnforced(state, 'reply line too long', at);
    const kept = piece.subarray(0, Math.max(0, TEXT_BY_RFC - before));
    // The two octets that may be its CRLF wait for the end of the line.
    if (ended && length <= LINE_BY_RFC && before <= TEXT_BY_RFC) parts.push(piece);
    else parts.push(kept, ended ? CRLF : NO_OCTETS);
  }
  return state.dryRun ? bytes : joinOctets(parts);
}

function isPlain({ session }: State): boolean {
  return session.expects() !== 'tls' && session.expects() !== 'opaque';
}

const LF = 0x0a;
const CR = 0x0d;
const CRLF = Uint8Array.of(CR, LF);
const GREETED = 220;
const HELLO_DONE = 250;
const TEXT_BY_RFC = LINE_BY_RFC - 2;
