// The ring between kernel and process: read where it lies, without a system call per record.

import { isFault, type Fault } from '../system/fault';
import type { Libbpf } from '../native/libbpf';
import {
  COMMON_KEY,
  COMMON_SIZE,
  PIECE_SPAN,
  PIECE_SIZE,
  POSITIONS,
  POSITIONS_SIZE,
  SLOT,
  SLOT_VOID,
} from './abi';

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

/** The entries of the map `ring` that hold so many octets (a power of two). */
export function piecesOf(octets: number): number {
  return Math.max(1, octets / PIECE_SPAN);
}

/** In the memory of the map `commons`. */
export function positionsOf(commons: ArrayBuffer): BigInt64Array {
  return new BigInt64Array(commons, COMMON_SIZE * COMMON_KEY.COMMON_POSITIONS, POSITIONS_SIZE / 8);
}

/** The ring of a program that is loaded; a new one is given so many octets, another one keeps its own. One reader at a time. */
export function openRing(
  bpf: Libbpf,
  map: (name: string) => number,
  octets: number,
): (Ring & { close(): void }) | Fault {
  const pieces = bpf.entries(map('ring')) ?? piecesOf(octets);
  const data = bpf.mapArray(map('ring'), pieces * PIECE_SIZE);
  if (isFault(data)) return data;
  const commons = bpf.mapArray(map('commons'), COMMON_SIZE * Object.keys(COMMON_KEY).length);
  if (isFault(commons)) {
    data.unmap();
    return commons;
  }
  const words = positionsOf(commons.octets);
  if (Atomics.load(words, CAPACITY) === 0n) {
    Atomics.store(words, MASK, BigInt(pieces - 1));
    // From here on the program finds room.
    Atomics.store(words, CAPACITY, BigInt(octets));
  }
  return {
    ...createRing(words, data.octets, pieces),
    close() {
      data.unmap();
      commons.unmap();
    },
  };
}

/**
 * The program takes a slot by moving `produced`, fills it, and writes its size last: until then the size is 0. So it
 * must be 0 before the slot is taken, and that holds for each word of the ring, since what a record had in its midst the
 * next one may have at its front, and peers choose those octets. What is read is therefore zeroed before it is given back.
 *
 * A reader may be killed between any two of its steps. It says that a record is `read` once it was taken, zeroes all
 * from `consumed` up to there, and moves `consumed` when that is done. The next reader finds `consumed` behind
 * `read`, zeroes that part again, whatever is left in it, and goes on at `read`: no size is looked for where there
 * may be none any more, and no record is taken twice but the one that was being taken.
 */
function createRing(positions: BigInt64Array, memory: ArrayBuffer, pieces: number): Ring {
  const octets = new Uint8Array(memory);
  const words = new Int32Array(memory);
  const load = (which: number): number => Number(Atomics.load(positions, which));
  const store = (which: number, position: number): unknown =>
    Atomics.store(positions, which, BigInt(position));
  /** Where in memory a position lies; pieces are numbered beyond 32 bits. */
  const placeOf = (position: number): number =>
    (Math.floor(position / PIECE_SPAN) % pieces) * PIECE_SIZE + (position % PIECE_SPAN);
  const zero = (from: number, to: number): void => {
    for (let at = from, next; at < to; at = next) {
      next = Math.min(to, (Math.floor(at / PIECE_SPAN) + 1) * PIECE_SPAN);
      const start = placeOf(at);
      // The last slot of a piece reaches beyond it; nothing else lies there.
      const length = next % PIECE_SPAN === 0 ? PIECE_SIZE - (at % PIECE_SPAN) : next - at;
      octets.fill(0, start, start + length);
    }
  };
  let at = load(READ);
  let given = load(CONSUMED);
  const give = (): void => {
    zero(given, at);
    given = at;
    store(CONSUMED, given);
  };
  give();
  const fill = (): number => (load(PRODUCED) - load(CONSUMED)) / load(CAPACITY);
  return {
    end: () => load(PRODUCED),
    drain(take, most, end = load(PRODUCED)) {
      let count = 0;
      while (at < end && count < most) {
        const start = placeOf(at);
        const size = Atomics.load(words, start >> 2);
        if (size === 0) break;
        const next = at + (size & ~SLOT_VOID);
        if ((size & SLOT_VOID) === 0) {
          take(octets.subarray(start + SLOT.record, start + next - at));
          count += 1;
        }
        at = next;
        store(READ, at);
        // Room for others soon: a batch may take a while.
        if (at - given >= GIVE_BACK) give();
      }
      if (given < at) give();
      return count;
    },
    fill,
    crowded: () => Atomics.load(positions, CROWDED) >> 32n !== 0n && fill() > 0.25,
  };
}

const PRODUCED = POSITIONS.produced / 8;
const CAPACITY = POSITIONS.capacity / 8;
const MASK = POSITIONS.mask / 8;
/** It is the upper half of the word that `tail_ids` begins. */
const CROWDED = (POSITIONS.crowded - 4) / 8;
const CONSUMED = POSITIONS.consumed / 8;
const READ = POSITIONS.read / 8;
/** Octets: some fifty records. */
const GIVE_BACK = 8_192;
