// The ring between kernel and process: read where it lies, without a system call per record.

import { isFault, type Fault } from '../system/fault';
import type { Libbpf } from '../native/libbpf';
import { COMMON_KEY, COMMON_SIZE, LATEST } from './abi';

export interface Ring {
  /** Up to where there are records now. */
  end(): number;
  /** Hands over every record up to `end`, at most `most`; says how many there were. The octets are reused afterwards. */
  drain(take: (record: Uint8Array) => void, most: number, end?: number): number;
  /** How much of it is filled, 0 to 1. */
  fill(): number;
  /** Connections that begin now are not recorded: `is_crowded` in record.h, which asks itself when one begins. */
  crowded(): boolean;
}

/**
 * The ring of a program that is loaded. One reader at a time; it begins where the last one stopped, since the kernel
 * keeps that position. A reader that was killed may have taken the record there, and no other one, without saying so.
 */
export function openRing(
  bpf: Pick<Libbpf, 'mapRing' | 'read'>,
  map: (name: string) => number,
): (Ring & { close(): void }) | Fault {
  const memory = bpf.mapRing(map('ring'));
  if (isFault(memory)) return memory;
  const { size, consumer, producer, data, unmap } = memory;
  const headers = new Int32Array(data.buffer, data.byteOffset, data.length / 4);
  const common = Buffer.alloc(COMMON_SIZE);
  const load = (position: BigInt64Array): number => Number(Atomics.load(position, 0));
  const fill = (): number => (load(producer) - load(consumer)) / size;
  return {
    end: () => load(producer),
    drain(take, most, end = load(producer)) {
      let count = 0;
      for (let at = load(consumer); at < end && count < most; count += 1) {
        const start = at % size;
        const length = Atomics.load(headers, start / 4);
        // BPF_RINGBUF_BUSY_BIT: another processor still writes it.
        if (length < 0) break;
        take(data.subarray(start + HEADER, start + HEADER + length));
        at += Math.ceil((HEADER + length) / ALIGNMENT) * ALIGNMENT;
        Atomics.store(consumer, 0, BigInt(at));
      }
      return count;
    },
    fill,
    crowded: () =>
      bpf.read(map('commons'), LATEST_KEY, common) &&
      common.readUInt32LE(LATEST.crowded) !== 0 &&
      fill() > 0.25,
    close: unmap,
  };
}

/** An entry of the map `commons`. */
const LATEST_KEY = Buffer.from(Uint32Array.of(COMMON_KEY.COMMON_LATEST).buffer);
/** BPF_RINGBUF_HDR_SZ: the record's length, and where its page is. */
const HEADER = 8;
const ALIGNMENT = 8;
