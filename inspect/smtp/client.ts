// The client's octets: commands, and what the dialogue makes of those that are none.

import type { Micros } from '../events';
import { PENDING_COMMANDS, UNDECIDED } from '../limits';
import { say, type Quotable } from '../quotable';
import { keepAfterLookalike, opensWithCommand, opensWithHeader } from './lookalikes';
import { remarkPipelining, noteEarly, reportEarly } from './early-talker';
import { createEndOfData } from '../grammar/end-of-data';
import { type Command, MESSAGE, parseCommand, UNSEEN, type Verb } from '../grammar/grammar';
import { joinOctets } from '../octets';
import { createOctetQueue } from './octet-queue';
import type { Line } from '../grammar/lines';
import { dropHeader, readHeader } from './proxy-header';
import { goOn, giveUp, loseCommands } from './gap';
import { describeOctets, quoteParsed, sayVerb } from '../grammar/quote';
import {
  type ClientMode,
  type Content,
  expectReply,
  fragment,
  isInSync,
  report,
  type Said,
  type State,
  stepAside,
  stretch,
} from './state';
import { quoteAfterRefusal, quoteCommand, remarkCommand } from './quoting';
import { beginAgain, isTlsAgain, readTls } from './tls-stream';

/** Reads a chunk of the client's stream, whatever its octets are by now. */
export function readClient(state: State, bytes: Uint8Array, at: Micros): void {
  if (state.header) {
    for (const piece of readHeader(state, state.header, bytes, at)) readClient(state, piece.bytes, piece.at);
    return;
  }
  for (let i = 0; i < bytes.length;) i += readOne(state, bytes, i, at);
}

/** One line from `bytes[from…]`, or of a message, chunk or TLS what there is. 0 octets only where it changed the mode. */
export function readOne(state: State, bytes: Uint8Array, from: number, at: Micros): number {
  if (state.pending[0]?.rule.phase === 'greeting') noteEarly(state, at);
  const taken = READERS[state.mode.kind](state, bytes, from, at);
  state.sides.client.position += taken;
  return taken;
}

/** A server answers what may still become a header: it has taken it for a command, and so do we. */
export function endHeader(state: State): void {
  const begun = state.header?.pieces.length ?? 0;
  if (begun === 0 || state.pending[0]?.rule.phase === 'greeting') return;
  for (const { bytes, at } of dropHeader(state)) readClient(state, bytes, at);
}

/** The reply is there that decides what the client's octets behind a command are. */
export function decide(state: State, mode: ClientMode): void {
  // What a client began to send of a secret that is not wanted any more must not be read as a command.
  const half = state.mode.kind === 'secret' ? state.sides.client.framer.flush() : undefined;
  if (half) fragment(state, 'client', half);
  state.mode = mode;
  const queue = state.undecided;
  if (queue.length() === 0) return;
  // The client sent it for another reply: what looks like a command may be a message or a password.
  if (mode.kind === 'command') quoteAfterRefusal(state);
  const side = state.sides.client;
  // While they are read they are not held any more: `stepAside` in the midst of them goes on behind what was read.
  state.undecided = createOctetQueue();
  side.position -= queue.length();
  for (let piece = queue.first(); piece && state.mode.kind !== 'undecided'; piece = queue.first()) {
    const taken = READERS[state.mode.kind](state, piece.bytes, 0, piece.at);
    queue.take(taken);
    side.position += taken;
  }
  if (queue.length() === 0) return;
  side.position += queue.length();
  state.undecided = queue;
  remarkUndecided(state, queue.startedAt());
}

/** What follows is a message (RFC 5321 §4.1.1.4). */
export function beginBody(state: State, at: Micros): void {
  const content: Content = { how: 'data', bytes: 0, ended: undefined, last: true };
  // What was missed behind its DATA is a part of it.
  state.pending = state.pending.filter(({ rule }) => rule !== UNSEEN);
  state.pending.push({ rule: MESSAGE, arrived: at, content, last: true });
  const end = createEndOfData();
  decide(state, { kind: 'body', end, content, begun: undefined, afterLookalike: undefined });
}

/** What follows are `size` octets of any kind; without a size all until the server speaks again. */
export function beginBlob(state: State, size = Infinity): void {
  const content: Content = { how: 'blob', bytes: 0, ended: undefined, last: false };
  decide(state, size > 0 ? { kind: 'chunk', left: size, content, begun: undefined } : { kind: 'command' });
}

