// Sequence arithmetic across the wrap (RFC 9293 §3.4).

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { advance, distance, later } from '../../../inspect/tcp/seq';

const TOP = 0xffff_ffff;

const ROWS: readonly [from: number, to: number, distance: number][] = [
  [0, 0, 0],
  [1, 5, 4],
  [5, 1, -4],
  [TOP, 0, 1],
  [0, TOP, -1],
  [TOP - 9, 10, 20],
  [0, 0x7fff_ffff, 0x7fff_ffff],
];

for (const [from, to, want] of ROWS) {
  test(`from ${from} to ${to}`, () => {
    assert.is(distance(from, to), want);
    assert.is(advance(from, want), to);
    assert.is(later(from, to), want > 0 ? to : from);
  });
}

test.run();
