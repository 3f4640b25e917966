// Who gives way: nobody while there is room, then who has waited longest and has begun nothing.

import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createIdlers, type Rank } from '../../../proxy/relay/idlers';

const SECOND = 1_000_000;

interface Row {
  readonly name: string;
  /** Rank and the second of the last word of a, b, c… */
  readonly waiting: readonly (readonly [rank: Rank | undefined, at: number])[];
  readonly fill: number;
  readonly at: number;
  readonly want: string;
}

const ROWS: readonly Row[] = [
  { name: 'room for all', waiting: [['fresh', 0]], fill: 0.79, at: 1_000, want: '' },
  {
    name: 'busy: ten seconds',
    waiting: [
      ['fresh', 0],
      ['fresh', 1],
      ['fresh', 2],
    ],
    fill: 0.8,
    at: 11,
    want: 'ab',
  },
  { name: 'busy: who has begun something stays', waiting: [['used', 0]], fill: 0.9, at: 1_000, want: '' },
  {
    name: 'full: the longest',
    waiting: [
      ['fresh', 1],
      ['fresh', 0],
    ],
    fill: 0.95,
    at: 5,
    want: 'b',
  },
  { name: 'full: nobody who spoke within three seconds', waiting: [['fresh', 3]], fill: 1, at: 5, want: '' },
  {
    name: 'full: first who has begun nothing',
    waiting: [
      ['used', 0],
      ['fresh', 90],
    ],
    fill: 1,
    at: 95,
    want: 'b',
  },
  {
    name: 'full: then who was silent for a minute',
    waiting: [
      ['used', 0],
      ['used', 40],
    ],
    fill: 1,
    at: 60,
    want: 'a',
  },
  { name: 'full: not who was silent for less', waiting: [['used', 0]], fill: 1, at: 59, want: '' },
  { name: 'full: not who waits for its server', waiting: [[undefined, 0]], fill: 1, at: 1_000, want: '' },
];

for (const { name, waiting, fill, at, want } of ROWS)
  test(name, () => {
    const idlers = createIdlers(() => 10 * SECOND);
    let gone = '';
    const order = [...waiting.entries()].sort(([, a], [, b]) => a[1] - b[1]);
    for (const [index, [rank, last]] of order) {
      const idler = idlers.join(() => (gone += String.fromCharCode(97 + index)));
      idler.touch(rank, last * SECOND);
    }
    idlers.makeRoom(fill, at * SECOND);
    assert.is([...gone].sort().join(''), want);
  });

test('whatever happens: nobody gives way twice, or while its server is waited for, or before its time', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          who: fc.nat(5),
          rank: fc.constantFrom<Rank | undefined>('fresh', 'used', undefined),
          wait: fc.nat(30),
          fill: fc.constantFrom(0, 0.8, 1),
        }),
        { maxLength: 80 },
      ),
      (steps) => {
        const idlers = createIdlers(() => 10 * SECOND);
        let at = 0;
        const guests = Array.from({ length: 6 }, () => {
          const guest = { gone: false, rank: undefined as Rank | undefined, last: 0 };
          const idler = idlers.join(() => {
            assert.not(guest.gone);
            assert.ok(guest.rank !== undefined);
            assert.ok(at - guest.last >= (guest.rank === 'fresh' ? 3 : 60));
            guest.gone = true;
          });
          return { guest, idler };
        });
        for (const { who, rank, wait, fill } of steps) {
          at += wait;
          const { guest, idler } = guests[who] as (typeof guests)[number];
          if (!guest.gone) {
            guest.rank = rank;
            guest.last = at;
            idler.touch(rank, at * SECOND);
          }
          idlers.makeRoom(fill, at * SECOND);
        }
      },
    ),
  ));

test.run();
