// The ways in which a capture of one point shows less than what passed, each a pure function over its frames.

import type { Direction, Micros } from '../../../inspect/events';
import { createChance, type Chance } from './chance';
import { byTime, cut, later, routed, tagged, type Frame } from './frame';

/** What is left of a play. */
export interface Variant {
  /** Unique within its way. */
  readonly name: string;
  /** Made when it is asked for: a sample asks for few. */
  readonly frames: () => readonly Frame[];
  /** Frames were lost up to these times, and we were told of it then. In order. */
  readonly lostAt?: () => readonly Micros[];
  /** The capture does not say whether it lost frames. */
  readonly uncounted?: boolean;
}

export interface Way {
  readonly name: string;
  readonly variants: (frames: readonly Frame[]) => Iterable<Variant>;
}

export const SNAPLENS = [54, 60, 66, 68, 80, 96, 110, 128, 150, 200];
export const COPY_DELAYS: readonly (readonly [name: string, by: Micros])[] = [
  ['2 µs', 2],
  ['2 ms', 2_000],
  ['60 ms', 60_000],
  ['300 ms', 300_000],
];
export const COPIES: readonly (readonly [name: string, change: (frame: Frame) => Frame])[] = [
  ['', (frame) => frame],
  [', TTL-1', routed],
  [', another VLAN', (frame) => tagged(frame, 100)],
];
const DISORDERS: readonly (readonly [name: string, by: Micros])[] = [
  ['0.3 ms', 300],
  ['1 ms', 1_000],
  ['3 ms', 3_000],
  ['10 ms', 10_000],
];
const SIDES: readonly Direction[] = ['client', 'server'];
export const SHARES = [1, 5, 20];
/** Pairs of a play, and seeds of a pattern, that are tried: a play of 40 frames has 780 pairs. */
export const PAIRS = 150;
const SEEDS = 12;
/** Single frames of a play: a bulk transfer has thousands that are alike. */
const SINGLES = 200;

export const WAYS: readonly Way[] = [
  { name: 'whole', variants: (frames) => [{ name: 'whole', frames: () => frames }] },
  uncounted({
    name: 'whole, losses not counted',
    variants: (frames) => [{ name: 'whole', frames: () => frames }],
  }),
  ...SNAPLENS.map((snaplen): Way => ({
    name: `cut at ${snaplen}`,
    variants: (frames) => [{ name: `${snaplen}`, frames: () => frames.map((each) => cut(each, snaplen)) }],
  })),
  {
    name: 'one direction',
    variants: (frames) =>
      SIDES.map((side) => ({ name: side, frames: () => frames.filter(({ from }) => from === side) })),
  },
  uncounted({ name: 'one frame missing', variants: withoutOne }),
  uncounted({ name: 'two frames missing', variants: withoutTwo }),
  ...SHARES.map((share) =>
    uncounted({
      name: `${share} % missing`,
      variants: (frames) => seeded(frames, `${share}%`, (chance) => () => chance.next() * 100 >= share),
    }),
  ),
  uncounted({
    name: 'bursts missing',
    variants: (frames) => bursts(frames).map(({ name, frames: kept }) => ({ name, frames: kept })),
  }),
  {
    name: 'ring records lost, reported',
    variants: bursts,
  },
  ...COPY_DELAYS.flatMap(([delay, by]) =>
    COPIES.map(([how, change]): Way => ({
      name: `copied ${delay} later${how}`,
      variants: (frames) => copied(frames, (each) => change(later(each, by))),
    })),
  ),
  ...DISORDERS.flatMap(([amount, by]): Way[] => [
    {
      name: `one side stamped ${amount} late`,
      variants: (frames) =>
        SIDES.map((side) => ({
          name: side,
          frames: () => byTime(frames.map((each) => (each.from === side ? later(each, by) : each))),
        })),
    },
    {
      name: `stamped up to ${amount} late`,
      variants: (frames) =>
        seeds(`late ${amount}`, frames).map(({ name, chance }) => ({
          name,
          frames: () => {
            const { below } = chance();
            return byTime(frames.map((each) => later(each, below(by))));
          },
        })),
    },
  ]),
  {
    name: 'begun at each frame',
    variants: (frames) => each(frames).map((i) => ({ name: `${i}`, frames: () => frames.slice(i) })),
  },
  {
    name: 'ended at each frame',
    variants: (frames) => each(frames).map((i) => ({ name: `${i}`, frames: () => frames.slice(0, i) })),
  },
];

