// The time stamps of a pcapng interface: 64 bits in units of its own, as microseconds.

import type { Micros } from '../../inspect/events';

/** Both halves of a stamp, the high one first. */
export type StampReader = (high: number, low: number) => Micros;

/**
 * `resolution` is the octet of if_tsresol: a power of ten, or of two where its first bit is set; `offset`: the
 * seconds of if_tsoffset. Finer stamps than a microsecond are cut off, never rounded.
 */
export function stampReader(resolution = 6, offset = 0n): StampReader {
  const add = Number(offset) * 1e6;
  if (resolution === 6) return (high, low) => high * WORD + low + add;
  if (resolution === 9) return (high, low) => thousandth(high, low) + add;
  const units = resolution & 0x80 ? 2n ** BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
  return (high, low) => Number((((BigInt(high) << 32n) + BigInt(low)) * 1_000_000n) / units) + add;
}

/** Nanoseconds do not fit into a double: the high half is divided first, as on paper. */
function thousandth(high: number, low: number): Micros {
  const quotient = Math.floor(high / 1_000);
  return quotient * WORD + Math.floor(((high - quotient * 1_000) * WORD + low) / 1_000);
}

const WORD = 0x1_0000_0000;
