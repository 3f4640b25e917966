// Two clocks: how far the one of the dmz point is from that of the wan point, at each time, and how sure that is.
//
// A segment that passed both points takes at least no time: toward the server it came at least the offset later by the dmz
// clock, toward the client at most. So each is a bound. Two clocks may run apart by `DRIFT`: the older a bound, the wider it
// is. Where bounds contradict each other, one of the clocks was set, and between two such times it is not known when.

import type { Direction, Micros, Point } from '../events';
import { DRIFT, STAMPING } from '../verdict/thresholds';

/** One segment at both points. */
export interface ClockSample {
  /** By the wan clock. */
  readonly at: Micros;
  /** By the dmz clock, minus that. */
  readonly difference: Micros;
  readonly from: Direction;
}

/** The dmz clock minus the wan clock; the truth lies within `slack` of it. */
export interface Offset {
  readonly micros: Micros;
  readonly slack: Micros;
  /** By segments in both directions: the truth cannot be farther off. Else it is what a path may usually take. */
  readonly bounded: boolean;
}

export interface Clocks {
  /** At a time of the dmz clock. */
  atDmz(at: Micros): Offset;
  /** At a time of the wan clock. */
  atWan(at: Micros): Offset;
  /** Whether no clock was set by more than `most` meanwhile, as segments before and after show. Times of the wan clock. */
  isSteady(from: Micros, to: Micros, most?: Micros): boolean;
  /** Times at which a clock was set. */
  readonly steps: number;
  /** The dmz clock's gain on the wan clock, in parts per million; absent where the samples are too few or too near. */
  readonly drift: number | undefined;
}

/** A time, and how wrong it may be. */
export interface Moment extends Pick<Offset, 'slack' | 'bounded'> {
  readonly at: Micros;
}

/** The other way round: by a point's own clock. */
export function atPoint(
  point: Point,
  { at, slack, bounded }: Moment,
  { atWan }: Pick<Clocks, 'atWan'>,
): Moment {
  if (point === 'wan') return { at, slack, bounded };
  const offset = atWan(at);
  const isSure = bounded && offset.bounded;
  return { at: at + offset.micros, slack: Math.max(slack, offset.slack), bounded: isSure };
}

/** What a point's own clock said, on the common clock, the wan point's. */
export function onCommonClock(point: Point, at: Micros, { atDmz }: Pick<Clocks, 'atDmz'>): Moment {
  if (point === 'wan') return { at, slack: STAMPING, bounded: true };
  const { micros, ...rest } = atDmz(at);
  return { at: at - micros, ...rest };
}

/** Absent without a sample. `at` of the samples need not be in order. */
export function createClocks(samples: readonly ClockSample[]): Clocks | undefined {
  const epochs = epochsOf([...samples].sort((a, b) => a.at - b.at));
  const [first] = epochs;
  if (!first) return undefined;
  return {
    atWan: (at) =>
      join(epochs.filter(({ from, to }) => at >= from && at <= to).map((each) => boundsAt(each, at))),
    atDmz(at) {
      const possible = epochs.map((each) => ({ ...each, offset: boundsAt(each, at - offsetNear(each, at)) }));
      const inside = possible.filter(
        ({ from, to, offset: { micros, slack } }) => at - micros >= from - slack && at - micros <= to + slack,
      );
      return join((inside.length > 0 ? inside : possible).map(({ offset }) => offset));
    },
    isSteady(from, to, most = AGREEING) {
      const [only, ...others] = epochs.filter((each) => each.from <= to && each.to >= from);
      return only !== undefined && others.length === 0 && mostStep(only, from, to) <= most;
    },
    steps: epochs.length - 1,
    drift: epochs.length === 1 ? driftOf(first) : undefined,
  };
}

/** A stretch of time in which no bound contradicts another. */
interface Epoch {
  /** By the wan clock: between this one's end and the next one's beginning the clock was set. They overlap by that. */
  from: Micros;
  to: Micros;
  readonly samples: ClockSample[];
  /** Of each sample: the bounds of all before it, and of all from it on. */
  readonly before: Bounds[];
  readonly behind: Bounds[];
}

/** lower <= offset <= upper. */
interface Bounds {
  readonly lower: Micros;
  readonly upper: Micros;
}

function epochsOf(samples: readonly ClockSample[]): Epoch[] {
  const epochs: Epoch[] = [];
  let current: Epoch | undefined;
  /** When the side of a contradiction last agreed. */
  const agreed: Record<Direction, Micros> = { client: -Infinity, server: -Infinity };
  for (const sample of samples) {
    const bounds: Bounds = narrowed(
      widened(current?.before[current.before.length - 1], sample, current),
      sample,
    );
    if (current && bounds.lower - bounds.upper <= STAMPING) {
      current.samples.push(sample);
      current.before.push(bounds);
    } else {
      if (current) current.to = sample.at;
      const from = current ? agreed[sample.from] : -Infinity;
      current = { from, to: Infinity, samples: [sample], before: [narrowed(UNBOUND, sample)], behind: [] };
      epochs.push(current);
    }
    agreed[sample.from] = sample.at;
  }
  for (const epoch of epochs) lookBack(epoch);
  return epochs;
}

