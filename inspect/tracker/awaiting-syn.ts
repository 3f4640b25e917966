// Segments that were captured before their connection's SYNs: they wait for these, and then follow them.
//
// The SYN says who is the client, and both SYNs with which octet each stream begins. A capture may have them a few
// milliseconds after the segments that follow them (two queues of a card, two files). Where none comes, the beginning was not
// captured.

import type { Micros } from '../events';
import { DISORDER, AWAITING_SYN } from '../limits';
import { isAnswer, isFirst, type Syns } from '../tcp/handshake';
import { FLAG, type Segment } from '../tcp/segment';

export interface AwaitingSyn<T extends { readonly segment: Segment }> {
  /**
   * What may go on now, in its order: the segment itself, the segment behind those that waited for it, or nothing.
   * `synsBefore`: the SYNs that are known already. What is kept is made by `keep`, as a payload's octets may be reused.
   */
  take(key: string, arrived: T, synsBefore: () => Syns, keep: (arrived: T) => T): readonly T[];
  /** The connections whose time is over by then, and beyond the cap the oldest: what waited of each. `Infinity`: all. */
  overdue(at: Micros): readonly (readonly T[])[];
}

export function createAwaitingSyn<T extends { readonly segment: Segment }>(): AwaitingSyn<T> {
  /** The one that waits longest first: a Map keeps the order of insertion. */
  const all = new Map<string, { readonly since: Micros; readonly arrived: T[]; readonly before: Syns }>();
  return {
    take(key, arrived, synsBefore, keep) {
      const waiting = all.get(key);
      if (!waiting) {
        const { flags, at } = arrived.segment;
        if (flags & FLAG.syn) return [arrived];
        const before = synsBefore();
        if (before.client && before.server) return [arrived];
        all.set(key, { since: at, arrived: [keep(arrived)], before });
        return [];
      }
      waiting.arrived.push(keep(arrived));
      const has = (kind: (segment: Segment) => boolean): boolean =>
        waiting.arrived.some(({ segment }) => kind(segment));
      if (!((waiting.before.client || has(isFirst)) && (waiting.before.server || has(isAnswer)))) return [];
      all.delete(key);
      return inOrder(waiting.arrived);
    },
    overdue(at) {
      if (all.size === 0) return NONE;
      const over: T[][] = [];
      for (const [key, { since, arrived }] of all) {
        if (at - since < DISORDER && all.size <= AWAITING_SYN) break;
        all.delete(key);
        over.push(inOrder(arrived));
      }
      return over;
    },
  };
}

/** The SYNs first. */
function inOrder<T extends { readonly segment: Segment }>(arrived: readonly T[]): T[] {
  const rank = ({ segment }: T): number => (isFirst(segment) ? 0 : isAnswer(segment) ? 1 : 2);
  return [...arrived].sort((a, b) => rank(a) - rank(b));
}

const NONE: readonly never[] = [];
