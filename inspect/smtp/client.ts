// The client's octets: commands, and what the dialogue makes of those that are none.

import type { Micros } from '../events';
import { LINE_BY_RFC, PENDING_COMMANDS, UNDECIDED } from '../limits';
import { say, type Quotable } from '../quotable';
import { createEndOfData } from './end-of-data';
import { type Command, parseCommand } from './grammar';
import { joinOctets } from './greeting-mender';
import type { Line } from './lines';
import { quoteOddity } from './oddity';
import { describeOctets, quoteParsed, sayVerb } from './quote';
import {
  type ClientMode,
  type Content,
  expectReply,
  fragment,
  report,
  reportOnce,
  type State,
  stepAside,
  stretch,
  type Undecided,
} from './state';
import { refuseStep, type Said, sayCommand } from './step';
import { readTls } from './tls-stream';

/** Reads a chunk of the client's stream, whatever its octets are by now. */
export function readClient(state: State, bytes: Uint8Array, at: Micros): void {
  const side = state.sides.client;
  if (bytes.length > 0 && state.pending[0]?.phase === 'greeting') {
    reportOnce(state, 'early-talker', 'client', at, say`the client spoke before the greeting was complete`);
  }
  let i = 0;
  while (i < bytes.length) {
    const taken = READERS[state.mode.kind](state, bytes, i, at);
    i += taken;
    side.position += taken;
  }
}

/** The reply is there that decides what the client's octets behind a command are. */
export function decide(state: State, mode: ClientMode): void {
  const before = state.mode;
  // What a client began to send of a secret that is not wanted any more must not be read as a command.
  const half = before.kind === 'secret' ? state.sides.client.framer.flush() : undefined;
  if (half) fragment(state, 'client', half);
  state.mode = mode;
  if (before.kind !== 'undecided') return;
  state.sides.client.position -= before.undecided.length;
  for (const { bytes, at } of before.undecided.pieces) readClient(state, bytes, at);
}

/** 354: what follows is the message (RFC 5321 §4.1.1.4). */
export function beginBody(state: State, at: Micros): void {
  const content: Content = { bytes: 0, ended: undefined, last: true };
  const repliesDue = state.lmtp ? Math.max(1, state.recipients) : 1;
  const asked = { verb: undefined, said: undefined, arrived: at, endsGroup: false };
  state.pending.push({ phase: 'message', ...asked, content, repliesDue });
  decide(state, { kind: 'body', end: createEndOfData(), content, begun: undefined });
}

/** The server has agreed to STARTTLS. What came before its word cannot be TLS (RFC 3207 §4.2, §6). */
export function dropInjected(state: State, { pieces, length }: Undecided): void {
  const [first] = pieces;
  const last = pieces[pieces.length - 1];
  if (!first || !last) return;
  const end = state.sides.client.position;
  state.step.guarded = true;
  const detail = say`pipelined behind STARTTLS: ${describeOctets(joinOctets(pieces.map(({ bytes }) => bytes)))}`;
  report(state, 'starttls-injection', 'client', first.at, detail);
  fragment(state, 'client', { span: { start: end - length, end }, started: first.at, at: last.at });
}

/** Reads from `bytes[from…]` and says how many octets it took; 0 only where it changed the mode. */
type Reader = (state: State, bytes: Uint8Array, from: number, at: Micros) => number;

const READERS: Readonly<Record<ClientMode['kind'], Reader>> = {
  command: (state, bytes, from, at) => readLine(state, bytes, from, at, handleCommand),
  undecided: readUndecided,
  body: readBody,
  chunk: readChunk,
  secret: (state, bytes, from, at) => readLine(state, bytes, from, at, handleSecret),
  tls: (state, bytes, from, at) => readTls(state, 'client', bytes, from, at),
  opaque: (_state, bytes, from) => bytes.length - from,
};

