// Two captures of one firewall: their connections matched, their clocks compared, every pair judged.

import type { Direction, Micros } from '../events';
import { judgePair, type PairJudgement } from './judge';
import { alignPair } from './align';
import { handshakeSigns } from './handshake';
import type { Clocks, Offset } from './clock';
import { matchTraces, median, type Matching, type Pair } from './match';
import { NONE_UNCHANGED, type Unchanged } from './pairing';
import { isHello, isTimed, type Points, type Ran } from './evidence';
import type { Trace } from './trace';

export interface Survey extends Matching {
  /** Pairs that are not among `pairs`, and of which nothing is to be said. */
  readonly unchanged: Unchanged;
  /** Connections at both points. */
  readonly matched: number;
  readonly points: Points;
  readonly judgements: readonly PairJudgement[];
}

export interface PointCapture {
  /** Without those that passed unchanged. */
  readonly traces: readonly Trace[];
  readonly ran: Ran;
}

/** `together`: both captures ran all the time, as the user states; without it their ends prove nothing. */
export function surveyTwoPoints(
  wan: PointCapture,
  dmz: PointCapture,
  together = false,
  unchanged = NONE_UNCHANGED,
): Survey {
  const matching = matchTraces(wan.traces, dmz.traces, unchanged);
  const { pairs, clocks = EQUAL } = matching;
  const points: Points = {
    ...{ wan: wan.ran, dmz: dmz.ran, clocks, together },
    usual: usualDelays(pairs, clocks),
  };
  const matched = pairs.length + unchanged.pairs;
  return {
    ...matching,
    unchanged,
    matched,
    points,
    judgements: pairs.map((pair) => judgePair(pair, points)),
  };
}

/**
 * The median of what came through in one piece, without first commands: what may have been held says nothing of the usual delay. A pair
 * that is terminated has no delays of its segments.
 */
function usualDelays(pairs: readonly Pair[], clocks: Clocks): Record<Direction, Micros> {
  const delays: Record<Direction, Micros[]> = { client: [], server: [] };
  for (const { wan, dmz } of pairs.slice(0, USUAL_OF)) {
    if (handshakeSigns(wan, dmz, clocks).length > 0) continue;
    for (const fate of alignPair(wan, dmz, clocks).fates) {
      if (fate.kind !== 'passed' || !fate.sure || isHello(fate)) continue;
      if (isTimed(fate.sent, fate.came, clocks)) delays[fate.sent.passage.from].push(fate.delay);
    }
  }
  return { client: Math.max(0, median(delays.client)), server: Math.max(0, median(delays.server)) };
}

const NO_OFFSET: Offset = { micros: 0, slack: 0, bounded: false };
/** Where no connection is at both points there is nothing to compare. */
const EQUAL: Clocks = {
  ...{ atWan: () => NO_OFFSET, atDmz: () => NO_OFFSET },
  ...{ isSteady: () => false, steps: 0, drift: undefined },
};
/** Pairs that the usual delay is taken from. */
export const USUAL_OF = 1_000;
