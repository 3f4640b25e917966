// The ways in which captures of two points show less than what passed: clocks that disagree, and either file degraded.

import type { Micros } from '../../../inspect/events';
import { byTime, cut, later, type Frame } from './frame';
import {
  COPIES,
  COPY_DELAYS,
  copied,
  each,
  seeded,
  SHARES,
  SNAPLENS,
  withoutOne,
  type Variant,
} from './ways';

export interface Points {
  readonly wan: readonly Frame[];
  readonly dmz: readonly Frame[];
}

export interface PointsVariant {
  readonly name: string;
  /** Made when it is asked for. */
  readonly points: () => Points;
}

interface PointsWay {
  readonly name: string;
  /** Both captures still run from before the first frame to behind the last one. */
  readonly together: boolean;
  readonly variants: (points: Points) => Iterable<PointsVariant>;
}

type Side = keyof Points;

const SECOND: Micros = 1_000_000;
const OFFSETS: readonly (readonly [name: string, by: Micros])[] = [
  ['1 ms', 1_000],
  ['-1 ms', -1_000],
  ['7.3 s', 7.3 * SECOND],
  ['-7.3 s', -7.3 * SECOND],
  ['1 h', 3_600 * SECOND],
];
const DRIFTS = [20, -20, 50, 100, -100, 200, -200];
const STEPS: readonly (readonly [name: string, by: Micros])[] = [
  ['5 ms', 5_000],
  ['50 ms', 50_000],
  ['-50 ms', -50_000],
  ['1 s', SECOND],
  ['-1 s', -SECOND],
];
const SIDES: readonly Side[] = ['wan', 'dmz'];
const PLACES = 12;

export const POINTS_WAYS: readonly PointsWay[] = [
  way('whole', (points) => [{ name: 'whole', points: () => points }]),
  way('clocks apart', ({ wan, dmz }) =>
    OFFSETS.map(([name, by]) => ({
      name,
      points: () => ({ wan, dmz: dmz.map((frame) => later(frame, by)) }),
    })),
  ),
  way('a clock that drifts', ({ wan, dmz }) =>
    DRIFTS.map((ppm) => ({ name: `${ppm} ppm`, points: () => ({ wan, dmz: stretched(dmz, ppm) }) })),
  ),
  way('a clock that is stepped', ({ wan, dmz }) =>
    places(dmz).flatMap((i) =>
      STEPS.map(([name, by]) => ({
        name: `${name} at ${i}`,
        points: () => ({ wan, dmz: dmz.map((frame, at) => (at < i ? frame : later(frame, by))) }),
      })),
    ),
  ),
  ...SNAPLENS.map((snaplen) => {
    const shorten = (frames: readonly Frame[]): Frame[] => frames.map((frame) => cut(frame, snaplen));
    return way(`cut at ${snaplen}`, (points) => [
      ...eitherSide(points, (frames) => [{ name: '', frames: () => shorten(frames) }]),
      { name: 'both', points: () => ({ wan: shorten(points.wan), dmz: shorten(points.dmz) }) },
    ]);
  }),
  ...COPY_DELAYS.flatMap(([delay, by]) =>
    COPIES.map(([how, change]) =>
      way(`copied ${delay} later${how}`, (points) =>
        eitherSide(points, (frames) => copied(frames, (frame) => change(later(frame, by)))),
      ),
    ),
  ),
  way('one frame missing', (points) => eitherSide(points, withoutOne)),
  ...SHARES.map((share) =>
    way(`${share} % missing`, (points) =>
      eitherSide(points, (frames) =>
        seeded(frames, `${share}%`, (chance) => () => chance.next() * 100 >= share),
      ),
    ),
  ),
  {
    ...way('one started later', (points) =>
      eitherSide(points, (frames) =>
        each(frames).map((i) => ({ name: `${i}`, frames: () => frames.slice(i) })),
      ),
    ),
    together: false,
  },
  {
    ...way('one ended earlier', (points) =>
      eitherSide(points, (frames) =>
        each(frames).map((i) => ({ name: `${i}`, frames: () => frames.slice(0, i) })),
      ),
    ),
    together: false,
  },
  way('one direction at one point', (points) =>
    eitherSide(points, (frames) =>
      (['client', 'server'] as const).map((from) => ({
        name: from,
        frames: () => frames.filter((frame) => frame.from === from),
      })),
    ),
  ),
];

function way(name: string, variants: PointsWay['variants']): PointsWay {
  return { name, together: true, variants };
}

function eitherSide(
  points: Points,
  change: (frames: readonly Frame[]) => Iterable<Variant>,
): PointsVariant[] {
  return SIDES.flatMap((side) =>
    [...change(points[side])].map(({ name, frames }) => ({
      name: `${side} ${name}`.trimEnd(),
      points: () => ({ ...points, [side]: frames() }),
    })),
  );
}

function stretched(frames: readonly Frame[], ppm: number): Frame[] {
  const start = frames[0]?.at ?? 0;
  return byTime(frames.map((frame) => later(frame, Math.round(((frame.at - start) * ppm) / 1e6))));
}

/** Some of the frames, spread over all. */
function places(frames: readonly Frame[]): number[] {
  const count = Math.min(PLACES, frames.length - 1);
  return Array.from({ length: count }, (_, i) => 1 + Math.floor((i * (frames.length - 1)) / count));
}
