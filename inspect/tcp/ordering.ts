// The order of cause: what a side said is passed on behind what it had heard by then, in whatever order it was captured.
//
// A segment acknowledges what its sender had received (RFC 9293 §3.4). Where these octets were not captured yet, either the
// capture has the two in the wrong order (two queues of a card, two files), and they follow within milliseconds; or the
// capture missed them. So the dialogue waits for them for a moment, and then goes on without.

import type { Direction, Micros } from '../events';
import { AHEAD_OCTETS, AHEAD_PIECES, DISORDER } from '../limits';
import type { Seq } from './seq';

export interface Waiting<T> {
  readonly from: Direction;
  readonly item: T;
  readonly octets: number;
  /** What its sender had heard. */
  readonly ack: Seq | undefined;
  readonly at: Micros;
}

/** Items of both sides that wait, each side's in their order. */
export interface Ordering<T> {
  isEmpty(): boolean;
  waits(from: Direction): boolean;
  hold(waiting: Waiting<T>): void;
  /** Takes out the first whose time has come. */
  shift(isReady: (waiting: Waiting<T>) => boolean): Waiting<T> | undefined;
  /** Takes out the one that waits longest, if its time is over by `at` or too much waits. */
  shiftOverdue(at: Micros): Waiting<T> | undefined;
  /** When the next is overdue; absent where nothing waits. */
  due(): Micros | undefined;
}

export function createOrdering<T>(): Ordering<T> {
  const queues: Record<Direction, Waiting<T>[]> = { client: [], server: [] };
  let octets = 0;
  const take = (from: Direction): Waiting<T> | undefined => {
    const first = queues[from].shift();
    octets -= first?.octets ?? 0;
    return first;
  };
  const oldest = (): Waiting<T> | undefined => {
    const [client, server] = [queues.client[0], queues.server[0]];
    return client && server ? (client.at <= server.at ? client : server) : (client ?? server);
  };
  return {
    isEmpty: () => queues.client.length + queues.server.length === 0,
    waits: (from) => queues[from].length > 0,
    hold(waiting) {
      queues[waiting.from].push(waiting);
      octets += waiting.octets;
    },
    shift(isReady) {
      const from = SIDES.find((each) => queues[each][0] && isReady(queues[each][0]));
      return from && take(from);
    },
    shiftOverdue(at) {
      const first = oldest();
      const full = octets > AHEAD_OCTETS || queues.client.length + queues.server.length > AHEAD_PIECES;
      return first && (at - first.at >= DISORDER || full) ? take(first.from) : undefined;
    },
    due() {
      const first = oldest();
      return first && first.at + DISORDER;
    },
  };
}

const SIDES = ['client', 'server'] as const;
