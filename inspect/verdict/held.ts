// Held: TSval is stamped as the client sends (RFC 7323 §3.2), so arrival minus stamp is what the path kept back.

import type { Finding, Premises } from '../coverage/finding';
import type { Micros, Where } from '../events';
import type { Stamp } from '../tcp/clock';
import type { Segment } from '../tcp/segment';
import { distance } from '../tcp/seq';
import { evidenceOf, type JudgeInput } from '../tcp/view';
import { type Cause, MISSED, PLACES, VENDOR } from './judge';
import { HELD, JITTER } from './thresholds';
import { many, milliseconds as ms } from './words';

/** Of what was missed the first command may be a part. */
const PREMISES: Premises = { toSay: ['handshake', 'nothing-missed'] };

const OF_UNANSWERED: Premises = { toSay: [...PREMISES.toSay, 'losses-counted'] };

/** Watches the client's first command. */
export function createHeld(): HeldState {
  return { before: undefined, hello: undefined, others: [], done: false };
}

export function judgeHeld(state: HeldState, input: JudgeInput): readonly Finding[] {
  if (state.done) return NOTHING;
  const stamped = input.from === 'client' && input.segment?.options.timestamps !== undefined;
  if (stamped && input.segment) remember(state, input, input.segment);
  return state.hello ? decide(state, input) : NOTHING;
}

export function deadlineOfHeld({ done, hello }: HeldState): Micros | undefined {
  return done || !hello ? undefined : hello.segment.at + SETTLED;
}

export interface HeldState {
  /** The client's last stamped segment before its first octets. */
  before: Segment | undefined;
  /** Its first octets. */
  hello: Hello | undefined;
  /** Its other stamped segments: how late those usually are. */
  readonly others: Stamp[];
  done: boolean;
}

interface Hello {
  readonly segment: Segment;
  /** The last one that was sent before it. */
  readonly before: Segment;
  /** It was known to be missing when it came. */
  readonly missed: boolean;
}

function remember(state: HeldState, { news, connection }: JudgeInput, segment: Segment): void {
  const first = !state.hello && news.some(({ kind }) => kind === 'octets' || kind === 'ahead');
  // What holds the first command holds its retransmissions too: their delay is not the path's usual one.
  if (segment.length > 0 && segment.seq === state.hello?.segment.seq) return;
  if (!first && state.others.length < OTHERS) state.others.push(stampOf(segment));
  const { stream } = connection.client;
  // What is numbered behind the first command was sent after it: a FIN, or the answer to a probe.
  if (!first) state.before = state.hello || stream.sent > stream.next ? state.before : segment;
  else if (state.before) {
    const missed = news.some(({ kind }) => kind === 'filled');
    state.hello = { segment, before: state.before, missed };
  } else state.done = true;
}

/**
 * Speaks when the clock's rate and the path's jitter are known; without a rate at the end, and then only of what
 * any rate allows.
 */
function decide(state: HeldState, { connection, kind, at }: JudgeInput): readonly Finding[] {
  const { hello } = state;
  if (!hello) return NOTHING;
  const { clock } = connection.client;
  const settled = kind === 'end' || state.others.length >= ENOUGH || at - hello.segment.at >= SETTLED;
  if (!settled || (clock.rate === undefined && kind !== 'end')) return NOTHING;
  state.done = true;
  const held = clock.leastExcess(stampOf(hello.before), stampOf(hello.segment));
  // Late, and far later than this path usually makes segments.
  if (held < HELD || held < JITTER * spreadOf(state.others, clock.rate)) return [];
  const ticks = distance(stampOf(hello.before).value, stampOf(hello.segment).value);
  // A clock that runs backwards is another machine's: that is `path-terminated`.
  if (ticks < 0) return [];
  const arrived = ms(hello.segment.at - hello.before.at);
  // It may be a copy of one that came in time, was answered, and was not captured.
  const answered = connection.client.acked > 0;
  const rate =
    clock.rate === undefined ? 'a clock of unknown rate' : `its clock of ${clock.rate} ticks a second`;
  return [
    {
      at: hello.segment.at,
      verdict: 'ehlo-held',
      worth: clock.rate === undefined ? 'suspected' : 'proved',
      premises: answered ? PREMISES : OF_UNANSWERED,
      proof: 'timestamp',
      where: 'before',
      held,
      summary:
        `The first command (EHLO) was held on the path for ${ms(held)} ms: it arrived ${arrived} ms after the ` +
        `segment before it, and by ${rate} it was sent ${many(ticks, 'tick')} after it.` +
        (hello.missed ? ' It was not lost, as it had seemed.' : ''),
      ...(hello.missed && { withdraws: 'ehlo-dropped' as const }),
      evidence: [
        evidenceOf(connection, 'client', hello.before, 'the segment before'),
        evidenceOf(
          connection,
          'client',
          hello.segment,
          `the first command, ${arrived} ms and ${ticks} ticks later`,
        ),
      ],
    },
  ];
}

/** The path's own jitter: from the segment that came soonest after its stamp to the one that came latest. */
function spreadOf(stamps: readonly Stamp[], rate: number | undefined): Micros {
  const [first] = stamps;
  if (!first || rate === undefined) return 0;
  const late = stamps.map(({ value, at }) => at - first.at - (distance(first.value, value) / rate) * 1e6);
  return Math.max(...late) - Math.min(...late);
}

const NOTHING: readonly Finding[] = [];
/** So many other segments show the path's jitter, or so much time; more than these are not kept. */
const ENOUGH = 8;
const SETTLED: Micros = 2_000_000;
const OTHERS = 32;

function stampOf({ options, at }: Segment): Stamp {
  return { value: options.timestamps?.[0] ?? 0, at };
}

/** EHLO that was held back. */
export const HELD_CAUSE = (where: Where): Cause => ({
  rank: 1,
  what: `EHLO held back ${PLACES[where]}`,
  next: VENDOR,
  suspect: 'client',
  recheck:
    'Add the columns `frame.time_delta` and `tcp.options.timestamp.tsval`. Between the commented frames the arrival ' +
    'time advances far more than the sender’s own clock (TSval, RFC 7323) does: the difference is the time under way.',
  ruledOut: [
    'That the client was slow: its own clock, stamped into the segment as it was sent, says when it sent it.',
    'That a lost segment was sent again: a retransmission carries a new stamp.',
  ],
  open: ['A clock that ticks at another rate: too little of the connection was seen to know it.', MISSED],
});
