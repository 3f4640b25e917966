// The ring's reader: borders, laps, records that are still being written, killed readers.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isFault } from '../../../proxy/system/fault';
import { openRing, type Ring } from '../../../proxy/wire/ring';

/** Memory as kernel/bpf/ringbuf.c lays it out, what it does there, and a reader of it. */
function createMemory(size: number, from: number) {
  const [consumer, producer] = [BigInt64Array.of(BigInt(from)), BigInt64Array.of(BigInt(from))];
  const data = new Uint8Array(2 * size);
  const write = (at: number, octets: Uint8Array): void =>
    octets.forEach((octet, i) => [0, size].forEach((lap) => (data[((at + i) % size) + lap] = octet)));
  const setHeader = (at: number, length: number): void =>
    write(at, new Uint8Array(Uint32Array.of(length, 0).buffer));
  const bpf = {
    mapRing: () => ({ size, consumer, producer, data, unmap: () => undefined }),
    read: () => false,
  };
  const open = (): Ring => {
    const ring = openRing(bpf, () => 0);
    if (isFault(ring)) throw new Error(ring.code);
    return ring;
  };
  return {
    open,
    /** Reserves room and writes; what it returns shows the record to the reader. Undefined: there is no room. */
    put(octets: Uint8Array): (() => void) | undefined {
      const at = Number(producer[0]);
      const next = at + 8 + Math.ceil(octets.length / 8) * 8;
      if (next - Number(consumer[0]) > size) return undefined;
      setHeader(at, octets.length + BUSY);
      producer[0] = BigInt(next);
      write(at + 8, octets);
      return () => setHeader(at, octets.length);
    },
  };
}

test('wherever the ring begins, whoever is killed: each record once, in order, once it is whole', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.integer({ min: 4, max: 90 }).map((length) => ({ kind: 'put', length }) as const),
    },
    { weight: 3, arbitrary: fc.nat(5).map((which) => ({ kind: 'show', which }) as const) },
    {
      weight: 3,
      arbitrary: fc.integer({ min: 1, max: 9 }).map((most) => ({ kind: 'drain', most }) as const),
    },
    { weight: 1, arbitrary: fc.nat(3).map((after) => ({ kind: 'kill', after }) as const) },
  );
  const from = fc.maxSafeNat().map((at) => (at % 2 ** 49) * 8);
  fc.assert(
    fc.property(from, fc.array(step, { maxLength: 200 }), (at, steps) => {
      const memory = createMemory(256, at);
      let ring = memory.open();
      const sent: { octets: Uint8Array; show: (() => void) | undefined }[] = [];
      const got: Uint8Array[] = [];
      const take = (octets: Uint8Array): void => void got.push(octets.slice());
      const whole = (): number => {
        const first = sent.findIndex(({ show }) => show !== undefined);
        return first < 0 ? sent.length : first;
      };
      const show = (which: number): void => {
        const waiting = sent.filter((each) => each.show !== undefined);
        const each = waiting[which % waiting.length];
        each?.show?.();
        if (each) each.show = undefined;
      };
      const drainAll = (after: number): void => {
        let left = after;
        const killed = (octets: Uint8Array): void => {
          if ((left -= 1) < 0) throw new Error('killed');
          take(octets);
        };
        const due = whole() - got.length;
        if (due > after) assert.throws(() => ring.drain(killed, Infinity), /killed/);
        else assert.is(ring.drain(killed, Infinity), due);
      };
      for (const each of steps) {
        if (each.kind === 'put') {
          const octets = new Uint8Array(each.length).fill(sent.length);
          const shown = memory.put(octets);
          if (shown) sent.push({ octets, show: shown });
        } else if (each.kind === 'show') {
          show(each.which);
        } else if (each.kind === 'drain') {
          const due = Math.min(each.most, whole() - got.length);
          assert.is(ring.drain(take, each.most), due);
        } else {
          drainAll(each.after);
          ring = memory.open();
        }
      }
      while (whole() < sent.length) show(0);
      ring.drain(take, Infinity);
      assert.equal(
        got,
        sent.map(({ octets }) => octets),
      );
      assert.is(ring.fill(), 0);
    }),
    { numRuns: 300 },
  );
});

test('what came behind the end that was asked for stays for the next time', () => {
  const memory = createMemory(256, 0);
  const ring = memory.open();
  memory.put(new Uint8Array(8).fill(1))?.();
  const end = ring.end();
  memory.put(new Uint8Array(8).fill(2))?.();
  const got: Uint8Array[] = [];
  const take = (octets: Uint8Array): void => void got.push(octets.slice());
  assert.is(ring.drain(take, Infinity, end), 1);
  assert.is(ring.fill(), 16 / 256);
  assert.is(ring.drain(take, Infinity), 1);
  assert.equal(got, [new Uint8Array(8).fill(1), new Uint8Array(8).fill(2)]);
});

/** BPF_RINGBUF_BUSY_BIT. */
const BUSY = 2 ** 31;

test.run();
