// Terminated: the header's handwriting changes within one side, so somebody else speaks TCP for it.

import type { Direction, Evidence, VerdictEvent } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { distance, later } from '../tcp/seq';
import { type ConnectionView, evidenceOf } from '../tcp/view';
import type { Judge } from './judge';
import { CLOCK_LEAP, ECHO_AHEAD, TTL_JUMP } from './thresholds';

/** Watches the segments of one side. Two different signs prove it; one alone may be a change of route. */
export function createTerminatedJudge(from: Direction): Judge {
  const signs = new Map<Sign, Evidence>();
  let first: Segment | undefined;
  let stamped: Stamped | undefined;
  let told = 0;
  return {
    see({ kind, from: sender, segment, connection, at }) {
      if (sender === from && segment && !(segment.flags & FLAG.rst)) {
        first ??= segment;
        for (const [sign, note] of [...signsOf(first, segment), ...echoSigns(segment, stamped)]) {
          if (!signs.has(sign)) signs.set(sign, evidenceOf(connection, from, segment, note));
        }
      } else if (segment) {
        stamped = stampedBy(stamped, segment);
      }
      // One sign is told at the end only: another may come.
      const bar = kind === 'end' ? 1 : 2;
      if (!first || signs.size < bar || signs.size <= told || told >= 2) return [];
      told = signs.size;
      return [tell(from, first, connection, signs, at)];
    },
  };
}

type Sign = 'ttl' | 'timestamps' | 'clock' | 'zero-window' | 'echo';

/** The stamps of the other side from its SYN on: what there is to echo. */
interface Stamped {
  readonly first: number;
  readonly last: number;
}

function stampedBy(before: Stamped | undefined, { flags, options }: Segment): Stamped | undefined {
  const [value] = options.timestamps ?? [];
  if (value === undefined || flags & FLAG.rst) return before;
  if (flags & FLAG.syn) return { first: before?.first ?? value, last: value };
  // Mid-stream an older stamp may still be under way.
  return before && { first: before.first, last: later(before.last, value) };
}

/** RFC 7323 §3.2: an echo repeats a stamp of the other side's, and without ACK there is nothing to echo. */
function* echoSigns({ flags, options }: Segment, stamped: Stamped | undefined): Generator<[Sign, string]> {
  const [, echo] = options.timestamps ?? [];
  if (!echo) return;
  if (flags & FLAG.syn && !(flags & FLAG.ack)) {
    yield ['echo', `a first SYN that echoes a timestamp (${echo}): a SYN proxy keeps its notes there`];
  } else if (stamped && (distance(stamped.first, echo) < 0 || distance(stamped.last, echo) > ECHO_AHEAD)) {
    yield ['echo', `echoes timestamp ${echo}, which the other side never sent`];
  }
}

function* signsOf(first: Segment, segment: Segment): Generator<[Sign, string]> {
  if (Math.abs(segment.ttl - first.ttl) >= TTL_JUMP) {
    yield ['ttl', `TTL ${segment.ttl}, and ${first.ttl} in its first segment: another number of hops`];
  }
  const handshake = first.flags & FLAG.syn;
  const [before, now] = [first.options.timestamps, segment.options.timestamps];
  // RFC 7323 §3.2: agreed on in the handshake, they are in every segment; never agreed on, in none.
  if (handshake && segment !== first && (before === undefined) !== (now === undefined)) {
    yield [
      'timestamps',
      now ? 'timestamps that were never agreed on' : 'no timestamps, though they were agreed on',
    ];
  }
  if (before && now) {
    const ticks = (now[0] - before[0]) | 0;
    const elapsed = (segment.at - first.at) / 1e6;
    // No stack ticks faster than 1 kHz but those that stamp microseconds; neither runs backwards.
    const fits = [1_000, 1_000_000].some((rate) => ticks >= -1 && ticks / rate <= elapsed + CLOCK_LEAP);
    if (!fits) yield ['clock', `timestamp clock leapt by ${ticks} ticks in ${elapsed.toFixed(3)} s`];
  }
  if (segment.flags & FLAG.syn && segment.flags & FLAG.ack && segment.window === 0) {
    yield ['zero-window', 'SYN-ACK with a window of 0: a SYN proxy that has not reached the server yet'];
  }
}

function tell(
  from: Direction,
  first: Segment,
  connection: ConnectionView,
  signs: ReadonlyMap<Sign, Evidence>,
  at: number,
): VerdictEvent {
  const list = [...signs.values()].map(({ note }) => note).join('; ');
  return {
    kind: 'verdict',
    at,
    verdict: 'path-terminated',
    certainty: signs.size >= 2 ? 'proved' : 'suspected',
    proof: 'header',
    summary: `Somebody on the path speaks TCP for the ${from}: ${list}.`,
    evidence: [evidenceOf(connection, from, first, `its first segment: TTL ${first.ttl}`), ...signs.values()],
  };
}
