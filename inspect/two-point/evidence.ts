// What every verdict on two points is made of: evidence with its point's name, and when a capture can prove an absence.

import type { Coverage } from '../coverage/coverage';
import type { Finding, Premises } from '../coverage/finding';
import { admit } from '../coverage/gate';
import type { Direction, Evidence, Micros, Point, VerdictEvent } from '../events';
import { flagNames } from '../tcp/view';
import { PASSING, STAMPING } from '../verdict/thresholds';
import { atPoint, type Clocks, type Moment } from './clock';
import type { Fate } from './fate';
import type { Item } from './twins';
import type { Pair } from './match';
import type { Passage } from './trace';

/** When a capture saw its first and last frame of whatever kind, by its own clock: what is known of when it ran. */
export interface Ran {
  readonly from: Micros;
  readonly to: Micros;
}

export interface Points {
  readonly wan: Ran;
  readonly dmz: Ran;
  readonly clocks: Clocks;
  /** What a segment usually takes from point to point, by its sender. */
  readonly usual: Readonly<Record<Direction, Micros>>;
  /** The user states that both captures ran all the time (`--together`). */
  readonly together?: boolean;
}

export interface Case {
  readonly pair: Pair;
  readonly points: Points;
  readonly fates: readonly Fate[];
}

/** Whether a capture was running when something at this time (common clock) should have been in it. */
export function isCovered(point: Point, moment: Moment, points: Points, margin = PASSING): boolean {
  if (points.together) return true;
  const { from, to } = points[point];
  const { at, slack, bounded } = atPoint(point, moment, points.clocks);
  return bounded && at - slack >= from && at + slack + margin <= to;
}

/** What a judge of two points finds. */
export type PointsFinding = Omit<Finding, 'proof' | 'where'>;

/** The verdict that coverage allows: that of each point of which `premises` speaks. Empty where it may not be said. */
export function admitAtPoints(found: PointsFinding, coverages: readonly Coverage[]): VerdictEvent[] {
  const finding: Finding = { ...found, proof: 'two-point', where: 'here' };
  const verdicts = coverages.map((each) => admit(finding, each));
  const [first] = verdicts;
  if (!first || verdicts.some((each) => each === undefined)) return [];
  const proved = verdicts.every((each) => each?.certainty === 'proved');
  return [{ ...first, certainty: proved ? 'proved' : 'suspected' }];
}

/** `at` stays that of the point's own clock: so it is found in that point's file. */
export function evidenceOf(
  { point, passage, start }: Pick<Item, 'point' | 'passage' | 'start'>,
  note: string,
): Evidence {
  const { at, from, length, flags, ttl, tsval } = passage;
  return {
    ...{ at, from, seq: start, length, flags: flagNames(flags), ttl },
    ...(tsval !== undefined && { tsval }),
    ...{ point, note },
  };
}

export function passageEvidence(pair: Pair, point: Point, passage: Passage, note: string): Evidence {
  return evidenceOf({ point, passage, start: relative(pair, point, passage) }, note);
}

export function relative(pair: Pair, point: Point, { from, seq }: Passage): number {
  const base = pair[point].base[from];
  return base === undefined ? 0 : (seq - base) | 0;
}

/**
 * Whether the time from one to the other is known: no clock was set meanwhile. What a point stamps in bursts it still stamps
 * in order, so how late it stamps takes nothing away: a client may say EHLO within `STAMPING` of its SYN.
 */
export function isTimed(sent: Moment, came: Moment, clocks: Clocks): boolean {
  if (!sent.bounded || !came.bounded) return false;
  return clocks.isSteady(sent.at - sent.slack + STAMPING, came.at + came.slack - STAMPING);
}

export type Passed = Extract<Fate, { kind: 'passed' }>;

/** The client's first command, EHLO as a rule. */
export function isHello({ sent: { passage, start } }: Passed): boolean {
  return passage.from === 'client' && start === 0 && passage.length > 0;
}

/** What is absent at a point was not there, if nothing else of the connection was missed there. */
export const OF_ABSENCE: Premises = { toSay: ['nothing-missed'] };
/** The same, where what is there shows it too. */
export const OF_SHOWN_ABSENCE: Premises = { toSay: [], toProve: ['nothing-missed'] };
