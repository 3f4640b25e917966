// The client's octets: each command is judged before the server has an octet of it.

import type { Micros } from '../events';
import { COMMAND_LINE } from '../limits';
import { joinQuotable, NOTHING_SAID, type Quotable, say, sayFrom } from '../quotable';
import { VERBS } from '../grammar/grammar';
import { beginsTls } from '../greeting/foreign';
import { announcesUtf8, isChunkUnclear, isKnownVerb, judgeCommand, verbOf } from './commands';
import { type FindingName, findingOf } from './findings';
import { createMessageNormalizer, type Oddities } from './message';
import { acts, answer, end, feedClient, forwardUnit, isEnforced, refuse, type State } from './state';
import { doubtTls, findHidden, readClientTls, readForeignTls } from './tls';

/** Reads what can be judged by now, and how much that was; the rest waits for more octets or for a reply. */
export function readClient(state: State, bytes: Uint8Array, at: Micros): number {
  let from = 0;
  while (from < bytes.length && !state.over) {
    const before = state.session.expects();
    const taken = READERS[before](state, from === 0 ? bytes : bytes.subarray(from), at);
    from += taken;
    // The client's octets look like TLS; it is TLS once the server's do.
    if (before !== 'tls' && state.session.expects() === 'tls') doubtTls(state);
    // A reader that takes nothing waits, or has changed what the octets are.
    if (taken === 0 && state.session.expects() === before) break;
  }
  return state.over ? bytes.length : from;
}

/** The client will send no more: a line without its end is judged as it is. */
export function endClient(state: State, bytes: Uint8Array, at: Micros): number {
  const kind = state.session.expects();
  if (state.over || bytes.length === 0 || bytes.includes(LF)) return 0;
  if (kind === 'secret') return forwardUnit(state, bytes, at);
  if (kind !== 'command') return 0;
  const found = judgeCommand({ bytes, terminator: 'none', length: bytes.length }, state);
  if (state.rest === 'none' && (found === undefined || !acts(state, found))) forwardUnit(state, bytes, at);
  return bytes.length;
}

type Reader = (state: State, bytes: Uint8Array, at: Micros) => number;

const READERS: Readonly<Record<ReturnType<State['session']['expects']>, Reader>> = {
  command: readCommand,
  undecided: waitForReply,
  body: readMessage,
  chunk: readChunk,
  secret: readSecret,
  tls: readClientTls,
  opaque: forwardUnit,
};

/** What they are the reply to the command before them decides. */
function waitForReply(state: State, bytes: Uint8Array, at: Micros): number {
  if (!state.remarked) {
    state.remarked = true;
    state.out.push(...state.session.held(at));
  }
  const { session, verb } = state;
  // It is not known whether an unknown verb ends a group.
  const improper = VERBS[verb]?.endsGroup === true && acts(state, 'improper pipelining');
  if (!improper || session.pending() > 1) return 0;
  isEnforced(state, 'improper pipelining', at, sayVerb(state, verb));
  answer(state, 'improper pipelining', at);
  return bytes.length;
}

function readCommand(state: State, bytes: Uint8Array, at: Micros): number {
  if (state.unclear && state.session.pending() > 0) return 0;
  state.unclear = false;
  state.remarked = false;
  state.normalizer = undefined;
  if (state.refused !== undefined) {
    // The chunk of a refused BDAT is over.
    answerRefused(state, state.refused, at);
    return 0;
  }
  if (state.leading) {
    const taken = readLeading(state, bytes, at);
    if (taken !== undefined) return taken;
  }
  if (!state.spoke && beginsTls(bytes)) {
    const taken = readForeignTls(state, bytes, at);
    if (taken !== undefined) return taken;
  }
  state.spoke = true;
  const lf = bytes.indexOf(LF);
  if (state.rest !== 'none') return readRest(state, bytes.subarray(0, lf < 0 ? bytes.length : lf + 1), at);
  if (lf < 0 && bytes.length <= COMMAND_LINE) return 0;
  return readLine(state, lf < 0 ? bytes : bytes.subarray(0, lf + 1), lf >= 0, at);
}

/**
 * The client's first octets may be a PROXY header, which the server needs before it says anything. `undefined`: they are
 * none, and are read as commands. Blank lines, which a header may begin with, pass; the rest is held until it is whole.
 */
