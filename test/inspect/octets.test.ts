// What is kept of octets that come one at a time: about as much as of those that come at once.

import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { COMMAND_LINE, HELD_PIECES, UNDECIDED } from '../../inspect/limits';
import { put } from '../../inspect/octets';
import { createFramer } from '../../inspect/grammar/lines';
import { createOctetQueue } from '../../inspect/smtp/octet-queue';

test('property: what was put in is there, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
      let room = new Uint8Array(0);
      let used = 0;
      for (const piece of pieces) {
        room = put(room, used, piece) as Uint8Array<ArrayBuffer>;
        used += piece.length;
      }
      assert.equal(
        [...room.subarray(0, used)],
        pieces.flatMap((piece) => [...piece]),
      );
    }),
  );
});

test('octet by octet a new room is needed seldom', () => {
  const rooms = new Set<Uint8Array>();
  let room: Uint8Array = new Uint8Array(0);
  for (let used = 0; used < UNDECIDED; used += 1) rooms.add((room = put(room, used, Uint8Array.of(used))));
  assert.ok(rooms.size <= 18, `${rooms.size}`);
});

test('property: a queue gives what came, as it came, however it is taken', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 2 * HELD_PIECES + 9 });
  fc.assert(
    fc.property(sizes, fc.array(fc.integer({ min: 1, max: 3 })), (pushes, takes) => {
      const held = createOctetQueue();
      const told: number[] = [];
      let sent = 0;
      const take = (most: number): void => {
        const piece = held.first();
        if (!piece) return;
        const taken = piece.bytes.subarray(0, most);
        told.push(...taken);
        held.take(taken.length);
      };
      pushes.forEach((size, i) => {
        held.push(
          Uint8Array.from({ length: size }, () => sent++ & 255),
          i,
        );
        assert.ok(held.pieces().length <= HELD_PIECES);
        take(takes[i] ?? 0);
      });
      assert.is(held.length(), sent - told.length);
      const ats = held.pieces().map(({ at }) => at);
      assert.equal(
        ats,
        [...ats].sort((a, b) => a - b),
      );
      for (const { bytes } of held.clear()) told.push(...bytes);
      assert.equal(
        told,
        Array.from({ length: sent }, (_, i) => i & 255),
      );
    }),
  );
});

test('of few pieces each has its own time; of many, the last ones have that of the last', () => {
  const held = createOctetQueue();
  for (let at = 0; at < HELD_PIECES + 100; at += 1) held.push(Uint8Array.of(at), at);
  const ats = held.pieces().map(({ at }) => at);
  assert.equal(
    ats.slice(0, -1),
    Array.from({ length: HELD_PIECES - 1 }, (_, at) => at),
  );
  assert.is(ats.at(-1), HELD_PIECES + 99);
});

/** What keeps octets that come one at a time, and how many at the most. */
const KEEPERS: readonly (readonly [
  name: string,
  make: () => (octet: Uint8Array, i: number) => unknown,
  most: number,
])[] = [
  [
    'a line',
    () => {
      const framer = createFramer(COMMAND_LINE);
      return (octet, i) => framer.take(octet, 0, i, i);
    },
    COMMAND_LINE,
  ],
  [
    'what waits for a reply',
    () => {
      const held = createOctetQueue();
      return (octet, i) => held.push(octet, i);
    },
    UNDECIDED,
  ],
];
for (const [name, make, most] of KEEPERS) {
  test(`${name}: octet by octet it costs at most four times what is in it, and 64 KiB`, () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const held = (): number => {
      gc();
      const { heapUsed, external, arrayBuffers } = process.memoryUsage();
      return heapUsed + external + arrayBuffers;
    };
    const before = held();
    const keepers = Array.from({ length: 20 }, make);
    for (const keep of keepers) for (let i = 0; i < most; i += 1) keep(Uint8Array.of(0x41), i);
    const each = (held() - before) / keepers.length;
    assert.ok(each <= 4 * most + 65_536, `${Math.round(each)} octets each, of ${most}`);
    keepers.length = 0;
  });
}

test.run();