function readLine(
  state: State,
  bytes: Uint8Array,
  from: number,
  at: Micros,
  handle: (state: State, line: Line) => void,
): number {
  const side = state.sides.client;
  const { next, line } = side.framer.take(bytes, from, side.position, at);
  if (line) handle(state, line);
  return next - from;
}

function handleSecret(state: State, line: Line): void {
  state.out.push({ kind: 'secret', from: 'client', ...stretch(line) });
  state.mode = { kind: 'undecided', undecided: { verb: 'AUTH', pieces: [], length: 0 } };
}

function handleCommand(state: State, line: Line): void {
  const command = parseCommand(line.bytes);
  if (command.verb === '?' && state.lossy) {
    // Behind a gap the rest of a lost line looks like a command.
    fragment(state, 'client', line);
    return;
  }
  const { verb, rule } = command;
  const { terminator, at } = line;
  if (state.pending.length >= PENDING_COMMANDS) {
    // The order of the replies could no longer be kept.
    stepAsideAt(state, line.span.start, line, say`${PENDING_COMMANDS} commands without a reply`);
    return;
  }
  const { span, started } = line;
  const said = sayCommand(state, line, command);
  state.out.push({ kind: 'command', from: 'client', span, started, at, ...said, terminator });
  remark(state, line, command, said);
  const waiting = state.pending.find((pending) => pending.endsGroup && pending.phase !== 'greeting');
  if (waiting && !state.serverUnheard && !state.lossy) {
    const before = waiting.said ? sayVerb(waiting.said) : say`${waiting.phase}`;
    const detail = say`${sayVerb(said)} sent before the reply to ${before}`;
    report(state, 'improper-pipelining', 'client', at, detail);
  }
  const { chunk } = command;
  const content = chunk && { bytes: 0, ended: chunk.size === 0 ? at : undefined, last: chunk.last };
  expectReply(state, {
    phase: rule.phase,
    verb,
    said,
    arrived: started,
    endsGroup: rule.endsGroup ?? false,
    content,
    repliesDue: chunk?.last && state.lmtp ? Math.max(1, state.recipients) : 1,
  });
  if (verb === '?') state.step.unknown += 1;
  follow(state, command, content, line, said);
}

/** What the command changes at once, whatever the reply will be. */
function follow(state: State, command: Command, content: Content | undefined, line: Line, said: Said): void {
  const { verb, rule, chunk } = command;
  if (rule.phase === 'hello') state.hello = said.argument;
  if (verb === 'LHLO') {
    state.lmtp = true;
    report(state, 'lmtp', 'client', line.at, say`LHLO on an SMTP port`);
  }
  if (verb === 'MAIL' || verb === 'RSET' || rule.phase === 'hello') state.recipients = 0;
  // How long a chunk without a size is, nobody knows.
  if (verb === 'BDAT' && !chunk) refuseStep(state);
  if (chunk && content) {
    if (chunk.size > 0) state.mode = { kind: 'chunk', left: chunk.size, content, begun: undefined };
    else
      tellContent(state, 'bdat', content, { start: line.span.end, started: line.at }, line.span.end, line.at);
  }
  if (!rule.decides) return;
  if (state.serverUnheard) assumeAgreed(state, verb, line);
  else if (verb === 'DATA' || verb === 'STARTTLS' || verb === 'AUTH') {
    state.mode = { kind: 'undecided', undecided: { verb, pieces: [], length: 0 } };
  }
}

/** One-sided: a client that goes on was answered as it hoped. */
function assumeAgreed(state: State, verb: string, line: Line): void {
  if (verb === 'DATA') beginBody(state, line.at);
  else if (verb === 'AUTH') refuseStep(state);
  else if (verb === 'STARTTLS') {
    stepAsideAt(state, line.span.end, line, say`STARTTLS, and the server is not heard`);
  }
}

/** Steps aside from within a line: the octets that are only counted begin at `start`. */
function stepAsideAt(state: State, start: number, { started, at }: Line, why: Quotable): void {
  state.sides.client.opaque = { start, started };
  stepAside(state, 'opaque', 'client', at, why);
}

