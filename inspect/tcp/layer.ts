// The walk through a frame: each layer reads its own header, moves behind it and names the next one.

import type { Tunnel } from './segment';

/** Where the walk is. `at <= end <= frame.length` between two layers; nothing from `end` on is read. */
export interface Walk {
  frame: Uint8Array;
  /** Where the next header begins, and where the octets end that were captured of what carries it. */
  at: number;
  end: number;
  /** Octets of it that were behind `end` on the wire, and were not captured. */
  beyond: number;
  vlans: readonly number[];
  tunnels: readonly Tunnel[] | undefined;
}

/** Reads the header at `at`, and answers with the layer of what is behind it. */
export type Layer = (walk: Walk) => Layer | Found;

/** `ip`: the packet begins at `at`. `cut`: the frame ends within a header. */
export type Found = 'ip' | 'other' | 'cut';

/** The walk's end, after `LAYERS` at the most: a packet may be carried in itself as often as it likes. */
export function follow(walk: Walk, first: Layer | Found): Found {
  let next = first;
  for (let left = LAYERS; typeof next === 'function'; left -= 1) {
    if (left === 0) return 'other';
    next = next(walk);
    if (walk.at > walk.end) return 'cut';
  }
  return next;
}

/** Moves behind a header of so many octets. */
export function pass(walk: Walk, octets: number, next: Layer | Found): Layer | Found {
  walk.at += octets;
  return next;
}

export function has({ at, end }: Walk, octets: number): boolean {
  return at + octets <= end;
}

/** From here on the packet is carried by another protocol. */
export function enter(walk: Walk, tunnel: Tunnel): void {
  walk.tunnels = walk.tunnels ? [...walk.tunnels, tunnel] : [tunnel];
}

/** An octet of what is known to be there, so many behind `at`. */
export function octet({ frame, at }: Walk, offset: number): number {
  return frame[at + offset] ?? 0;
}

export function word({ frame, at }: Walk, offset: number): number {
  return ((frame[at + offset] ?? 0) << 8) | (frame[at + offset + 1] ?? 0);
}

/** More than any network has: eight tags, a stack of labels, three tunnels in one another. */
const LAYERS = 40;
