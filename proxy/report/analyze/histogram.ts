// Quantiles of any number of durations in a fixed room: exact while they are few, within 1.1 % beyond.

export interface Histogram {
  add(value: number): void;
  readonly count: number;
  readonly max: number;
  /** The value that this share (0 to 1) of all does not exceed; 0 where there is none. */
  quantile(share: number): number;
}

export function createHistogram(): Histogram {
  const exact: number[] = [];
  let buckets: Float64Array | undefined;
  let count = 0;
  let max = 0;
  const spread = (value: number): void => {
    buckets ??= new Float64Array(BUCKETS);
    const index = bucketOf(value);
    buckets[index] = (buckets[index] ?? 0) + 1;
  };
  return {
    add(value) {
      count += 1;
      max = Math.max(max, value);
      if (buckets) spread(value);
      else if (exact.push(value) > EXACT) for (const each of exact.splice(0)) spread(each);
    },
    get count() {
      return count;
    },
    get max() {
      return max;
    },
    quantile(share) {
      // The nearest rank: always a value that was there, or one of its bucket.
      const rank = Math.max(1, Math.ceil(share * count));
      if (!buckets) return [...exact].sort((a, b) => a - b)[rank - 1] ?? 0;
      let seen = 0;
      for (let index = 0; index < BUCKETS; index += 1) {
        seen += buckets[index] ?? 0;
        if (seen >= rank) return Math.min(max, middleOf(index));
      }
      return max;
    },
  };
}

function bucketOf(value: number): number {
  return value < 1 ? 0 : Math.min(BUCKETS - 1, 1 + Math.floor(Math.log2(value) * STEPS));
}

function middleOf(index: number): number {
  return index === 0 ? 0 : 2 ** ((index - 0.5) / STEPS);
}

const EXACT = 1_024;
/** Steps of a doubling: half a step is 1.1 %. */
const STEPS = 32;
/** Up to 2^48 microseconds, nine years. */
const BUCKETS = 48 * STEPS;
