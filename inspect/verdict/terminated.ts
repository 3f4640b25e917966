// Terminated: header fields that one TCP keeps change within one side, so another TCP speaks for it.

import type { Finding, Premises } from '../coverage/finding';
import type { Direction, Evidence } from '../events';
import { DISORDER } from '../limits';
import { FLAG, type Segment } from '../tcp/segment';
import { distance, later } from '../tcp/seq';
import { type ConnectionView, evidenceOf, type JudgeInput } from '../tcp/view';
import { type Cause, MISSED } from './judge';
import { CLOCK_LEAP, ECHO_AHEAD, TTL_JUMP } from './thresholds';

/** Watches the segments of one side. Two different signs prove it; one alone may be a change of route. */
export function createTerminated(from: Direction): TerminatedState {
  return { from, first: undefined, stamped: undefined, signs: undefined, reported: 0 };
}

export interface TerminatedState {
  readonly from: Direction;
  first: Segment | undefined;
  stamped: Stamped | undefined;
  /** Few connections have any. */
  signs: Map<Sign, Evidence> | undefined;
  /** How many signs were. */
  reported: number;
}

export function judgeTerminated(state: TerminatedState, input: JudgeInput): readonly Finding[] {
  const { kind, from: sender, segment, connection, at } = input;
  const { from } = state;
  if (sender === from && segment && !(segment.flags & FLAG.rst)) {
    state.first ??= segment;
    add(state, signsOf(state.first, segment), connection, segment);
    add(state, stampSigns(connection, segment), connection, segment);
    add(state, echoSigns(segment, state.stamped), connection, segment);
  } else if (segment) {
    state.stamped = stampedBy(state.stamped, segment);
  }
  const { first, signs, reported } = state;
  // One sign is reported at the end only: another may come.
  const bar = kind === 'end' ? 1 : 2;
  if (!first || !signs || signs.size < bar || signs.size <= reported || reported >= 2) return NOTHING;
  state.reported = signs.size;
  return [tell(from, first, connection, signs, at)];
}

export function isTerminatedUndecided({ signs }: TerminatedState): boolean {
  return signs !== undefined;
}

function add(state: TerminatedState, found: Found, connection: ConnectionView, segment: Segment): void {
  for (const [sign, note] of found) {
    state.signs ??= new Map();
    if (!state.signs.has(sign)) state.signs.set(sign, evidenceOf(connection, state.from, segment, note));
  }
}

type Sign = 'ttl' | 'timestamps' | 'clock' | 'zero-window' | 'echo';

/** The stamps of the other side from its SYN on: what there is to echo. */
interface Stamped {
  readonly first: number;
  readonly last: number;
}

function stampedBy(before: Stamped | undefined, { flags, options }: Segment): Stamped | undefined {
  const value = options.timestamps?.[0];
  if (value === undefined || flags & FLAG.rst) return before;
  if (flags & FLAG.syn) return { first: before?.first ?? value, last: value };
  // Mid-stream an older stamp may still be under way.
  return before && { first: before.first, last: later(before.last, value) };
}

type Found = readonly (readonly [sign: Sign, note: string])[];

/** RFC 7323 §3.2: an echo repeats a stamp of the other side's, and without ACK there is nothing to echo. */
function echoSigns({ flags, options }: Segment, stamped: Stamped | undefined): Found {
  const echo = options.timestamps?.[1];
  if (!echo) return NONE;
  if (flags & FLAG.syn && !(flags & FLAG.ack)) {
    return [['echo', `a first SYN that echoes a timestamp (${echo}): a SYN proxy keeps its notes there`]];
  }
  if (stamped && (distance(stamped.first, echo) < 0 || distance(stamped.last, echo) > ECHO_AHEAD)) {
    return [['echo', `echoes timestamp ${echo}, which the other side never sent`]];
  }
  return NONE;
}

function signsOf(first: Segment, segment: Segment): Found {
  let found: Found = NONE;
  if (Math.abs(segment.ttl - first.ttl) >= TTL_JUMP) {
    found = [['ttl', `TTL ${segment.ttl}, and ${first.ttl} in its first segment: another number of hops`]];
  }
  const before = first.options.timestamps;
  const now = segment.options.timestamps;
  if (before && now) {
    const ticks = (now[0] - before[0]) | 0;
    const elapsed = (segment.at - first.at) / 1e6;
    if (!isClock(ticks, elapsed)) {
      found = [...found, ['clock', `timestamp clock leapt by ${ticks} ticks in ${elapsed.toFixed(3)} s`]];
    }
  }
  if (segment.flags & FLAG.syn && segment.flags & FLAG.ack && segment.window === 0) {
    const note = 'SYN-ACK with a window of 0: a SYN proxy that has not reached the server yet';
    found = [...found, ['zero-window', note]];
  }
  return found;
}

/** RFC 7323 §3.2: agreed on by both SYNs, they are in every segment; never agreed on, in none. */
function stampSigns({ client, server }: ConnectionView, { flags, options }: Segment): Found {
  const syns = [client.syn?.options, server.syn?.options];
  if (flags & FLAG.syn || options.cut || syns.some((each) => each === undefined || each.cut)) return NONE;
  const agreed = syns.every((each) => each?.timestamps !== undefined);
  if (agreed === (options.timestamps !== undefined)) return NONE;
  const note = agreed ? 'no timestamps, though they were agreed on' : 'timestamps that were never agreed on';
  return [['timestamps', note]];
}

/**
 * No stack ticks faster than 1 kHz but those that stamp microseconds; neither runs backwards, though a segment may be
 * captured before one that was sent before it.
 */
function isClock(ticks: number, elapsed: number): boolean {
  return (
    ticks >= -DISORDER && (ticks / 1_000 <= elapsed + CLOCK_LEAP || ticks / 1_000_000 <= elapsed + CLOCK_LEAP)
  );
}

function tell(
  from: Direction,
  first: Segment,
  connection: ConnectionView,
  signs: ReadonlyMap<Sign, Evidence>,
  at: number,
): Finding {
  const list = [...signs.values()].map(({ note }) => note).join('; ');
  return {
    at,
    verdict: 'path-terminated',
    worth: signs.size >= 2 ? 'proved' : 'suspected',
    premises: PREMISES,
    proof: 'header',
    where: 'before',
    since: Math.min(at, ...[...signs.values()].map((sign) => sign.at)),
    about: { from },
    summary: `A device on the path ${signs.size >= 2 ? 'speaks' : 'may speak'} TCP for the ${from}: ${list}.`,
    evidence: [evidenceOf(connection, from, first, `its first segment: TTL ${first.ttl}`), ...signs.values()],
  };
}

/** What a side's header is like is known from its SYN; of what follows alone a part may be another TCP's. */
const PREMISES: Premises = { toSay: [], toProve: ['handshake'] };
const NONE: Found = [];
const NOTHING: readonly Finding[] = [];

/** Another TCP speaks for a peer. */
export const TERMINATED_CAUSE: Cause = {
  rank: 2,
  what: 'a device on the path speaks TCP for an endpoint',
  next: 'a proxy or SYN proxy is on the path; capture on its other side too and compare (--wan, --dmz)',
  suspect: 'client',
  recheck:
    'Add the columns `ip.ttl`, `tcp.options.timestamp.tsval` and `tcp.window_size_value`. One TCP has one ' +
    'distance, one clock and one set of options: within one side they change.',
  ruledOut: ['A change of route: it moves the TTL by one or two, and nothing else.'],
  open: [
    'A change of route, or a load balancer with two ways: one sign alone may be that.',
    'A peer whose stack is unusual, a scanner’s for example.',
    MISSED,
  ],
};
