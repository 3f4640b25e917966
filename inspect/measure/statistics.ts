// What rounds say together: medians, the spread between them, and bars of a distribution.

/** A figure over rounds. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Of an even number of values the median is the mean of the two in the middle; of none it is NaN. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted.length >> 1;
  const lower = sorted.length % 2 === 0 ? upper - 1 : upper;
  const median = ((sorted[lower] ?? Number.NaN) + (sorted[upper] ?? Number.NaN)) / 2;
  return { median, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN };
}

/** The ratio of two ways round by round: what changes between rounds changes both. */
export function ratioOf(first: readonly number[], second: readonly number[]): Spread {
  return spreadOf(
    first.flatMap((value, round) => {
      const ratio = value / (second[round] ?? Number.NaN);
      return Number.isFinite(ratio) ? [ratio] : [];
    }),
  );
}

/** How many of all values lie below an upper edge, and not below the edge before it. */
export interface Bar {
  readonly below: number;
  readonly count: number;
}

/**
 * A distribution as bars, whose edges are 1, 2 and 5 times powers of ten; empty ones at both ends are left out. `valueAt`: the
 * value that this share of all, in percent, does not exceed.
 */
export function barsOf(valueAt: (percent: number) => number, count: number): readonly Bar[] {
  if (count === 0) return [];
  const [least, most] = [valueAt(0), valueAt(100)];
  const edges = EDGES.filter((edge, i) => edge > least && (EDGES[i - 1] ?? 0) <= most);
  let before = 0;
  return edges.map((below) => {
    const all = below > most ? count : countBelow(valueAt, count, below);
    const bar = { below, count: all - before };
    before = all;
    return bar;
  });
}

/** The rank is found by halving: the values at ranks do not fall. */
function countBelow(valueAt: (percent: number) => number, count: number, edge: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    // Half a rank less: a rounded share must not reach the next rank.
    if (valueAt(((middle - 0.5) / count) * 100) < edge) low = middle;
    else high = middle - 1;
  }
  return low;
}

const EDGES = Array.from({ length: 33 }, (_, i) => ([1, 2, 5][i % 3] ?? 1) * 10 ** Math.floor(i / 3));
