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
  /** Absent of an acknowledgement alone: it waits to be answered for, and nothing waits behind it. */
  readonly item: T | undefined;
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
  const queues: Record<Lane, Waiting<T>[]> = { client: [], server: [], alone: [] };
  let octets = 0;
  const take = (lane: Lane): Waiting<T> | undefined => {
    const first = queues[lane].shift();
    octets -= first?.octets ?? 0;
    return first;
  };
  const size = (): number => LANES.reduce((sum, lane) => sum + queues[lane].length, 0);
  const oldest = (): Lane | undefined =>
    LANES.reduce<Lane | undefined>((best, lane) => {
      const [first] = queues[lane];
      const least = best && queues[best][0];
      return first && (!least || first.at < least.at) ? lane : best;
    }, undefined);
  return {
    isEmpty: () => size() === 0,
    waits: (from) => queues[from].length > 0,
    hold(waiting) {
      queues[waiting.item === undefined ? 'alone' : waiting.from].push(waiting);
      octets += waiting.octets;
    },
    shift(isReady) {
      const lane = LANES.find((each) => queues[each][0] && isReady(queues[each][0]));
      return lane && take(lane);
    },
    shiftOverdue(at) {
      const lane = oldest();
      const since = lane && queues[lane][0]?.at;
      const full = octets > AHEAD_OCTETS || size() > AHEAD_PIECES;
      return lane && since !== undefined && (at - since >= DISORDER || full) ? take(lane) : undefined;
    },
    due() {
      const lane = oldest();
      const first = lane && queues[lane][0];
      return first && first.at + DISORDER;
    },
  };
}

type Lane = Direction | 'alone';
const LANES = ['client', 'server', 'alone'] as const;
