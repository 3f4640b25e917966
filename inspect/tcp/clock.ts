// A peer's timestamp clock (RFC 7323 §5.4): its rate, and how long segments were under way more than usual.

import type { Micros } from '../events';
import { distance } from './seq';

/** Ticks per second that stacks use: 1 ms (Linux, most), 4 ms, 10 ms, and 1 µs (Linux with usec timestamps). */
const RATES = [1_000, 250, 100, 1_000_000] as const;

/** Two stamps at least this far apart that a rate explains to a tenth speak for that rate. */
const TELLING: Micros = 100_000;
const TIGHT = 0.1;

/** So many pairs must speak for a rate, and twice as many as for any other: one alone may be a delayed segment. */
const VOICES = 2;

export interface Clock {
  /** A stamped segment arrived. */
  tick(value: number, at: Micros): void;
  /** Ticks per second, once the connection itself has shown it; `undefined` before. */
  readonly rate: number | undefined;
  /**
   * How much later `to` came than its stamp says, against `from`: by the known rate, else by the one that
   * makes it least. Negative where it came sooner.
   */
  leastExcess(from: Stamp, to: Stamp): Micros;
}

export interface Stamp {
  readonly value: number;
  readonly at: Micros;
}

export function createClock(): Clock {
  let first: Stamp | undefined;
  let last: Stamp | undefined;
  const voices = new Map<number, number>();
  let rate: number | undefined;
  // Any segment may have been held, the first one too (by ARP, for one): no single pair decides.
  const hear = (from: Stamp, to: Stamp): void => {
    const ticks = distance(from.value, to.value);
    const elapsed = to.at - from.at;
    if (elapsed < TELLING || ticks <= 0) return;
    const told = RATES.find((each) => Math.abs((ticks / each) * 1e6 - elapsed) <= elapsed * TIGHT);
    if (told !== undefined) voices.set(told, (voices.get(told) ?? 0) + 1);
  };
  return {
    tick(value, at) {
      const stamp = { value, at };
      if (first && last) {
        hear(first, stamp);
        if (last !== first) hear(last, stamp);
        rate = loudest(voices);
      }
      first ??= stamp;
      last = stamp;
    },
    get rate() {
      return rate;
    },
    leastExcess(from, to) {
      const ticks = distance(from.value, to.value);
      // The slowest clock makes most of a tick. One tick more: the stamp may be that old when it is sent.
      const slowest = rate ?? Math.min(...RATES);
      return to.at - from.at - ((ticks + 1) / slowest) * 1e6;
    },
  };
}

function loudest(voices: ReadonlyMap<number, number>): number | undefined {
  const [best, second] = [...voices].sort(([, a], [, b]) => b - a);
  return best && best[1] >= VOICES && best[1] >= 2 * (second?.[1] ?? 0) ? best[0] : undefined;
}