/** As of a file that says nothing of frames that its capture lost. */
function uncounted({ name, variants }: Way): Way {
  return {
    name,
    *variants(frames) {
      for (const each of variants(frames)) yield { ...each, uncounted: true };
    },
  };
}

export function* withoutOne(frames: readonly Frame[]): Iterable<Variant> {
  for (const i of each(frames)) yield { name: `${i}`, frames: () => frames.filter((_, at) => at !== i) };
}

/** All pairs, or so many of them by chance. */
function* withoutTwo(frames: readonly Frame[]): Iterable<Variant> {
  const count = frames.length;
  const all = (count * (count - 1)) / 2;
  const without = (i: number, j: number): Variant => ({
    name: `${i} ${j}`,
    frames: () => frames.filter((_, at) => at !== i && at !== j),
  });
  if (all <= PAIRS) {
    for (let i = 0; i < count; i += 1) for (let j = i + 1; j < count; j += 1) yield without(i, j);
    return;
  }
  const chance = createChance(`pairs ${count}`);
  for (let n = 0; n < PAIRS; n += 1) {
    const i = chance.below(count - 1);
    yield without(i, i + 1 + chance.below(count - 1 - i));
  }
}

/** Every frame, or so many of a long play, the first ones among them: they are the dialogue's beginning. */
export function each(frames: readonly Frame[]): number[] {
  const count = frames.length;
  if (count <= SINGLES) return frames.map((_, i) => i);
  const dense = SINGLES / 2;
  const step = (count - dense) / dense;
  return [
    ...frames.slice(0, dense).map((_, i) => i),
    ...Array.from({ length: dense }, (_, i) => Math.floor(dense + i * step)),
  ];
}

export function seeds(what: string, frames: readonly Frame[], count = SEEDS) {
  return Array.from({ length: count }, (_, i) => ({
    name: `seed ${i}`,
    chance: () => createChance(`${what} ${frames.length} ${i}`),
  }));
}

export function seeded(
  frames: readonly Frame[],
  what: string,
  keep: (chance: Chance) => (frame: Frame, i: number) => boolean,
  count = SEEDS,
): Variant[] {
  return seeds(what, frames, count).map(({ name, chance }) => ({
    name,
    frames: () => frames.filter(keep(chance())),
  }));
}

/** A ring that is full loses what comes until it is read again: runs of records, one or more. */
function bursts(frames: readonly Frame[]): Variant[] {
  return seeds('bursts', frames, 2 * SEEDS).map(({ name, chance }) => ({
    name,
    frames: () => frames.filter(isKept(chance())),
    lostAt: () => {
      const kept = isKept(chance());
      return frames.filter((frame) => !kept(frame)).map(({ at }) => at);
    },
  }));
}

function isKept(chance: Chance): (frame: Frame) => boolean {
  let losing = 0;
  return () => {
    if (losing === 0 && chance.below(8) === 0) losing = 1 + chance.below(6);
    if (losing === 0) return true;
    losing -= 1;
    return false;
  };
}

/** Every frame, every frame of one side, or some, a second time. */
export function copied(frames: readonly Frame[], copy: (frame: Frame) => Frame): Variant[] {
  const of = (name: string, isCopied: () => (frame: Frame) => boolean): Variant => ({
    name,
    frames: () => byTime([...frames, ...frames.filter(isCopied()).map(copy)]),
  });
  return [
    of('all', () => () => true),
    ...SIDES.map((side) =>
      of(
        side,
        () =>
          ({ from }) =>
            from === side,
      ),
    ),
    of('some', () => {
      const chance = createChance(`copies ${frames.length}`);
      return () => chance.below(3) === 0;
    }),
  ];
}
