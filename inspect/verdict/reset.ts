// Reset injected: a RST that is not its sender's (RFC 9293 §3.5.2, RFC 5961 §3).

import type { Finding, Premises } from '../coverage/finding';
import type { Direction, Evidence } from '../events';
import { DISORDER } from '../limits';
import { FASTEST, type Stamp } from '../tcp/clock';
import { FLAG, type Segment } from '../tcp/segment';
import { advance, distance } from '../tcp/seq';
import { type ConnectionView, evidenceOf, type JudgeInput } from '../tcp/view';
import { type Cause, MISSED, VENDOR } from './judge';
import { EVIDENCE, TTL_JUMP } from './thresholds';

/** Watches the resets that claim to be one side's. */
export function createReset(from: Direction): ResetState {
  return {
    from,
    before: undefined,
    asked: undefined,
    reset: undefined,
    isAnswer: false,
    signs: [],
    misplaced: false,
    alive: false,
    reported: 0,
  };
}

export function judgeReset(state: ResetState, input: JudgeInput): readonly Finding[] {
  const { segment, kind } = input;
  if (input.from === state.from && segment) {
    if (state.reset) goesOn(state, input, segment);
    else if (segment.flags & FLAG.rst) examine(state, input, segment);
    else {
      state.before = segment;
      state.asked = undefined;
    }
  } else if (segment && segment.flags & FLAG.ack && !state.reset) {
    state.asked = input.connection[state.from].stream.offsetOf(segment.ack);
  }
  const count = state.signs.length;
  // Alone a sign may have a reason; at the end it is at least a suspicion.
  if (count <= state.reported || count < (kind === 'end' || state.alive ? 1 : 2)) return NOTHING;
  state.reported = EVIDENCE;
  return [tell(state, input)];
}

export function isResetUndecided({ signs }: ResetState): boolean {
  return signs.length > 0;
}

export interface ResetState {
  readonly from: Direction;
  /** The side's last segment before the reset. */
  before: Segment | undefined;
  /** What the other side acknowledged in its last segment, as long as this side has not answered it. */
  asked: number | undefined;
  reset: Segment | undefined;
  /**
   * It has the form in which a closed socket answers a segment, with what that one acknowledged for a number
   * (RFC 9293 §3.10.7.1): one of before, which was held on its way. No receiver minds such a RST (RFC 5961 §3).
   */
  isAnswer: boolean;
  readonly signs: Evidence[];
  /** One of them is its number, which is that of nothing that was captured. */
  misplaced: boolean;
  /** The side went on speaking: it knows of no reset. */
  alive: boolean;
  reported: number;
}

function examine(state: ResetState, { connection }: JudgeInput, segment: Segment): void {
  state.reset = segment;
  const { before, from } = state;
  if (!before) return;
  // Who sent no more than a SYN may be a scanner: the stack below it knows of no connection and resets it.
  if (from === 'client' && before.flags & FLAG.syn) return;
  if (Math.abs(segment.ttl - before.ttl) >= TTL_JUMP) {
    const note = `RST with TTL ${segment.ttl}; the ${from}'s own segments have ${before.ttl}`;
    state.signs.push(evidenceOf(connection, from, segment, note));
  }
  const { stream, acked } = connection[from];
  const offset = stream.offsetOf(segment.seq) ?? 0;
  // Where octets are awaited, or were missed, it is not known where it was.
  if (stream.missingSince !== undefined || acked > stream.next) return;
  state.isAnswer = (segment.flags & FLAG.ack) === 0 && offset < connection[from].acked;
  // A stack resets at its next number, or at the one that the other side acknowledged: the highest, or, where
  // nothing is left of the connection, that of the very segment that it answers (RFC 9293 §3.10.7.1).
  if (
    !state.isAnswer &&
    offset !== stream.next &&
    offset !== stream.sent &&
    offset !== stream.next + 1 &&
    offset !== state.asked &&
    offset !== connection[from].acked
  ) {
    const note = `RST at ${offset}; the ${from} was at ${stream.next}`;
    state.signs.push(evidenceOf(connection, from, segment, note));
    state.misplaced = true;
  }
}

