// What the log says of overload: once when it begins, once a minute as long as it goes on, once when it is over.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createOverload } from '../../../proxy/wire/overload';
import { rememberingSink } from '../relay/stage';

/** Seconds, connections that were not recorded so far, whether the ring is crowded, records lost so far. */
type Look = readonly [at: number, unwatched: number, crowded?: boolean, lost?: number];

interface Row {
  readonly name: string;
  /** By earlier processes. */
  readonly reported?: { readonly lost: number; readonly unwatched: number };
  readonly looks: readonly Look[];
  /** `at name connections`, or `at loss records`. */
  readonly says: readonly string[];
  /** Of connections, what counts as reported in the end. */
  readonly of: number;
}

const TABLE: readonly Row[] = [
  {
    name: 'no overload: nothing',
    looks: [
      [0, 0],
      [100, 0],
    ],
    says: [],
    of: 0,
  },
  {
    name: 'crowded, and nobody began: nothing',
    looks: [
      [0, 0, true],
      [60, 0],
    ],
    says: [],
    of: 0,
  },
  {
    name: 'it begins and is over: two lines, the second with all that were not recorded, and how long it went on',
    looks: [
      [0, 0],
      [1, 5, true],
      [2, 60, true],
      [3, 60],
      [11.9, 60],
      [12, 60],
      [14, 60],
    ],
    says: ['1 unwatched 5', '12 watched-again 60 in 1 s'],
    of: 60,
  },
  {
    name: 'crowded again within ten seconds: the same overload',
    looks: [
      [1, 5, true],
      [4, 5],
      [8, 9, true],
      [12, 9],
      [18, 9],
    ],
    says: ['1 unwatched 5', '18 watched-again 9 in 7 s'],
    of: 9,
  },
  {
    name: 'it is not over while the ring is crowded, whoever comes',
    looks: [
      [1, 5, true],
      [30, 5, true],
      [59, 5, true],
      [60, 5],
    ],
    says: ['1 unwatched 5', '60 watched-again 5 in 0 s'],
    of: 5,
  },
  {
    name: 'it goes on: once a minute, if there are more',
    looks: [
      [0, 1, true],
      [30, 100, true],
      [60, 200, true],
      [119, 300, true],
      [121, 400, true],
    ],
    says: ['0 unwatched 1', '60 unwatched 200', '121 unwatched 400'],
    of: 400,
  },
  {
    name: 'a second overload counts for itself',
    looks: [
      [0, 10, true],
      [20, 10],
      [30, 13, true],
      [50, 13],
    ],
    says: ['0 unwatched 10', '20 watched-again 10 in 0 s', '30 unwatched 3', '50 watched-again 3 in 0 s'],
    of: 13,
  },
  {
    name: 'while no process ran: what the one before had not reported',
    reported: { lost: 7, unwatched: 40 },
    looks: [
      [0, 100, false, 9],
      [11, 100, false, 9],
    ],
    says: ['0 loss 2', '0 unwatched 60', '11 watched-again 60 in 0 s'],
    of: 100,
  },
  {
    name: 'tables made anew: counted from nought',
    reported: { lost: 50, unwatched: 50 },
    looks: [
      [0, 3, true, 2],
      [20, 3, false, 2],
    ],
    says: ['0 loss 2', '0 unwatched 3', '20 watched-again 3 in 0 s'],
    of: 3,
  },
  {
    name: 'losses: once a second, none twice',
    looks: [
      [1, 0, false, 4],
      [1.5, 0, false, 6],
      [2, 0, false, 9],
      [3, 0, false, 9],
    ],
    says: ['1 loss 4', '2 loss 5'],
    of: 0,
  },
];

for (const { name, reported = { lost: 0, unwatched: 0 }, looks, says, of } of TABLE) {
  test(name, () => {
    const sink = rememberingSink();
    const overload = createOverload(sink, reported);
    const said = looks.flatMap(([at, unwatched, crowded = false, lost = 0]) => {
      sink.lines.length = 0;
      sink.notes.length = 0;
      overload.look({ lost, unwatched, crowded }, at * 1e6);
      return [
        ...sink.of('loss').map(({ count }) => `${at} loss ${count}`),
        ...sink.notes.map(({ what, fields }) => {
          const lasted = fields['seconds'] === undefined ? '' : ` in ${fields['seconds']} s`;
          return `${at} ${what} ${fields['connections']}${lasted}`;
        }),
      ];
    });
    assert.equal(said, says);
    assert.is(overload.reported.unwatched, of);
  });
}

test.run();
