// A peer's timestamp clock (RFC 7323 §5.4): its rate, and how long segments were under way more than usual.

import type { Micros } from '../events';
import { distance } from './seq';

/** Ticks per second that stacks use: 1 ms (Linux, most), 4 ms, 10 ms, and 1 µs (Linux with usec timestamps). */
const RATES = [1_000, 250, 100, 1_000_000] as const;

/** An arrival is never earlier than its stamp: allowance for one tick and for clocks that drift (500 ppm). */
const SLACK: Micros = 11_000;
const DRIFT = 0.001;

/** A span this long that a rate explains to a tenth makes the rate known. */
const TELLING: Micros = 100_000;
const TIGHT = 0.9;

export interface Clock {
  /** A stamped segment arrived. */
  tick(value: number, at: Micros): void;
  /** Ticks per second, once the connection itself has shown it; `undefined` before. */
  readonly rate: number | undefined;
  /** No rate fits any more: the stamps are not one clock's. */
  readonly broken: boolean;
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
  let rate: number | undefined;
  let possible: readonly number[] = RATES;
  const learn = (from: Stamp, to: Stamp): void => {
    const ticks = distance(from.value, to.value);
    const elapsed = to.at - from.at;
    if (ticks < 0 || elapsed < 0) return;
    // A slower clock would have stamped segments before they were sent.
    possible = possible.filter((each) => (ticks / each) * 1e6 <= elapsed * (1 + DRIFT) + SLACK);
    const told = possible.filter((each) => elapsed >= TELLING && (ticks / each) * 1e6 >= elapsed * TIGHT);
    if (told.length === 1) rate = told[0];
    if (rate !== undefined && !possible.includes(rate)) rate = undefined;
  };
  return {
    tick(value, at) {
      const stamp = { value, at };
      // Against the first alone: from a segment that the path held, all that come after it seem too fast.
      if (first) learn(first, stamp);
      first ??= stamp;
    },
    get rate() {
      return rate;
    },
    get broken() {
      return possible.length === 0;
    },
    leastExcess(from, to) {
      const ticks = distance(from.value, to.value);
      // The slowest clock makes most of a tick. One tick more: the stamp may be that old when it is sent.
      const slowest = rate ?? Math.min(...(possible.length > 0 ? possible : RATES));
      return to.at - from.at - ((ticks + 1) / slowest) * 1e6;
    },
  };
}
