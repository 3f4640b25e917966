// The greeting: never ended, malformed, or slow. What the server did, and not the path.

import type { Finding, Premises } from '../coverage/finding';
import type { Direction, Evidence, GreetingDefect, Micros, PhaseEvent, Proof, VerdictName } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { advance, distance } from '../tcp/seq';
import { evidenceOf, leavesRoom, type JudgeInput } from '../tcp/view';
import { type Cause, MISSED } from './judge';
import { GREETING_SLOW } from './thresholds';
import { seconds } from './words';

export function createGreeting(): GreetingState {
  return {
    octetsAt: undefined,
    begunAt: undefined,
    heardAt: undefined,
    room: true,
    fins: { client: undefined, server: undefined },
    last: undefined,
    after: undefined,
    over: false,
    doubted: false,
  };
}

export function judgeGreeting(state: GreetingState, input: JudgeInput): readonly Finding[] {
  const { client, server } = input.connection;
  // Mid-stream: whatever the server says first is not its greeting.
  if (!client.syn && !server.syn) return NOTHING;
  follow(state, input);
  if (state.over) return settle(state, input);
  // A hole may be where the last line was; and a client can make one, by acknowledging what was never sent.
  state.over = input.smtp.some((event) => event.kind === 'gap' && event.from === 'server');
  if (state.over) return NOTHING;
  const ended = input.smtp.find((event) => event.kind === 'phase' && event.phase === 'greeting');
  if (ended?.kind === 'phase') {
    state.over = true;
    return judgeEnded(state, input, ended);
  }
  // At the end the session's own line comes later: a truncated greeting is judged here.
  const left = input.kind === 'end' && serverLeft(state);
  if (state.heardAt === undefined || (input.at - state.heardAt < GREETING_SLOW && !left)) return NOTHING;
  state.over = true;
  return [truncated(state, input)];
}

export function deadlineOfGreeting({ over, heardAt }: GreetingState): Micros | undefined {
  return over || heardAt === undefined ? undefined : heardAt + GREETING_SLOW;
}

export interface GreetingState {
  /** When the server's last octets came, while the greeting lasts. */
  octetsAt: Micros | undefined;
  /** When its first ones came. */
  begunAt: Micros | undefined;
  /**
   * Since when only the server can send the next octets: its client has acknowledged all octets, has room for more and
   * has said nothing. Undefined while that is not so: the server may wait for the client, or may have been put off by it.
   */
  heardAt: Micros | undefined;
  /** The client's last segment left room for the server's next octets. */
  room: boolean;
  /** The FIN of either side. */
  readonly fins: Record<Direction, Segment | undefined>;
  /** The segment that carried them. */
  last: Segment | undefined;
  /** A later segment of the server's without octets: its number is what the server will send next. */
  after: Segment | undefined;
  over: boolean;
  /** It was said to be truncated, and its last line may still have been lost before this point. */
  doubted: boolean;
}

function follow(state: GreetingState, input: JudgeInput): void {
  const { from, segment, connection } = input;
  if (!segment) return;
  if (from === 'client') state.room = leavesRoom(connection, segment);
  if (from && segment.flags & FLAG.fin) state.fins[from] ??= segment;
  followServer(state, input);
  const { client, server } = connection;
  const heard = server.stream.next > 0 && server.acked >= server.stream.next;
  const theirs = heard && state.room && client.stream.next === 0 && client.stream.sent === 0;
  state.heardAt = theirs ? (state.heardAt ?? segment.at) : undefined;
}

function followServer(state: GreetingState, input: JudgeInput): void {
  const { from, segment, news } = input;
  if (from !== 'server' || !segment) return;
  if (state.over) return;
  if (news.some(({ kind }) => kind === 'octets')) {
    state.octetsAt = segment.at;
    state.begunAt ??= segment.at;
    state.last = segment;
    state.after = undefined;
  } else if (state.last && showsEnd(input, segment)) {
    state.after = segment;
  }
}

/** Its number is what its sender sends next (RFC 9293 §3.4); a keep-alive's is the one before, a reset's may be anybody's. */
function showsEnd({ connection: { server } }: JudgeInput, { flags, length, seq }: Segment): boolean {
  return length === 0 && !(flags & FLAG.rst) && (server.stream.offsetOf(seq) ?? 0) >= server.stream.next;
}

/** A later segment of the server's, its ACK of the client's FIN say, shows that nothing of it is missing here. */
function settle(state: GreetingState, input: JudgeInput): readonly Finding[] {
  const { from, segment, news } = input;
  if (!state.doubted || from !== 'server' || !segment) return NOTHING;
  if (news.some(({ kind }) => kind === 'octets')) state.doubted = false;
  if (!state.doubted || !showsEnd(input, segment)) return [];
  state.after = segment;
  const verdict = truncated(state, input);
  return verdict.worth === 'proved' ? [verdict] : [];
}