function widened(bounds: Bounds | undefined, { at }: ClockSample, epoch: Epoch | undefined): Bounds {
  const last = epoch?.samples[epoch.samples.length - 1];
  return bounds && last ? widen(bounds, at - last.at) : UNBOUND;
}

function widen({ lower, upper }: Bounds, elapsed: Micros): Bounds {
  return { lower: lower - elapsed * DRIFT, upper: upper + elapsed * DRIFT };
}

function narrowed({ lower, upper }: Bounds, { from, difference }: ClockSample): Bounds {
  return from === 'client'
    ? { lower, upper: Math.min(upper, difference) }
    : { lower: Math.max(lower, difference), upper };
}

function lookBack({ samples, behind }: Epoch): void {
  let bounds = UNBOUND;
  for (let i = samples.length - 1; i >= 0; i -= 1) {
    const sample = samples[i];
    const next = samples[i + 1];
    if (!sample) continue;
    bounds = narrowed(next ? widen(bounds, next.at - sample.at) : bounds, sample);
    behind[i] = bounds;
  }
}

function boundsAt({ samples, before, behind }: Epoch, at: Micros): Offset {
  const i = indexAt(samples, at);
  const [last, next] = [samples[i], samples[i + 1]];
  const earlier = last && before[i] ? widen(before[i] ?? UNBOUND, Math.max(0, at - last.at)) : UNBOUND;
  const later = next && behind[i + 1] ? widen(behind[i + 1] ?? UNBOUND, Math.max(0, next.at - at)) : UNBOUND;
  return offsetOf({
    lower: Math.max(earlier.lower, later.lower),
    upper: Math.min(earlier.upper, later.upper),
  });
}

/** By how much the clock can have been set between two times, by what was seen before the one and after the other. */
function mostStep({ samples, before, behind }: Epoch, from: Micros, to: Micros): Micros {
  const i = indexAt(samples, from);
  const [then, later] = [before[i], behind[indexAt(samples, to - 1) + 1]];
  if (!then || !later) return Infinity;
  return Math.max(later.upper - then.lower, then.upper - later.lower);
}

/** Of one direction alone: as if the segment had taken no time, which is all that can be said. */
function offsetOf({ lower, upper }: Bounds): Offset {
  if (lower === -Infinity) return { micros: upper, slack: ONE_WAY, bounded: false };
  if (upper === Infinity) return { micros: lower, slack: ONE_WAY, bounded: false };
  const slack = Math.max(0, Math.ceil(upper - lower)) + STAMPING;
  return { micros: Math.round((lower + upper) / 2), slack, bounded: true };
}

/** The last sample at or before a time; -1 where there is none. */
function indexAt(samples: readonly ClockSample[], at: Micros): number {
  let [low, high] = [0, samples.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((samples[middle]?.at ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Near enough to find the sample: the clocks of an epoch differ by little more at its one end than at the other. */
function offsetNear({ samples }: Epoch, at: Micros): Micros {
  let [low, high] = [0, samples.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    const sample = samples[middle];
    if (sample && sample.at + sample.difference < at) low = middle + 1;
    else high = middle;
  }
  return samples[low]?.difference ?? 0;
}

/** Where it may be either, all that lies between. */
function join(offsets: readonly Offset[]): Offset {
  const [only] = offsets;
  if (only && offsets.length === 1) return only;
  const lower = Math.min(...offsets.map(({ micros, slack }) => micros - slack));
  const upper = Math.max(...offsets.map(({ micros, slack }) => micros + slack));
  const bounded = offsets.every((each) => each.bounded);
  return { micros: Math.round((lower + upper) / 2), slack: Math.ceil((upper - lower) / 2), bounded };
}

function driftOf(epoch: Epoch): number | undefined {
  const { samples } = epoch;
  const [first, last] = [samples[0], samples[samples.length - 1]];
  if (!first || !last || last.at - first.at < MEASURABLE) return undefined;
  const [begin, end] = [boundsAt(epoch, first.at), boundsAt(epoch, last.at)];
  const gain = end.micros - begin.micros;
  // What the bounds leave open is no drift.
  return Math.abs(gain) <= begin.slack + end.slack ? undefined : (gain / (last.at - first.at)) * 1e6;
}

const UNBOUND: Bounds = { lower: -Infinity, upper: Infinity };
/** What a path between two points may take where only one direction tells. */
const ONE_WAY: Micros = 100_000;
/** A time between the points is reported only if segments before and after it bound the clocks' difference to this. */
const AGREEING: Micros = 100_000;
/** The least time over which a drift is measured. */
const MEASURABLE: Micros = 60_000_000;
