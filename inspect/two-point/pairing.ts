// Connections of two points, as they end: those that passed unchanged are paired and judged at once, and only counted.
//
// What is judged with both clocks known, or has no twin yet, is kept until all is read.

import type { Micros, Point } from '../events';
import type { ClockSample } from './clock';
import { numbersOf, stampsOf, type Known, type MatchedBy } from './match';
import type { Trace } from './trace';
import { unchangedSamples } from './unchanged';

export interface Pairing {
  /** A connection that ended. */
  take(point: Point, trace: Trace): void;
  /** The dmz clock minus the wan clock, as the pair says that was found last; absent before the first. */
  readonly apart: Micros | undefined;
  /** What is left to be matched and judged. */
  rest(point: Point): readonly Trace[];
  /** Connections that ended, and those among them for which there was no room. */
  readonly counts: Readonly<Record<Point, { readonly ended: number; readonly omitted: number }>>;
  readonly unchanged: Unchanged;
}

/** What is known of pairs that passed unchanged and are kept no more. */
export interface Unchanged extends Known {
  readonly by: ReadonlyMap<MatchedBy, number>;
  readonly translated: Translated;
}

/** Connections of which a firewall changed an address or the numbers. */
interface Translated {
  readonly server: number;
  readonly client: number;
  readonly numbers: number;
}

/** `kept`: pairs that are kept though they passed unchanged; `most`: segments of what is kept of a point. */
export function createPairing(kept: number, most: number): Pairing {
  const state: State = {
    ...{ kept, most, apart: undefined },
    wan: createSide(),
    dmz: createSide(),
    ...{ pairs: 0, by: new Map(), translated: { server: 0, client: 0, numbers: 0 } },
    samples: createThinned(),
  };
  return {
    take: (point, trace) => take(state, point, trace),
    get apart() {
      return state.apart;
    },
    rest: (point) => [...state[point].paired, ...state[point].alone],
    counts: { wan: state.wan, dmz: state.dmz },
    get unchanged() {
      const { pairs, by, translated, samples } = state;
      return { pairs, by, translated, samples: samples.all() };
    },
  };
}

interface State {
  /** So many more. */
  kept: number;
  readonly most: number;
  apart: Micros | undefined;
  readonly wan: Side;
  readonly dmz: Side;
  pairs: number;
  readonly by: Map<MatchedBy, number>;
  readonly translated: { -readonly [K in keyof Translated]: number };
  readonly samples: Thinned;
}

interface Side {
  /** Those that have no twin yet, the oldest first, and by what they are found; `undefined`: several have that. */
  readonly alone: Set<Trace>;
  readonly named: ReadonlyMap<MatchedBy, Map<string, Trace | undefined>>;
  /** Those that have one. */
  readonly paired: Trace[];
  /** Of all that are kept. */
  segments: number;
  ended: number;
  omitted: number;
}

function createSide(): Side {
  return {
    alone: new Set(),
    named: new Map(NAMES.map(([by]) => [by, new Map<string, Trace | undefined>()])),
    paired: [],
    ...{ segments: 0, ended: 0, omitted: 0 },
  };
}

function take(state: State, point: Point, trace: Trace): void {
  const [own, other] = [state[point], state[OTHER[point]]];
  own.ended += 1;
  const found = find(own, other, trace);
  if (!found) return wait(state, own, trace);
  const { twin, by } = found;
  const [wan, dmz] = point === 'wan' ? [trace, twin] : [twin, trace];
  state.apart = dmz.started - wan.started;
  forget(other, twin);
  other.alone.delete(twin);
  other.segments -= twin.passages.length;
  const samples = unchangedSamples(wan, dmz);
  if (samples && state.kept === 0) return count(state, wan, dmz, by, samples);
  if (samples) state.kept -= 1;
  const hasRoom = [own, other].every(({ segments }) => segments < state.most);
  for (const [side, each] of [
    [own, trace],
    [other, twin],
  ] as const) {
    if (hasRoom) {
      side.paired.push(each);
      side.segments += each.passages.length;
    } else side.omitted += 1;
  }
}

function find(own: Side, other: Side, trace: Trace): { twin: Trace; by: MatchedBy } | undefined {
  for (const [by, nameOf] of NAMES) {
    const name = nameOf(trace);
    if (name === undefined || own.named.get(by)?.has(name)) continue;
    const twin = other.named.get(by)?.get(name);
    if (twin) return { twin, by };
  }
  return undefined;
}

function wait({ most }: State, side: Side, trace: Trace): void {
  for (const [by, nameOf] of NAMES) {
    const name = nameOf(trace);
    const all = side.named.get(by);
    if (name !== undefined) all?.set(name, all.has(name) ? undefined : trace);
  }
  side.alone.add(trace);
  side.segments += trace.passages.length;
  // Whose twin did not come for so long has none, more likely than those that ended just now.
  for (const oldest of side.alone) {
    if (side.segments <= most) break;
    side.alone.delete(oldest);
    forget(side, oldest);
    side.segments -= oldest.passages.length;
    side.omitted += 1;
  }
}

function forget({ named }: Side, trace: Trace): void {
  for (const [by, nameOf] of NAMES) {
    const name = nameOf(trace);
    if (name !== undefined) named.get(by)?.delete(name);
  }
}

function count(state: State, wan: Trace, dmz: Trace, by: MatchedBy, samples: readonly ClockSample[]): void {
  const { translated } = state;
  state.pairs += 1;
  state.by.set(by, (state.by.get(by) ?? 0) + 1);
  if (differ(wan.server, dmz.server)) translated.server += 1;
  if (differ(wan.client, dmz.client)) translated.client += 1;
  if (wan.base.client !== dmz.base.client || wan.base.server !== dmz.base.server) translated.numbers += 1;
  for (const sample of samples) state.samples.add(sample);
}

function differ(a: Trace['client'], b: Trace['client']): boolean {
  return a.address !== b.address || a.port !== b.port;
}

/** Samples of which few are kept, however long it takes: the best bound of each direction in every 10 s. */
interface Thinned {
  add(sample: ClockSample): void;
  all(): ClockSample[];
}

function createThinned(): Thinned {
  const best = { client: new Map<number, ClockSample>(), server: new Map<number, ClockSample>() };
  return {
    add(sample) {
      const { at, from, difference } = sample;
      const slot = Math.floor(at / SLOT);
      const known = best[from].get(slot);
      const better =
        !known || (from === 'client' ? difference < known.difference : difference > known.difference);
      if (better) best[from].set(slot, sample);
    },
    all: () => [...best.client.values(), ...best.server.values()],
  };
}

/** Two clocks run apart by no more than 2 ms meanwhile. */
const SLOT: Micros = 10_000_000;
const OTHER = { wan: 'dmz', dmz: 'wan' } as const;
/** By the first number or stamp that these two have and no other connection has. */
const NAMES = [
  ['numbers', numbersOf],
  ['timestamps', stampsOf],
] as const satisfies readonly (readonly [MatchedBy, (trace: Trace) => string | undefined])[];

export const NONE_UNCHANGED: Unchanged = {
  ...{ pairs: 0, by: new Map(), samples: [] },
  translated: { server: 0, client: 0, numbers: 0 },
};
