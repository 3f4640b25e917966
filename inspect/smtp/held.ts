// The client's octets that nobody can read yet: the reply to the command before them decides what they are.

import type { Micros } from '../events';

export interface Piece {
  readonly bytes: Uint8Array;
  readonly at: Micros;
}

/** A queue of octets. Each is copied once and taken once, however many replies it waits for. */
export interface Held {
  readonly length: number;
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

export function createHeld(): Held {
  let pieces: Piece[] = [];
  let next = 0;
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(bytes, at) {
      pieces.push({ bytes: bytes.slice(), at });
      length += bytes.length;
    },
    first: () => pieces[next],
    take(octets) {
      const piece = pieces[next];
      if (!piece) return;
      length -= octets;
      if (octets < piece.bytes.length) pieces[next] = { ...piece, bytes: piece.bytes.subarray(octets) };
      else next += 1;
      if (length === 0) {
        pieces = [];
        next = 0;
      }
    },
    pieces: () => pieces.slice(next),
    startedAt: () => pieces[next]?.at ?? 0,
    clear() {
      const rest = pieces.slice(next);
      pieces = [];
      next = length = 0;
      return rest;
    },
  };
}