/** The server spoke: a blob without a stated size is over. */
export function endBlob(state: State, at: Micros): void {
  const { mode } = state;
  if (mode.kind !== 'chunk' || mode.left !== Infinity) return;
  state.mode = { kind: 'command' };
  if (mode.begun) reportContent(state, mode.content, mode.begun, state.sides.client.position, at);
}

/** The server has agreed to STARTTLS. What came before its word cannot be TLS (RFC 3207 §4.2, §6). */
export function dropInjected(state: State): void {
  const end = state.sides.client.position;
  const start = end - state.undecided.length();
  const pieces = state.undecided.clear();
  const [first] = pieces;
  const last = pieces[pieces.length - 1];
  if (!first || !last) return;
  state.quoting.guarded = true;
  const detail = say`pipelined behind STARTTLS: ${describeOctets(joinOctets(pieces.map(({ bytes }) => bytes)))}`;
  report(state, 'starttls-injection', 'client', first.at, detail);
  fragment(state, 'client', { span: { start, end }, started: first.at, at: last.at });
}

/** Reads from `bytes[from…]` and says how many octets it took; 0 only where it changed the mode. */
type Reader = (state: State, bytes: Uint8Array, from: number, at: Micros) => number;

const READERS: Readonly<Record<ClientMode['kind'], Reader>> = {
  command: (state, bytes, from, at) => readLine(state, bytes, from, at, handleCommand),
  undecided: hold,
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
  if (isTlsAgain(state, 'client', bytes[from])) return beginAgain(state, at);
  const { next, line } = side.framer.take(bytes, from, side.position, at);
  if (line) handle(state, line);
  return next - from;
}

function handleSecret(state: State, line: Line): void {
  state.out.push({ kind: 'secret', from: 'client', ...stretch(line) });
  if (state.mode.kind === 'secret') state.mode = { kind: 'undecided', verb: state.mode.verb };
}

