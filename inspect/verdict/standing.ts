// What stands of all that was said of one connection: a later verdict may take an earlier one back.

import type { VerdictEvent, VerdictName } from '../events';
import { VERDICTS } from '../limits';

/**
 * `standing` in the order in which they were said, and `next` behind it, without those that `event.withdraws` names. What
 * is over `VERDICTS` is left out. `next`: as much of `event` as is kept.
 */
export function withVerdict<T extends { readonly verdict: VerdictName }>(
  standing: readonly T[],
  { withdraws }: Pick<VerdictEvent, 'withdraws'>,
  next: T,
): readonly T[] {
  const left = withdraws === undefined ? standing : standing.filter(({ verdict }) => verdict !== withdraws);
  return left.length < VERDICTS ? [...left, next] : left;
}