function readLeading(state: State, bytes: Uint8Array, at: Micros): number | undefined {
  const { leading } = state;
  if (!leading) return undefined;
  const passed = leading.held().length - state.leadingHeld;
  const parsed = leading.take(bytes.subarray(state.leadingHeld));
  if (parsed.kind === 'incomplete') {
    const blank = passed + bytes.length <= BLANK_LINES && isLineEnd(bytes, bytes.length);
    const passes = blank && !acts(state, 'PROXY header');
    state.leadingHeld = passes ? 0 : bytes.length;
    return passes ? forwardAll(state, bytes, at) : 0;
  }
  state.leading = undefined;
  if (parsed.kind === 'invalid') return undefined;
  const header = bytes.subarray(0, parsed.length - passed);
  if (isEnforced(state, 'PROXY header', at)) return refuse(state, 'PROXY header', header, at);
  const octets = leading.held().subarray(parsed.version === 1 ? 0 : HEAD, parsed.length);
  if (findHidden(state, octets).hides && isEnforced(state, 'command in a PROXY header', at))
    return refuse(state, 'command in a PROXY header', header, at);
  return forwardAll(state, header, at);
}

function forwardAll(state: State, bytes: Uint8Array, at: Micros): number {
  for (let from = 0; from < bytes.length;) {
    const taken = forwardUnit(state, bytes.subarray(from), at);
    from += taken;
  }
  return bytes.length;
}

function isLineEnd(bytes: Uint8Array, length: number): boolean {
  return bytes[length - 1] === LF;
}

/** A line of AUTH. To a server that ends lines at a bare CR what comes behind one is a command. */
function readSecret(state: State, bytes: Uint8Array, at: Micros): number {
  const lf = bytes.indexOf(LF);
  if (lf < 0 && bytes.length <= COMMAND_LINE) return 0;
  const line = lf < 0 ? bytes : bytes.subarray(0, lf + 1);
  const cr = line.findIndex((octet, i) => octet === CR && !isLineBreak(line[i + 1] ?? LF));
  return cr >= 0 && isEnforced(state, 'CR in a secret', at)
    ? refuse(state, 'CR in a secret', line, at)
    : forwardUnit(state, line, at);
}

function isLineBreak(octet: number): boolean {
  return octet === LF || octet === CR;
}

/** What is left of a line: of one that passes, or of one that is refused, which is answered behind it. */
function readRest(state: State, bytes: Uint8Array, at: Micros): number {
  const { rest } = state;
  const ended = isLineEnd(bytes, bytes.length);
  if (ended) state.rest = 'none';
  if (rest === 'pass') return forwardUnit(state, bytes, at);
  feedClient(state, bytes, at);
  if (ended && rest !== 'none') answerRefused(state, rest, at);
  return bytes.length;
}

/** A line, or `whole` false: the beginning of one that is too long to wait for its end. */
function readLine(state: State, bytes: Uint8Array, whole: boolean, at: Micros): number {
  const { session } = state;
  if (session.pending() >= GROUP) return 0;
  // With each octet behind it the line would be judged anew, to the same end.
  if (state.waits) return 0;
  const line = lineOf(bytes, whole);
  const untimely = state.untimely ?? untimelyOf(state, line.bytes);
  if (untimely === 'wait') return waitForReplies(state);
  const verb = verbOf(line.bytes);
  const unjudged = whole ? undefined : 'command without an end';
  for (const found of [untimely, judgeCommand(line, state), unjudged] as const) {
    if (found === undefined) continue;
    const early = isGreeting(state) && findingOf(found).rule === 'synchronization';
    // Replies come in the order of the commands: the ones before it are answered first.
    if (session.pending() > 0 && !early && acts(state, found)) {
      if (found === untimely) state.untimely = untimely;
      return waitForReplies(state);
    }
    if (isEnforced(state, found, at, sayVerb(state, verb))) return refuseLine(state, found, bytes, whole, at);
  }
  if (!whole) state.rest = 'pass';
  state.verb = verb;
  if (verb === 'MAIL') state.utf8 = announcesUtf8(line.bytes);
  if (verb === 'BDAT') state.unclear = isChunkUnclear(line.bytes) && acts(state, 'chunk not offered');
  return forwardUnit(state, bytes, at);
}

function waitForReplies(state: State): number {
  state.waits = true;
  return 0;
}

function lineOf(bytes: Uint8Array, whole: boolean): Parameters<typeof judgeCommand>[0] {
  if (!whole) return { bytes, terminator: 'none', length: Math.max(bytes.length, COMMAND_LINE + 1) };
  const crlf = bytes[bytes.length - 2] === CR;
  return {
    bytes: bytes.subarray(0, bytes.length - (crlf ? 2 : 1)),
    terminator: crlf ? 'crlf' : 'lf',
    length: bytes.length,
  };
}

