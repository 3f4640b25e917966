// The ring between kernel and process: read where it lies, without a system call per record.

import type { RingMemory } from '../native/libbpf';

export interface Ring {
  /** Hands over every record that is there, at most `most`; says how many there were. The octets are reused afterwards. */
  drain(take: (record: Uint8Array) => void, most: number): number;
  /** How much of it is filled, 0 to 1. */
  fill(): number;
}

/**
 * Follows the kernel's own protocol (kernel/bpf/ringbuf.c): positions count octets for ever, a record is 8 octets
 * of header and its data, padded to 8; the header's length has bit 31 while it is being written and bit 30 where it
 * is to be passed over. The data lies twice in a row, so that no record wraps.
 */
export function createRing({ consumer, producer, data, words }: RingMemory, octets: number): Ring {
  const mask = octets - 1;
  return {
    drain(take, most) {
      const end = Number(Atomics.load(producer, 0));
      let at = Number(Atomics.load(consumer, 0));
      let count = 0;
      while (at < end && count < most) {
        const start = at & mask;
        const header = Atomics.load(words, start >> 2);
        if (header < 0) break;
        const length = header & LENGTH;
        if ((header & DISCARD) === 0) {
          take(data.subarray(start + HEADER, start + HEADER + length));
          count += 1;
        }
        at += HEADER + ((length + 7) & ~7);
        // Room for others as soon as it is there: a batch may take a while.
        Atomics.store(consumer, 0, BigInt(at));
      }
      return count;
    },
    fill: () => Number(Atomics.load(producer, 0) - Atomics.load(consumer, 0)) / octets,
  };
}

const HEADER = 8;
const DISCARD = 1 << 30;
const LENGTH = DISCARD - 1;
