// A RST that names one side as its sender and was not captured at that side's point. RSTs to both ends are one finding.

import type { Direction, Point, VerdictEvent } from '../events';
import { FLAG } from '../tcp/segment';
import { distance } from '../tcp/seq';
import { TTL_JUMP } from '../verdict/thresholds';
import type { Fate } from './fate';
import type { Item } from './twins';
import { onCommonClock } from './clock';
import {
  admitAtPoints,
  type Case,
  evidenceOf,
  isCovered,
  isTimed,
  OF_SHOWN_ABSENCE,
  passageEvidence,
  type PointsFinding,
} from './evidence';
import type { Passage } from './trace';

export function judgeReset(state: Case): VerdictEvent[] {
  const { fates, points, pair } = state;
  const forged = DIRECTIONS.flatMap((from): Item[] => {
    const reset = fates.find((fate): fate is Appeared => isReset(fate, from));
    return reset ? [reset.came] : [];
  });
  const [first] = forged;
  if (!first) return [];
  const signs = forged.flatMap((each) => signsOf(each, state));
  // It would have passed its sender before it came here; but a capture may have missed it, so more must show it.
  const both = forged.length === DIRECTIONS.length;
  if (!both && (signs.length === 0 || !isCovered(ownPoint(first), first, points, 0))) return [];
  const where = forged.map(
    ({ passage: { from }, point }) =>
      `a RST in the ${from}'s name was seen ${point === 'wan' ? 'outside' : 'inside'} only`,
  );
  const because = signs.length > 0 ? ` (${signs.join('; ')})` : '';
  const summary = `${where.join(', and ')}: not the named sender's, it was made between the two points${because}.`;
  const finding: PointsFinding = {
    at: first.at,
    verdict: 'reset-injected',
    worth: signs.length > 0 ? 'proved' : 'suspected',
    premises: OF_SHOWN_ABSENCE,
    summary: `${summary[0]?.toUpperCase()}${summary.slice(1)}`,
    evidence: forged.flatMap((each) => [
      evidenceOf(each, `not at the ${each.passage.from}'s own side`),
      ...goesOn(each, state)
        .slice(0, 1)
        .map((next) => passageEvidence(pair, ownPoint(each), next, GOES_ON)),
    ]),
  };
  return admitAtPoints(finding, [pair.wan.coverage, pair.dmz.coverage]);
}

type Appeared = Extract<Fate, { kind: 'appeared' }>;

function isReset(fate: Fate, from: Direction): boolean {
  return (
    fate.kind === 'appeared' && fate.came.passage.from === from && (fate.came.passage.flags & FLAG.rst) !== 0
  );
}

/** That of the side in whose name it is. */
function ownPoint({ point }: Item): Point {
  return point === 'wan' ? 'dmz' : 'wan';
}

/** What else shows that it is not its sender's: its hops, or that the sender goes on. */
function signsOf(reset: Item, state: Case): string[] {
  const { point, passage } = reset;
  const { from, ttl } = passage;
  const own = state.pair[point].passages.filter((each) => each.from === from && !(each.flags & FLAG.rst));
  const [first] = own;
  const signs: string[] = [];
  if (first && own.every((each) => Math.abs(each.ttl - ttl) >= TTL_JUMP))
    signs.push(`its TTL is ${ttl}, that of the ${from}'s own segments ${first.ttl}`);
  if (goesOn(reset, state).length > 0 || hearsMore(reset, state)) signs.push(`the ${from} ${GOES_ON}`);
  return signs;
}

/**
 * What passed the sender's own point when it should have been reset, where no clock was set meanwhile. What came before the
 * RST was sent before it, whatever the clocks say.
 */
function goesOn(reset: Item, { pair, points, fates }: Case): Passage[] {
  const own = ownPoint(reset);
  const before = new Set<Passage>();
  for (const fate of fates) {
    if (fate.kind !== 'passed' || fate.came.point !== reset.point) continue;
    if (fate.came.passage.nth < reset.passage.nth) before.add(fate.sent.passage);
  }
  return pair[own].passages.filter((each) => {
    const { from, flags, at } = each;
    if (before.has(each) || from !== reset.passage.from || flags & (FLAG.rst | FLAG.syn)) return false;
    const moment = onCommonClock(own, at, points.clocks);
    return moment.at > reset.at + reset.slack + moment.slack && isTimed(reset, moment, points.clocks);
  });
}

/** Behind the RST it acknowledges more than before, at its own point too: what was sent before the RST acknowledges less. */
function hearsMore(reset: Item, { pair }: Case): boolean {
  const { from, nth } = reset.passage;
  const [here, own] = [pair[reset.point], pair[ownPoint(reset)]];
  const to = from === 'client' ? 'server' : 'client';
  const [base, ownBase] = [here.base[to], own.base[to]];
  if (base === undefined || ownBase === undefined) return false;
  const heard = new Set(own.acks[from].map(({ ack }) => distance(ownBase, ack)));
  return here.acks[from].some((each) => each.nth > nth && heard.has(distance(base, each.ack)));
}

const GOES_ON = 'goes on after "its" RST';
const DIRECTIONS = ['client', 'server'] as const;