function goesOn(state: ResetState, { connection }: JudgeInput, segment: Segment): void {
  if (segment.flags & (FLAG.rst | FLAG.syn) || state.alive) return;
  if (mayBeOlder(state, connection, segment)) return;
  state.alive = true;
  const note = `the ${state.from} itself goes on after "its" RST`;
  state.signs.push(evidenceOf(connection, state.from, segment, note));
}

/**
 * Sent before the reset and overtaken by it: the path may delay single segments. Its stamp may show that it is not; else
 * its octets lie before the reset's number, and nothing says when it was sent.
 */
function mayBeOlder(
  { from, before, reset, asked, isAnswer }: ResetState,
  connection: ConnectionView,
  segment: Segment,
): boolean {
  if (!reset) return false;
  // Its stamp is cut off.
  if (segment.options.cut) return true;
  const { stream, clock } = connection[from];
  const [now] = segment.options.timestamps ?? [];
  // Either of the two may itself have come late: the one that makes it earlier counts.
  const sentAt = [clock.soonest, stampOf(before), stampOf(reset)].flatMap((then) =>
    then && now !== undefined && then.value !== now
      ? [then.at + (distance(then.value, now) / (clock.rate ?? FASTEST)) * 1e6]
      : [],
  );
  if (sentAt.length > 0 && Math.min(...sentAt) > reset.at + DISORDER) return false;
  const end = advance(segment.seq, segment.length);
  // Answering from a closed socket, a stack knows nothing of what it had sent beyond.
  return distance(end, reset.seq) >= 0 || stream.offsetOf(reset.seq) === asked || isAnswer;
}

function stampOf(segment: Segment | undefined): Stamp | undefined {
  const [value] = segment?.options.timestamps ?? [];
  return segment && value !== undefined ? { value, at: segment.at } : undefined;
}

function tell(
  { from, before, reset, signs, misplaced, alive }: ResetState,
  { connection, at }: JudgeInput,
): Finding {
  const evidence = before ? [evidenceOf(connection, from, before, `the ${from}'s last own segment`)] : [];
  if (reset) evidence.push(evidenceOf(connection, from, reset, 'the RST'));
  const proved = alive || signs.length >= 2;
  return {
    at,
    verdict: 'reset-injected',
    worth: proved ? 'proved' : 'suspected',
    premises: misplaced && signs.length === 1 ? OF_NUMBER : PREMISES,
    where: 'before',
    since: reset?.at ?? at,
    about: { from },
    proof: alive ? 'sequence' : 'header',
    summary: `The RST in the ${from}'s name ${proved ? 'is not' : 'may not be'} the ${from}'s: ${signs.map(({ note }) => note).join('; ')}.`,
    evidence: [...evidence, ...signs].slice(0, EVIDENCE),
  };
}

const NOTHING: readonly Finding[] = [];
/** It may answer a segment that was not captured, with the number that this one acknowledged. */
const OF_NUMBER: Premises = { toSay: ['both-sides', 'nothing-missed', 'losses-counted'] };
/** Where its side was, and what it said last. */
const PREMISES: Premises = { toSay: ['both-sides', 'nothing-missed'], toProve: ['handshake'] };

/** A reset that its sender did not send. */
export const RESET_CAUSE: Cause = {
  rank: 1,
  what: "a reset that is not the peer's own",
  next: VENDOR,
  suspect: 'client',
  recheck:
    'Compare `ip.ttl` and `tcp.seq` of the RST with the other frames of the same sender, and see who goes on behind it.',
  ruledOut: ['An ordinary end: a TCP that sent RST does not go on, and its RST has its own TTL and number.'],
  open: ['The peer’s own machine, which resets in an unusual way: one sign alone may be that.', MISSED],
};
