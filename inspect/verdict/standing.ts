// What stands of all verdicts on one connection: a later one may withdraw an earlier one, or take its place. The inspector
// applies it; all others read `Inspector.verdicts`.

import type { Micros, VerdictEvent } from '../events';
import { VERDICTS } from '../limits';

/** What tells one finding from another of the same connection. */
export type FindingKey = Pick<VerdictEvent, 'verdict' | 'where' | 'about'>;

/** The later of the two counts: suspected first, then proved; or dropped, and then how it ended. */
function isSameFinding(a: FindingKey, b: FindingKey): boolean {
  return (
    a.verdict === b.verdict &&
    a.where === b.where &&
    a.about?.from === b.about?.from &&
    a.about?.start === b.about?.start
  );
}

/** When it happened; it may have been reported much later. */
export function happenedAt({ since, at }: Pick<VerdictEvent, 'since' | 'at'>): Micros {
  return since ?? at;
}

/**
 * What stands behind `event`: `standing` without what it withdraws, and with it in the place of the earlier verdict on the
 * same finding, or else at the end. What is over `VERDICTS` is left out.
 */
export function withVerdict<T extends FindingKey>(
  standing: readonly T[],
  event: T & Pick<VerdictEvent, 'withdraws'>,
): readonly T[] {
  const { withdraws } = event;
  const left = withdraws === undefined ? standing : standing.filter(({ verdict }) => verdict !== withdraws);
  if (left.some((each) => isSameFinding(each, event))) {
    return left.map((each) => (isSameFinding(each, event) ? event : each));
  }
  return left.length < VERDICTS ? [...left, event] : left;
}
