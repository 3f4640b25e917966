// A queue of octets with their times: for what can be read only when a later reply says what it is.

import type { Micros } from '../events';
import { HELD_PIECES } from '../limits';
import { NO_OCTETS, put } from '../octets';

export interface Piece {
  readonly bytes: Uint8Array;
  readonly at: Micros;
}

/**
 * A queue of octets. Each is copied once and taken once, however many replies it waits for. Of many pieces the last ones
 * are joined, and are as old as the last of them.
 */
export interface OctetQueue {
  length(): number;
  push(bytes: Uint8Array, at: Micros): void;
  /** The octets at its front, as they came. */
  first(): Piece | undefined;
  /** Takes octets from the first piece. */
  take(octets: number): void;
  pieces(): readonly Piece[];
  startedAt(): Micros;
  /** Takes all. */
  clear(): readonly Piece[];
}

/** Its octets are those of `room` from `start` to `end`. */
interface Kept {
  room: Uint8Array;
  start: number;
  end: number;
  at: Micros;
}

export function createOctetQueue(): OctetQueue {
  let pieces: Kept[] = [];
  let next = 0;
  let length = 0;
  const rest = (): readonly Piece[] => pieces.slice(next).map(pieceOf);
  return {
    length: () => length,
    push(bytes, at) {
      const last = pieces.length - next >= HELD_PIECES ? pieces.at(-1) : undefined;
      const kept = last ?? { room: NO_OCTETS, start: 0, end: 0, at };
      kept.room = put(kept.room, kept.end, bytes);
      kept.end += bytes.length;
      kept.at = at;
      if (!last) pieces.push(kept);
      length += bytes.length;
    },
    first() {
      const kept = pieces[next];
      return kept && pieceOf(kept);
    },
    take(octets) {
      const kept = pieces[next];
      if (!kept) return;
      length -= octets;
      kept.start += octets;
      if (kept.start === kept.end) next += 1;
      if (length === 0) {
        pieces = [];
        next = 0;
      }
    },
    pieces: rest,
    startedAt: () => pieces[next]?.at ?? 0,
    clear() {
      const all = rest();
      pieces = [];
      next = length = 0;
      return all;
    },
  };
}

function pieceOf({ room, start, end, at }: Kept): Piece {
  return { bytes: room.subarray(start, end), at };
}
