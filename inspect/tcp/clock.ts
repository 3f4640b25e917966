// A peer's timestamp clock (RFC 7323 §5.4): its rate, and how long segments were under way more than usual.

import type { Micros } from '../events';
import { distance } from './seq';

/** Ticks per second that stacks use: 1 ms (Linux, most), 4 ms, 10 ms, and 1 µs (Linux with usec timestamps). */
const RATES = [1_000, 250, 100, 1_000_000] as const;

/** Two stamps at least this far apart that a rate explains to a tenth speak for that rate. */
const MEASURABLE: Micros = 100_000;
const TIGHT = 0.1;

/** So many pairs must speak for a rate, and twice as many as for any other: one alone may be a delayed segment. */
const VOICES = 2;

export interface Clock {
  /** A stamped segment arrived. */
  tick(value: number, at: Micros): void;
  /** The stamp that came soonest after it was made, as far as that can be said whatever the rate. */
  readonly soonest: Stamp | undefined;
  /** The last stamp that came. */
  readonly last: Stamp | undefined;
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
  const state: State = {
    first: undefined,
    soonest: undefined,
    last: undefined,
    voices: undefined,
    rate: undefined,
    tick: (value, at) => tick(state, value, at),
    leastExcess(from, to) {
      const ticks = distance(from.value, to.value);
      // The slowest clock makes most of a tick. One tick more: the stamp may be that old when it is sent.
      const slowest = state.rate ?? SLOWEST;
      return to.at - from.at - ((ticks + 1) / slowest) * 1e6;
    },
  };
  return state;
}

interface State extends Clock {
  first: Stamp | undefined;
  soonest: Stamp | undefined;
  last: Stamp | undefined;
  /** How many pairs spoke for each rate: most connections are over before any did. */
  voices: Map<number, number> | undefined;
  rate: number | undefined;
}

function tick(state: State, value: number, at: Micros): void {
  const { first, last } = state;
  const stamp = { value, at };
  if (first && last) {
    hear(state, first, stamp);
    if (last !== first) hear(state, last, stamp);
  }
  state.first ??= stamp;
  const { soonest, rate = FASTEST } = state;
  if (!soonest || (distance(soonest.value, value) / rate) * 1e6 > at - soonest.at) state.soonest = stamp;
  state.last = stamp;
}

/** Any segment may have been held, the first one too (by ARP, for one): no single pair decides. */
function hear(state: State, from: Stamp, to: Stamp): void {
  const elapsed = to.at - from.at;
  if (elapsed < MEASURABLE) return;
  const ticks = distance(from.value, to.value);
  if (ticks <= 0) return;
  const rate = RATES.find((each) => Math.abs((ticks / each) * 1e6 - elapsed) <= elapsed * TIGHT);
  if (rate === undefined) return;
  state.voices ??= new Map();
  state.voices.set(rate, (state.voices.get(rate) ?? 0) + 1);
  state.rate = loudest(state.voices);
}

function loudest(voices: ReadonlyMap<number, number>): number | undefined {
  const [best, second] = [...voices].sort(([, a], [, b]) => b - a);
  return best && best[1] >= VOICES && best[1] >= 2 * (second?.[1] ?? 0) ? best[0] : undefined;
}

const SLOWEST = Math.min(...RATES);
/** Where the connection's own rate is not known: what it makes of a stamp is too early, never too late. */
export const FASTEST = Math.max(...RATES);
