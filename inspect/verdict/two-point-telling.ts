// What every verdict on two points is made of: evidence with its point's name, and when a capture can prove an absence.

import type { Certainty, Direction, Evidence, Micros, VerdictEvent, VerdictName } from '../events';
import { flagNames } from '../tcp/view';
import { PASSING } from './thresholds';
import type { Fate, Item, Point } from './two-point-align';
import type { Pair } from './two-point-match';
import type { Passage } from './two-point-trace';

/** When a capture saw its first and last frame of whatever kind, by its own clock: what is known of when it ran. */
export interface Coverage {
  readonly from: Micros;
  readonly to: Micros;
}

export interface Points {
  readonly wan: Coverage;
  readonly dmz: Coverage;
  /** The dmz clock minus the wan clock, and how wrong it may be. */
  readonly offset: Micros;
  readonly slack: Micros;
  /** What a segment usually takes from point to point, by its sender. */
  readonly usual: Readonly<Record<Direction, Micros>>;
  /** Somebody vouches that both captures ran all the time. */
  readonly together?: boolean;
}

export interface Case {
  readonly pair: Pair;
  readonly points: Points;
  readonly fates: readonly Fate[];
}

/** Whether a capture was running when something at this time (common clock) should have been in it. */
export function isCovered(point: Point, at: Micros, points: Points, margin = PASSING): boolean {
  if (points.together) return true;
  const { from, to } = points[point];
  const shift = point === 'dmz' ? points.offset : 0;
  return at + shift >= from && at + shift + margin <= to;
}

type Facts = Pick<VerdictEvent, 'summary' | 'evidence' | 'missingBytes' | 'held'>;

export function verdictOf(
  verdict: VerdictName,
  at: Micros,
  certainty: Certainty,
  facts: Facts,
): VerdictEvent {
  return { kind: 'verdict', at, verdict, certainty, proof: 'two-point', where: 'here', ...facts };
}

/** `at` stays that of the point's own clock: so it is found in that point's file. */
export function evidenceOf({ point, passage, start }: Item, note: string): Evidence {
  const { at, from, length, flags, ttl, tsval } = passage;
  return {
    ...{ at, from, seq: start, length, flags: flagNames(flags), ttl },
    ...(tsval !== undefined && { tsval }),
    note: `${point === 'wan' ? 'outside' : 'inside'}: ${note}`,
  };
}

export function passageEvidence(pair: Pair, point: Point, passage: Passage, note: string): Evidence {
  return evidenceOf({ point, passage, at: passage.at, start: relative(pair, point, passage), end: 0 }, note);
}

export function relative(pair: Pair, point: Point, { from, seq }: Passage): number {
  const base = pair[point].base[from];
  return base === undefined ? 0 : (seq - base) | 0;
}

export function edgeWords(point: Point): string {
  const where = point === 'dmz' ? 'inside' : 'outside';
  return `The capture ${where} has nothing later by which one could tell that it was still running.`;
}

export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

export function seconds(micros: Micros): string {
  return (micros / 1e6).toFixed(1);
}

export function ms(micros: Micros): number {
  return Math.round(micros / 1000);
}