function judgeEnded(state: GreetingState, input: JudgeInput, phase: PhaseEvent): Finding[] {
  const defects = phase.greeting?.defects ?? [];
  const painful = defects.filter((defect) => PAINFUL.has(defect));
  const verdicts: Finding[] = [];
  if (painful.length > 0) {
    const summary = `The server's greeting is malformed (${painful.join(', ')}): clients stall on it or refuse it.`;
    verdicts.push(speak(state, input, 'greeting-malformed', 'content', summary));
  }
  if (phase.reply && phase.duration >= GREETING_SLOW) {
    const summary = `The server took ${seconds(phase.duration)} s for its greeting; impatient clients give up after 30 s.`;
    // Begun long before: that it was not reported as truncated rests on a segment of the client's that is not here.
    const begun = phase.at - (state.begunAt ?? phase.at) >= GREETING_SLOW;
    const slow = speak(state, input, 'greeting-slow', 'timestamp', summary);
    const premises = begun ? OF_SLOW_LINES : slow.premises;
    verdicts.push({ ...slow, premises, held: phase.duration });
  }
  return verdicts;
}

/** Proved where the server's own number shows that it sent no more than came here: not lost, never said. */
function truncated(state: GreetingState, input: JudgeInput): Finding {
  const { stream } = input.connection.server;
  const proved = stream.sent === stream.next && (state.after !== undefined || input.smtp.length > 0);
  state.doubted = !proved;
  const shown = state.after
    ? [evidenceOf(input.connection, 'server', state.after, 'its SEQ shows that it sent no more')]
    : [];
  const verdict = speak(
    state,
    input,
    'greeting-truncated',
    'sequence',
    `The server began a greeting of several lines (220-) and then nothing for ${seconds(silenceOf(state, input.at))} s: ` +
      (proved ? 'it never sent the last line.' : 'no last line came here.'),
  );
  return {
    ...verdict,
    worth: proved ? 'proved' : 'suspected',
    since: state.octetsAt ?? input.at,
    held: silenceOf(state, input.at),
    evidence: [...verdict.evidence, ...shown],
  };
}

function speak(
  state: GreetingState,
  input: JudgeInput,
  verdict: VerdictName,
  proof: Proof,
  summary: string,
): Finding {
  const evidence: Evidence[] = state.last
    ? [evidenceOf(input.connection, 'server', state.last, 'the greeting')]
    : [];
  return {
    ...{ at: input.at, verdict, worth: 'proved', premises: OF_GREETING, proof, where: 'before' },
    ...{ summary, evidence },
  };
}

/** It closed while its client had not: the client's FIN acknowledges the server's, whatever order they were captured in. */
function serverLeft({ fins: { client, server } }: GreetingState): boolean {
  if (!server) return false;
  return !client || distance(advance(server.seq, server.length + 1), client.ack) >= 0;
}

function silenceOf({ octetsAt }: GreetingState, at: Micros): Micros {
  return octetsAt === undefined ? 0 : at - octetsAt;
}

const NOTHING: readonly Finding[] = [];
/** The greeting, all of it, and a client that nothing of is missing. */
const OF_GREETING: Premises = { toSay: ['handshake', 'server-octets', 'nothing-missed'] };

const OF_SLOW_LINES: Premises = { toSay: [...OF_GREETING.toSay, 'losses-counted'] };

/** The defects that stall, confuse or turn away a real client. */
const PAINFUL: ReadonlySet<GreetingDefect> = new Set([
  'no-terminator',
  'no-separator',
  'tab-separator',
  'empty-text',
  'masked',
  'bare-cr',
  'leading-blank',
  'leading-junk',
  'wrong-code',
]);

/** A greeting that has no last line. */
export const TRUNCATED_CAUSE: Cause = {
  rank: 2,
  what: 'the greeting never ended, and it was the server that did not send more',
  next: "repair the mail server's banner; until then `ehlowire relay` completes it",
  suspect: 'server',
  recheck:
    'The last line of a reply has a space behind its code (RFC 5321 §4.2.1). The server’s next sequence number shows ' +
    'that it sent nothing more.',
  ruledOut: ['That the rest was lost on the way: the server’s sequence number shows that there was no rest.'],
  open: [
    'The last line was lost before this point.',
    'A server that is slow: the last line would have come later.',
  ],
};

/** A greeting that is not as RFC 5321 wants it. */
export const MALFORMED_CAUSE: Cause = {
  rank: 2,
  what: 'the greeting is malformed',
  next: "repair the mail server's banner (`ehlowire check HOST:PORT` says what is wrong)",
  suspect: 'server',
  recheck: 'Follow the TCP stream and compare its first line with RFC 5321 §4.2.',
  ruledOut: [],
  open: [MISSED],
};

/** A greeting that comes late. */
export const SLOW_CAUSE: Cause = {
  rank: 2,
  what: 'the greeting came too late for common clients',
  next: 'look at the mail server: DNS lookups, postscreen, load',
  suspect: 'server',
  recheck: 'The time between the handshake and the greeting’s last line.',
  ruledOut: [],
  open: [MISSED],
};