function remark(state: State, line: Line, command: Command, said: Said): void {
  const { at, terminator, bytes } = line;
  const { verb, oddity } = command;
  const quote = (): Quotable => quoteOddity(line, command, said);
  if (oddity) report(state, oddity, 'client', at, quote());
  if (terminator === 'lf') report(state, 'bare-lf', 'client', at, quote());
  if (bytes.includes(CR)) report(state, 'bare-cr', 'client', at, quote());
  if (bytes.includes(NUL)) report(state, 'nul', 'client', at, quote());
  // RFC 4954 §4.3 and others allow longer lines to AUTH and, with parameters, to MAIL and RCPT.
  const length = line.span.end - line.span.start;
  if (length > LINE_BY_RFC && (line.cut || (verb !== 'AUTH' && verb !== 'MAIL' && verb !== 'RCPT'))) {
    report(state, 'line-too-long', 'client', at, say`${length} octets: ${quote()}`);
  }
}

function readUndecided(state: State, bytes: Uint8Array, from: number, at: Micros): number {
  if (state.mode.kind !== 'undecided') return 0;
  const { undecided } = state.mode;
  if (undecided.length === 0) {
    state.step.guarded = true;
    const detail = say`octets behind ${sayVerb(undecided)} before its reply`;
    report(state, 'improper-pipelining', 'client', at, detail);
  }
  const piece = bytes.slice(from, from + UNDECIDED - undecided.length);
  if (piece.length === 0) {
    stepAside(
      state,
      'opaque',
      'client',
      at,
      say`over ${UNDECIDED} octets behind ${sayVerb(undecided)} without a reply`,
    );
    return 0;
  }
  undecided.pieces.push({ bytes: piece, at });
  undecided.length += piece.length;
  return piece.length;
}

function readBody(state: State, bytes: Uint8Array, from: number, at: Micros): number {
  const { mode } = state;
  if (mode.kind !== 'body') return 0;
  const begun = mode.begun ?? { start: state.sides.client.position, started: at };
  const { end, lookalikes } = mode.end.scan(bytes, from);
  for (const form of lookalikes) {
    report(state, 'end-of-data-lookalike', 'client', at, say`${quoteParsed(form)} inside the message`);
  }
  const taken = (end < 0 ? bytes.length : end) - from;
  mode.content.bytes += taken;
  if (end < 0) {
    state.mode = { ...mode, begun };
    return taken;
  }
  mode.content.bytes -= END_LINE;
  mode.content.ended = at;
  state.mode = { kind: 'command' };
  tellContent(state, 'data', mode.content, begun, state.sides.client.position + taken, at);
  return taken;
}

function readChunk(state: State, bytes: Uint8Array, from: number, at: Micros): number {
  const { mode } = state;
  if (mode.kind !== 'chunk') return 0;
  const begun = mode.begun ?? { start: state.sides.client.position, started: at };
  const taken = Math.min(mode.left, bytes.length - from);
  mode.content.bytes += taken;
  if (taken < mode.left) {
    state.mode = { ...mode, left: mode.left - taken, begun };
    return taken;
  }
  mode.content.ended = at;
  state.mode = { kind: 'command' };
  tellContent(state, 'bdat', mode.content, begun, state.sides.client.position + taken, at);
  return taken;
}

function tellContent(
  state: State,
  how: 'data' | 'bdat',
  { last }: Content,
  { start, started }: { start: number; started: Micros },
  end: number,
  at: Micros,
): void {
  // A reply may repeat what a message said.
  state.step.guarded = true;
  state.out.push({ kind: 'content', from: 'client', span: { start, end }, started, at, how, last });
}

const CR = 0x0d;
const NUL = 0x00;
/** The line `.` CRLF ends the message and is not part of it. */
const END_LINE = 3;