/** A command that comes before its time. `wait`: the reply to EHLO says whether it may. */
function untimelyOf(state: State, line: Uint8Array): FindingName | 'wait' | undefined {
  const { session, rules, early, verb } = state;
  if (rules.synchronization === 'off') return undefined;
  if (session.pending() === 0) {
    if (verb !== '') state.early = undefined;
    const agreed = PIPELINED_CONNECTS.some((keyword) => state.offered.has(keyword));
    return verb === '' || agreed ? undefined : early;
  }
  if (!early && isGreeting(state)) {
    if (verb !== '' || verbOf(line) !== 'EHLO') return 'early talk';
    state.early = 'early talk';
  } else if (!early && verb === 'EHLO' && !state.introduced) {
    // The greeting may have crossed it on its way.
    state.early = 'improper pipelining';
  }
  if (state.early) return acts(state, state.early) ? 'wait' : undefined;
  if (VERBS[verb]?.endsGroup === true) return 'improper pipelining';
  return state.offered.has('PIPELINING') ? undefined : 'pipelining not offered';
}

function isGreeting({ session }: State): boolean {
  return session.waiting().phase === 'greeting';
}

function refuseLine(state: State, name: FindingName, bytes: Uint8Array, whole: boolean, at: Micros): number {
  if (findingOf(name).action === 'close') return refuse(state, name, bytes, at);
  feedClient(state, bytes, at);
  if (!whole) state.rest = name;
  // The chunk of a BDAT follows, whatever becomes of the command (RFC 3030 §2).
  else if (state.session.expects() === 'chunk') state.refused = name;
  else answer(state, name, at);
  return bytes.length;
}

function answerRefused(state: State, name: FindingName, at: Micros): void {
  state.refused = undefined;
  answer(state, name, at);
}

function readChunk(state: State, bytes: Uint8Array, at: Micros): number {
  if (state.unclear) {
    // Answered without its chunk: it is not known what the server takes the next octets for.
    if (state.session.pending() === 0) end(state);
    return 0;
  }
  if (state.refused === undefined) return forwardUnit(state, bytes, at);
  const taken = feedClient(state, bytes, at);
  if (state.session.expects() === 'command') answerRefused(state, state.refused, at);
  return taken;
}

function readMessage(state: State, bytes: Uint8Array, at: Micros): number {
  const { session, rules } = state;
  const taken = feedClient(state, bytes, at);
  const ended = session.expects() !== 'body';
  const piece = bytes.subarray(0, taken);
  if (rules.smuggling === 'off') {
    state.out.push({ kind: 'to-server', bytes: piece });
    return taken;
  }
  if (state.refused === undefined) forwardMessage(state, piece, ended, at);
  if (!ended) return taken;
  if (state.refused !== undefined) answerRefused(state, state.refused, at);
  else if (state.normalizer) reportOddities(state, state.normalizer.oddities, at);
  state.normalizer = undefined;
  return taken;
}

function forwardMessage(state: State, piece: Uint8Array, ended: boolean, at: Micros): void {
  const { rules, dryRun } = state;
  state.normalizer ??= createMessageNormalizer();
  const { bytes, odd } = state.normalizer.take(piece, ended);
  if (odd && rules.smuggling === 'enforce' && isEnforced(state, 'bare line ends', at)) {
    state.refused = 'bare line ends';
    return;
  }
  state.out.push({ kind: 'to-server', bytes: rules.smuggling === 'observe' || dryRun ? piece : bytes });
}

function reportOddities(state: State, oddities: Readonly<Oddities>, at: Micros): void {
  const { bareLf, bareCr, dotLines } = oddities;
  if (bareLf + bareCr + dotLines === 0) return;
  const detail = joinQuotable(
    [
      count(bareLf, say`bare LF`),
      count(bareCr, say`bare CR`),
      count(dotLines, say`lines with a dot stuffed`),
    ],
    ', ',
  );
  const anomaly = state.rules.smuggling === 'normalize' ? 'normalized' : 'bare-line-end';
  state.out.push({ kind: 'anomaly', anomaly, direction: 'client', at, detail });
}

function count(number: number, what: Quotable): Quotable {
  return number === 0 ? NOTHING_SAID : say`${number} ${what}`;
}

/** Only verbs of a list are quoted: another word may be a secret. */
function sayVerb({ rules }: State, verb: string): Quotable {
  return (isKnownVerb(verb, rules) ? sayFrom({ [verb]: verb }, verb) : undefined) ?? NOTHING_SAID;
}

/** Commands without a reply; the next one waits. The largest groups of RCPT that senders make have 50 to 100. */
const GROUP = 256;
/** Exim, since 4.94 and before. */
const PIPELINED_CONNECTS = ['PIPECONNECT', 'X_PIPE_CONNECT', 'PIPE_CONNECT'];
/** Behind a signature of version 2 (12 octets) and its head, or in a line of version 1. */
const HEAD = 16;
/** CRLF CRLF. */
const BLANK_LINES = 4;
const LF = 0x0a;
const CR = 0x0d;
