// The frames of one capture in the order of time: held for a moment, so that one that was written late finds its place.

import type { Micros } from '../../inspect/events';
import { LARGEST_RECORD, type Chunk, type Hold, type Take } from './frame';

/**
 * Several queues of a card, or several interfaces, are written one after the other, and so a file's times go back by
 * up to some milliseconds. A clock that was set back goes back too, and everything behind that is early: whatever
 * goes back by more than the window stays where it is, and is counted as a step.
 */
export interface Disorder {
  /** Frames that were written after later ones, and put in their place. */
  readonly frames: number;
  /** By how much, at the most. */
  readonly worst: Micros;
  /** Times that went back by more than the window, and by how much at the most. */
  readonly steps: number;
  readonly worstStep: Micros;
}

export interface Order {
  readonly hold: Hold;
  /** Where in the chunk the first octet lies that is still needed; `undefined` where none is. */
  readonly first: number | undefined;
  /** When the next frame is due that may go; `undefined` where none may. */
  readonly next: Micros | undefined;
  /** Puts what was held in its order; `all`: no more frames come. `end`: where the chunk's next frame will be. */
  settle(all: boolean, end: number): void;
  /** Hands over what may go, in its order, up to `until`. */
  release(until: Micros, take: Take): void;
  /** The chunk's octets have moved to its front by so many. */
  shift(by: number): void;
  readonly disorder: Disorder;
}

export function createOrder({ bytes }: Chunk): Order {
  const state: State = {
    ...{ times: new Float64Array(ROOM), starts: new Uint32Array(ROOM), lengths: new Uint32Array(ROOM) },
    ...{ wires: new Float64Array(ROOM), links: new Uint32Array(ROOM) },
    ...{ order: new Uint32Array(ROOM), count: 0, sorted: 0, ready: 0, given: 0 },
    ...{ latest: -Infinity, late: false, frames: 0, worst: 0, steps: 0, worstStep: 0 },
  };
  return {
    hold: (link, start, length, at, wire, elided = false) =>
      hold(state, elided ? link + ELIDED : link, start, length, at, wire),
    get first() {
      return firstOf(state);
    },
    get next() {
      return state.given < state.ready ? state.times[state.order[state.given] ?? 0] : undefined;
    },
    settle: (all, end) => settle(state, all, end),
    release(until, take) {
      const { times, starts, lengths, wires, links, order } = state;
      for (; state.given < state.ready; state.given += 1) {
        const i = order[state.given] ?? 0;
        const at = times[i] ?? 0;
        if (at > until) return;
        const start = starts[i] ?? 0;
        const link = links[i] ?? 0;
        const octets = bytes.subarray(start, start + (lengths[i] ?? 0));
        take(link % ELIDED, octets, at, wires[i] ?? 0, link >= ELIDED);
      }
    },
    shift(by) {
      for (let i = state.given; i < state.count; i += 1) {
        const each = state.order[i] ?? 0;
        state.starts[each] = (state.starts[each] ?? 0) - by;
      }
    },
    get disorder() {
      const { frames, worst, steps, worstStep } = state;
      return { frames, worst, steps, worstStep };
    },
  };
}

/** Frames by their number; `order` has these numbers in the order of time. `given <= ready <= count`, `sorted <= count`. */
interface State {
  times: Float64Array;
  starts: Uint32Array;
  lengths: Uint32Array;
  wires: Float64Array;
  links: Uint32Array;
  order: Uint32Array;
  count: number;
  /** Those before it are of a time before the last step, in their final order. */
  sorted: number;
  ready: number;
  given: number;
  /** The latest time since the last step. */
  latest: Micros;
  /** Some frame behind `sorted` is not in order yet. */
  late: boolean;
  frames: number;
  worst: Micros;
  steps: number;
  worstStep: Micros;
}

function hold(state: State, link: number, start: number, length: number, at: Micros, wire: number): void {
  if (state.count === state.times.length) grow(state);
  const i = state.count;
  if (at < state.latest) {
    const back = state.latest - at;
    if (back > WINDOW) {
      arrange(state);
      state.sorted = i;
      state.latest = at;
      state.steps += 1;
      state.worstStep = Math.max(state.worstStep, back);
    } else {
      state.late = true;
      state.frames += 1;
      state.worst = Math.max(state.worst, back);
    }
  } else state.latest = at;
  state.times[i] = at;
  state.starts[i] = start;
  state.lengths[i] = length;
  state.wires[i] = wire;
  state.links[i] = link;
  state.order[i] = i;
  state.count = i + 1;
}

/** What came since the last step, and was not handed over yet, in the order of time; the sort is stable. */
function arrange(state: State): void {
  if (!state.late) return;
  state.late = false;
  const { times, order, count } = state;
  order
    .subarray(Math.max(state.sorted, state.given), count)
    .sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b);
}

function settle(state: State, all: boolean, end: number): void {
  forget(state);
  arrange(state);
  const { times, order, count } = state;
  // A line that fills the room within the window leaves none for what comes.
  const span = end - (firstOf(state) ?? end);
  const limit = all || span > LARGEST_RECORD ? Infinity : state.latest - WINDOW;
  let ready = Math.max(state.sorted, state.ready);
  while (ready < count && (times[order[ready] ?? 0] ?? 0) <= limit) ready += 1;
  state.ready = ready;
}

/** What was handed over has its room back. */
function forget(state: State): void {
  const { given, count } = state;
  if (given === 0) return;
  const kept = state.order.slice(given, count).sort();
  const ranks = new Map<number, number>();
  kept.forEach((old, i) => {
    ranks.set(old, i);
    state.times[i] = state.times[old] ?? 0;
    state.starts[i] = state.starts[old] ?? 0;
    state.lengths[i] = state.lengths[old] ?? 0;
    state.wires[i] = state.wires[old] ?? 0;
    state.links[i] = state.links[old] ?? 0;
  });
  for (let i = given; i < count; i += 1) state.order[i - given] = ranks.get(state.order[i] ?? 0) ?? 0;
  state.count = count - given;
  state.sorted = Math.max(0, state.sorted - given);
  state.ready = Math.max(0, state.ready - given);
  state.given = 0;
}

function firstOf({ order, starts, given, count }: State): number | undefined {
  let first: number | undefined;
  for (let i = given; i < count; i += 1) first = Math.min(first ?? Infinity, starts[order[i] ?? 0] ?? 0);
  return first;
}

function grow(state: State): void {
  const size = state.times.length * 2;
  const larger = <T extends Float64Array | Uint32Array>(room: T, next: T): T => {
    next.set(room);
    return next;
  };
  state.times = larger(state.times, new Float64Array(size));
  state.starts = larger(state.starts, new Uint32Array(size));
  state.lengths = larger(state.lengths, new Uint32Array(size));
  state.wires = larger(state.wires, new Float64Array(size));
  state.links = larger(state.links, new Uint32Array(size));
  state.order = larger(state.order, new Uint32Array(size));
}

/** Some times what queues and interfaces were seen to differ by (10 ms), and less than any repetition of TCP's (200 ms). */
export const WINDOW: Micros = 50_000;
const ROOM = 1 << 12;
/** Beside the link type, of which 26 bits are in use. */
const ELIDED = 2 ** 31;
