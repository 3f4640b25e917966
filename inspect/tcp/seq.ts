// Sequence arithmetic modulo 2^32 (RFC 9293 §3.4): comparisons that a wrap does not fool.

/** A sequence number: an integer from 0 to 2^32 - 1. */
export type Seq = number;

/** `seq` moved by `octets`, which may be negative. */
export function advance(seq: Seq, octets: number): Seq {
  return (seq + octets) >>> 0;
}

/** How far `to` lies behind `from`: negative where it lies before it. Exact within 2^31 either way. */
export function distance(from: Seq, to: Seq): number {
  return (to - from) | 0;
}

/** The later of two. */
export function later(a: Seq, b: Seq): Seq {
  return distance(a, b) > 0 ? b : a;
}
