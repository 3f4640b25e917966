// What a source of captured frames gives, and how the formats of capture files hand it over.

import type { Micros } from '../../inspect/events';

/**
 * One whole frame of a LINKTYPE_ (tcpdump.org/linktypes.html). `octets` lie in a buffer that is used again
 * afterwards; `wireLength` is more than their number where the capture cut the frame. `elided`: it was cut on purpose, by
 * the program that took message, secrets and TLS out of it.
 */
export type Take = (
  linkType: number,
  octets: Uint8Array,
  at: Micros,
  wireLength: number,
  elided?: boolean,
) => void;

/** The same of a frame that lies in a chunk, `length` octets from `start` on. */
export type Hold = (
  linkType: number,
  start: number,
  length: number,
  at: Micros,
  wireLength: number,
  elided?: boolean,
) => void;

/** Octets of a file as they were read: both views are of one buffer. */
export interface Chunk {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** What follows is no record: nothing behind it can be found. */
export interface Damage {
  readonly kind: 'damage';
  readonly why: string;
  /** Where in the chunk. */
  readonly offset: number;
}

/** One format of capture files, from behind its magic number to its end. */
export interface Format {
  /**
   * Finds the frames of all whole records between `start` and `end` of the chunk. Answers with the offset
   * behind the last of them; beyond `end` where so many octets more are of no interest.
   */
  read(chunk: Chunk, start: number, end: number, hold: Hold): number | Damage;
  /** Frames that the capturing program says it missed. */
  readonly lost: number;
  /** From when to when the capture ran, as far as the file says it: nothing else passed in that time. */
  readonly ran?: { readonly from: Micros; readonly to: Micros } | undefined;
  /** Frames that were left out, by their link type, which is not known. */
  readonly strange: ReadonlyMap<number, number>;
}

/** Octets that a record may have: eight times the largest packet. */
export const LARGEST_RECORD = 1 << 20;
/** Octets that a chunk holds: the largest record behind as much that is held for its order. */
export const CHUNK = 2 * LARGEST_RECORD + 64;
