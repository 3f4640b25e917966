// The degradation matrix: every play, degraded in every way, compared with what its whole recording says.

import type { Micros } from '../../../inspect/events';
import { hash } from './chance';
import { compare, type Comparison } from './right';
import { allPlays, type Family, type Play } from './plays';
import { read, type Outcome } from './reading';
import { readPoints } from './reading-two';
import { WAYS, type Variant } from './ways';
import { POINTS_WAYS, type PointsVariant } from './ways-two';

export interface Choice {
  /** Plays, as `family: name`, that match; ways that match. */
  readonly only?: string | undefined;
  readonly way?: string | undefined;
  /** One variant of so many, by chance that is the same each time; absent: all. */
  readonly sample?: number | undefined;
  /** Of `shares` workers this is the one. */
  readonly share: number;
  readonly shares: number;
  /** A wrong variant. */
  readonly onWrong?: (variant: Named) => void;
}

export interface Named {
  readonly play: string;
  readonly way: string;
  readonly variant: Variant | PointsVariant;
}

/** All variants of one way over the plays of one family. */
export interface Tally {
  readonly way: string;
  readonly family: Family;
  plays: number;
  variants: number;
  /** Variants with anything wrong. */
  wrong: number;
  /** Verdicts said, and how many things were wrong. */
  said: number;
  faults: number;
  kept: number;
  weakened: number;
  silent: number;
}

export interface Kind {
  readonly kind: string;
  count: number;
  /** By way. */
  readonly ways: Record<string, number>;
  readonly example: {
    readonly play: string;
    readonly way: string;
    readonly variant: string;
    readonly detail: string;
  };
}

export interface Result {
  readonly tallies: Tally[];
  readonly kinds: Kind[];
}

function titleOf({ family, name }: Play): string {
  return `${family}: ${name}`;
}

export async function runMatrix(choice: Choice): Promise<Result> {
  const tallies = new Map<string, Tally>();
  const kinds = new Map<string, Kind>();
  for (const play of await allPlays()) {
    if (choice.only !== undefined && !new RegExp(choice.only).test(titleOf(play))) continue;
    for (const { way, variants, compare: compareOne } of columns(play)) {
      if (choice.way !== undefined && !new RegExp(choice.way).test(way)) continue;
      const tally = tallyOf(tallies, way, play.family);
      tally.plays += 1;
      for (const variant of variants()) {
        if (!isChosen(choice, play, way, variant.name)) continue;
        const comparison = compareOne(variant);
        count(tally, comparison);
        if (comparison.wrong.length === 0) continue;
        choice.onWrong?.({ play: titleOf(play), way, variant });
        for (const { kind, detail } of comparison.wrong) {
          const known = kinds.get(kind) ?? {
            ...{ kind, count: 0, ways: {} },
            example: { play: titleOf(play), way, variant: variant.name, detail },
          };
          kinds.set(kind, known);
          known.count += 1;
          known.ways[way] = (known.ways[way] ?? 0) + 1;
        }
      }
    }
  }
  return { tallies: [...tallies.values()], kinds: [...kinds.values()] };
}

interface Column {
  readonly way: string;
  readonly variants: () => Iterable<Variant | PointsVariant>;
  readonly compare: (variant: Variant | PointsVariant) => Comparison;
}

function columns(play: Play): Column[] {
  const { frames, ports, outside } = play;
  const lazily = <T>(make: () => T): (() => T) => {
    let made: { readonly value: T } | undefined;
    return () => (made ??= { value: make() }).value;
  };
  // The last copy comes no later: the end of a capture must not tell the one from the other.
  const until = frames.reduce((latest, { at }) => Math.max(latest, at), 0) + RAN_ON;
  const whole = lazily(() => read({ name: 'whole', frames: () => frames }, ports, until));
  const single = WAYS.map(({ name, variants }): Column => {
    const ended = name.startsWith('ended');
    const rule = {
      // What is said before a loss that is reported is said of what was observed until then, as where the capture ends.
      transient: ended || name.startsWith('ring'),
      tolerance: TOLERANCE,
      complete: /^(whole|copied|one side|stamped)/.test(name),
    };
    return {
      way: name,
      variants: () => variants(frames),
      compare: (variant) => compare(whole(), read(variant as Variant, ports, ended ? 0 : until), rule),
    };
  });
  if (!outside) return single;
  const points = { wan: outside, dmz: frames };
  const double = [false, true].flatMap((together) => {
    const base = lazily((): Outcome => readPoints(points, ports, together));
    return POINTS_WAYS.filter((way) => way.together || !together).map(({ name, variants }): Column => ({
      way: `two points: ${name}`,
      variants: function* () {
        for (const each of variants(points))
          yield { ...each, name: together ? `${each.name}, together` : each.name };
      },
      compare: (variant) =>
        compare(base(), readPoints((variant as PointsVariant).points(), ports, together), {
          transient: false,
          tolerance: TOLERANCE,
          complete: false,
        }),
    }));
  });
  return [...single, ...double];
}

function isChosen({ sample = 1, share, shares }: Choice, play: Play, way: string, variant: string): boolean {
  const number = hash(`${titleOf(play)} ${way} ${variant}`);
  return number % sample === 0 && Math.floor(number / sample) % shares === share;
}

function tallyOf(tallies: Map<string, Tally>, way: string, family: Family): Tally {
  const key = `${way} ${family}`;
  const tally = tallies.get(key) ?? {
    ...{ way, family, plays: 0, variants: 0, wrong: 0, said: 0, faults: 0, kept: 0, weakened: 0, silent: 0 },
  };
  tallies.set(key, tally);
  return tally;
}

function count(tally: Tally, { wrong, said, kept, weakened, silent }: Comparison): void {
  tally.variants += 1;
  if (wrong.length > 0) tally.wrong += 1;
  tally.said += said;
  tally.faults += wrong.length;
  tally.kept += kept;
  tally.weakened += weakened;
  tally.silent += silent;
}

/** Microseconds by which held times may differ: what disorder and drift move. */
const TOLERANCE = 20_000;
const RAN_ON: Micros = 500_000;
