// What was found in all connections at both points, by verdict, and the one sentence that follows from it.

import type { Micros, VerdictName } from '../../../inspect/events';
import { HELD } from '../../../inspect/verdict/thresholds';
import type { Fate } from '../../../inspect/two-point/fate';
import type { Survey } from '../../../inspect/two-point/survey';
import { gravestOf, sentenceOf } from '../analyze/conclusion';
import { addVerdicts, type VerdictSummary } from '../analyze/summary';

export type Found = ReadonlyMap<VerdictName, VerdictSummary>;

export function foundIn({ judgements }: Survey): Found {
  const found = new Map<VerdictName, VerdictSummary>();
  for (const { verdicts, pair } of judgements) addVerdicts(found, verdicts, pair.wan.client.address);
  return found;
}

/** Connections of which nothing is said, though something of them is at one point only: it is not known what became of it. */
export function openIn({ judgements }: Survey): number {
  return judgements.filter(
    ({ verdicts, aligned }) => verdicts.length === 0 && aligned.fates.some(({ kind }) => AT_ONE.has(kind)),
  ).length;
}

/**
 * Connections of which nothing is said, though something of them took long; and the longest time. Not by what is usual: where
 * all is slow that is slow too.
 */
export function longIn({ judgements }: Survey): { connections: number; longest: Micros } {
  const long = judgements.flatMap(({ verdicts, aligned: { fates } }) => {
    if (verdicts.length > 0) return [];
    const longest = fates.reduce((most, fate) => Math.max(most, fate.kind === 'passed' ? fate.delay : 0), 0);
    return longest >= HELD ? [longest] : [];
  });
  return { connections: long.length, longest: Math.max(0, ...long) };
}

/** What the gravest of them means, or of those with these names; `of`: connections at both points. */
export function closingSentence(
  found: Found,
  of: number,
  names?: ReadonlySet<VerdictName>,
): string | undefined {
  const gravest = gravestOf(new Map([...found].filter(([name]) => names?.has(name) ?? true)));
  return gravest && sentenceOf(...gravest, of);
}

const AT_ONE: ReadonlySet<Fate['kind']> = new Set(['absent', 'dropped', 'appeared']);