function handleCommand(state: State, line: Line): void {
  const command = parseCommand(line.bytes, state.redact);
  if (command.verb === '?' && state.lossy) {
    // Behind a gap the rest of a lost line looks like a command, and what it began may go on.
    quoteAfterRefusal(state);
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
  if (rule.phase !== 'hello' && !state.pending.some((each) => each.rule.phase === 'hello'))
    reportEarly(state);
  goOn(state, line.started);
  const said = quoteCommand(state, line, command);
  state.out.push({ kind: 'command', from: 'client', span, started, at, ...said, terminator });
  remarkCommand(state, line, command, said);
  const waiting = state.pending.find(({ rule: { endsGroup, phase } }) => endsGroup && phase !== 'greeting');
  if (waiting && isInSync(state)) {
    const before = waiting.said ? sayVerb(waiting.said) : say`${waiting.rule.phase}`;
    const detail = say`${sayVerb(said)} sent before the reply to ${before}`;
    remarkPipelining(state, at, detail, waiting.rule.phase === 'hello');
  }
  const { chunk, last = false, blob } = command;
  const content: Content | undefined =
    chunk === undefined ? undefined : { how: 'bdat', bytes: 0, ended: chunk === 0 ? at : undefined, last };
  expectReply(state, {
    rule,
    verb,
    said,
    arrived: started,
    ...(content && { content }),
    ...(last && { last }),
    ...(blob !== undefined && { blob }),
  });
  if (verb === '?') state.quoting.unknown += 1;
  // Its reply is not seen, and so it is not known what follows it.
  if (verb === '?' && state.serverUnheard) quoteAfterRefusal(state);
  follow(state, command, content, line, said);
}

/** What the command changes at once, whatever the reply will be. */
function follow(state: State, command: Command, content: Content | undefined, line: Line, said: Said): void {
  const { verb, rule, chunk = 0 } = command;
  if (rule.phase === 'hello') state.hello = said.argument;
  if (verb === 'LHLO') {
    state.lmtp = true;
    report(state, 'lmtp', 'client', line.at, say`LHLO on an SMTP port`);
  }
  // A chunk without a size has an unknown length.
  if (verb === 'BDAT' && !content) quoteAfterRefusal(state);
  if (content && chunk > 0) state.mode = { kind: 'chunk', left: chunk, content, begun: undefined };
  else if (content) {
    reportContent(state, content, { start: line.span.end, started: line.at }, line.span.end, line.at);
  }
  if (!rule.next) return;
  if (state.serverUnheard) assumeAgreed(state, rule, line);
  else state.mode = { kind: 'undecided', verb };
}

/** One-sided: a client that goes on got the reply that it needs for that. */
function assumeAgreed(state: State, { phase }: Verb, line: Line): void {
  if (phase === 'data') beginBody(state, line.at);
  else if (phase === 'starttls') {
    stepAsideAt(state, line.span.end, line, say`STARTTLS, and the server is not heard`);
  } else {
    quoteAfterRefusal(state);
  }
}

/** Steps aside from within a line: the octets that are only counted begin at `start`. */
function stepAsideAt(state: State, start: number, { started, at }: Line, why: Quotable): void {
  state.sides.client.opaque = { start, started };
  stepAside(state, 'opaque', 'client', at, why);
}

function hold(state: State, bytes: Uint8Array, from: number, at: Micros): number {
  const { undecided, mode } = state;
  if (mode.kind !== 'undecided') return 0;
  if (undecided.length() === 0) remarkUndecided(state, at);
  const piece = bytes.subarray(from, from + UNDECIDED - undecided.length());
  if (piece.length === 0 && state.repliesLost) {
    presume(state, at);
    return 0;
  }
  if (piece.length === 0) {
    const why = say`over ${UNDECIDED} octets behind ${sayVerb(mode)} without a reply`;
    stepAside(state, 'opaque', 'client', at, why);
    return 0;
  }
  undecided.push(piece, at);
  return piece.length;
}

/** No reply will say what the undecided octets are: they show it themselves. */
export function presume(state: State, at: Micros): void {
  const { pending, undecided } = state;
  const last = pending[pending.length - 1];
  if (state.mode.kind !== 'undecided' || !last) return;
  const piece = undecided.first();
  giveUp(state, pending.length, at);
  if (piece && opensWithCommand(piece.bytes)) decide(state, { kind: 'command' });
  else if (last.rule.phase === 'data' && piece && opensWithHeader(piece.bytes)) beginBody(state, at);
  else if (last.rule.phase === 'data') loseUndecided(state, at);
  else if (last.rule.phase === 'auth') decide(state, { kind: 'secret', verb: last.verb ?? '' });
  else decide(state, { kind: 'command' });
}

/** They may be anything. */
function loseUndecided(state: State, at: Micros): void {
  const { undecided } = state;
  const end = state.sides.client.position;
  fragment(state, 'client', {
    span: { start: end - undecided.length(), end },
    started: undecided.startedAt(),
    at,
  });
  undecided.clear();
  loseCommands(state, at);
  state.mode = { kind: 'command' };
}

/** RFC 2920 §3.1. It is not known whether an unknown verb ends a group. */
export function remarkUndecided(state: State, at: Micros): void {
  state.quoting.guarded = true;
  if (state.mode.kind !== 'undecided' || state.mode.verb === '?') return;
  const detail = say`octets behind ${sayVerb(state.mode)} before its reply`;
  report(state, 'improper-pipelining', 'client', at, detail);
}

function readBody(state: State, bytes: Uint8Array, from: number, at: Micros): number {
  const { mode } = state;
  if (mode.kind !== 'body') return 0;
  const { position } = state.sides.client;
  const begun = mode.begun ?? { start: position, started: at };
  const { end, lookalikes } = mode.end.scan(bytes, from);
  for (const { form } of lookalikes) {
    report(state, 'end-of-data-lookalike', 'client', at, say`${quoteParsed(form)} inside the message`);
  }
  const taken = (end < 0 ? bytes.length : end) - from;
  mode.content.bytes += taken;
  const found = lookalikes.map((each) => ({ ...each, end: position + each.end - from }));
  const piece = { bytes: bytes.subarray(from, from + taken), at };
  const afterLookalike = keepAfterLookalike(mode.afterLookalike, piece, position, found);
  if (end < 0) {
    // Of a large message nearly no piece changes them.
    if (begun !== mode.begun || afterLookalike !== mode.afterLookalike)
      state.mode = { ...mode, begun, afterLookalike };
    return taken;
  }
  mode.content.bytes -= END_LINE;
  mode.content.ended = at;
  state.mode = { kind: 'command' };
  if (afterLookalike) mode.content.afterLookalike = afterLookalike;
  reportContent(state, mode.content, begun, position + taken, at);
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
  reportContent(state, mode.content, begun, state.sides.client.position + taken, at);
  return taken;
}

export function reportContent(
  state: State,
  { how, last }: Content,
  { start, started }: { start: number; started: Micros },
  end: number,
  at: Micros,
): void {
  // A reply may repeat what a message said.
  state.quoting.guarded = true;
  state.out.push({ kind: 'content', from: 'client', span: { start, end }, started, at, how, last });
}

/** The line `.` CRLF ends the message and is not part of it. */
const END_LINE = 3;
