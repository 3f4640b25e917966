// Turns: as much as has room in the time, at least one step, and then everything else.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { takeTurn } from '../../../proxy/sources/turn';

const TURN = 4_000;
/** What each step takes, in microseconds; how many are done in each turn, until nothing more is there. */
const ROWS: readonly (readonly [name: string, steps: readonly number[], turns: readonly number[]])[] = [
  ['nothing to do: one turn, at once over', [], [0]],
  ['all of it, where it has room', [1_000, 1_000], [2]],
  ['what has no room comes in the next turn', Array<number>(10).fill(1_000), [4, 4, 2]],
  ['one long step is a turn by itself', [40_000, 40_000, 1], [1, 1, 1]],
  ['two thousand short ones are one turn', Array<number>(2_000).fill(1), [2_000]],
  [
    'how many they are does not count, but how long they take',
    Array<number>(2_000).fill(100),
    Array<number>(50).fill(40),
  ],
];
for (const [name, steps, turns] of ROWS) {
  test(name, () => {
    let at = 0;
    const left = [...steps];
    const done: number[] = [];
    for (let over = false; !over;) {
      const before = left.length;
      over = takeTurn(
        () => {
          const cost = left.shift();
          at += cost ?? 0;
          return cost !== undefined;
        },
        TURN,
        () => at,
      );
      done.push(before - left.length);
    }
    // A turn that ends with the last step does not know that it was the last.
    if (done.at(-1) === 0 && done.length > 1) done.pop();
    assert.equal(done, turns);
  });
}

test.run();
