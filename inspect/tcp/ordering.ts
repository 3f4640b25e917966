// The order of cause: what a side said is passed on behind what it had heard by then, in whatever order it was captured.
//
// A segment acknowledges what its sender had received (RFC 9293 §3.4). Where these octets were not captured yet, either the
// capture has the two in the wrong order (two queues of a card, two files), and they follow within milliseconds; or the
// capture missed them. So the dialogue waits for them for a moment, and then goes on without.

import type { Direction, Micros } from '../events';
import { AHEAD_OCTETS, AHEAD_PIECES, DISORDER } from '../limits';

export interface Ordering<T> {
  /** Nothing waits: the usual case, and then there is nothing to do. */
  readonly empty: boolean;
  /** When what waits longest has waited long enough; absent where nothing waits. */
  due(): Micros | undefined;
  /** `needs`: the offset up to which the other side's octets belong before it. */
  hold(from: Direction, item: T, octets: number, needs: number, at: Micros): void;
  /** What may pass now, in its order; `next`: how far each side's octets are known. */
  release(
    next: Readonly<Record<Direction, number>>,
  ): readonly { readonly from: Direction; readonly item: T }[];
  /** The side whose octets are waited for, and up to where, if their time is over by `at` or too much waits. */
  overdue(at: Micros): { readonly missing: Direction; readonly upTo: number } | undefined;
  readonly waits: Readonly<Record<Direction, boolean>>;
}

interface Waiting<T> {
  readonly item: T;
  readonly octets: number;
  readonly needs: number;
  readonly at: Micros;
}

export function createOrdering<T>(): Ordering<T> {
  const queues: Record<Direction, Waiting<T>[]> = { client: [], server: [] };
  let octets = 0;
  const waits = { client: false, server: false };
  const shift = (from: Direction): Waiting<T> | undefined => {
    const first = queues[from].shift();
    octets -= first?.octets ?? 0;
    waits[from] = queues[from].length > 0;
    return first;
  };
  return {
    waits,
    get empty() {
      return !waits.client && !waits.server;
    },
    due() {
      const at = Math.min(queues.client[0]?.at ?? Infinity, queues.server[0]?.at ?? Infinity);
      return at === Infinity ? undefined : at + DISORDER;
    },
    hold(from, item, size, needs, at) {
      queues[from].push({ item, octets: size, needs, at });
      waits[from] = true;
      octets += size;
    },
    release(next) {
      const released: { from: Direction; item: T }[] = [];
      for (const from of SIDES) {
        while (queues[from][0] && queues[from][0].needs <= next[OTHER[from]]) {
          const first = shift(from);
          if (first) released.push({ from, item: first.item });
        }
      }
      return released;
    },
    overdue(at) {
      const from =
        (queues.client[0]?.at ?? Infinity) <= (queues.server[0]?.at ?? Infinity) ? 'client' : 'server';
      const [first] = queues[from];
      const full = octets > AHEAD_OCTETS || queues.client.length + queues.server.length > AHEAD_PIECES;
      if (!first || (at - first.at < DISORDER && !full)) return undefined;
      return { missing: OTHER[from], upTo: first.needs };
    },
  };
}

const SIDES = ['client', 'server'] as const;
const OTHER = { client: 'server', server: 'client' } as const;
