// What was found in all connections at both points, by verdict, and the one sentence that follows from it.

import type { VerdictName } from '../../inspect/events';
import type { Survey } from '../../inspect/verdict/two-point-survey';
import { gravestOf, sentenceOf } from '../analyze/meaning';
import { addVerdicts, type VerdictSummary } from '../analyze/summary';

export type Found = ReadonlyMap<VerdictName, VerdictSummary>;

export function foundIn({ judgements }: Survey): Found {
  const found = new Map<VerdictName, VerdictSummary>();
  for (const { verdicts, pair } of judgements) addVerdicts(found, verdicts, pair.wan.client.address);
  return found;
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
