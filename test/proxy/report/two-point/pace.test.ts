// Two captures read side by side: who waits for whom.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Micros, Point } from '../../../../inspect/events';
import { createPace } from '../../../../proxy/report/two-point/pace';

interface Row {
  readonly name: string;
  /** When the first frame was captured, and then each after another mebibyte. */
  readonly wan: readonly Micros[];
  readonly dmz: readonly Micros[];
  readonly apart?: Micros;
  /** In which order they are read. */
  readonly want: string;
}

const ROWS: readonly Row[] = [
  { name: 'in turns', wan: [0, 10, 20], dmz: [0, 10, 20], want: 'wddwwd' },
  { name: 'who is ahead waits', wan: [0, 100], dmz: [0, 10, 20, 30], want: 'wddwdd' },
  {
    name: 'nothing in common yet: as if begun together',
    wan: [0, 100],
    dmz: [7_000, 7_050, 7_090],
    want: 'wddwd',
  },
  { name: 'clocks apart', wan: [0, 100], dmz: [7_000, 7_050, 7_090], apart: 7_000, want: 'wddwd' },
  { name: 'one was begun earlier', wan: [500, 600], dmz: [0, 200, 400, 700], apart: 0, want: 'wddddw' },
];

for (const { name, wan, dmz, apart, want } of ROWS) {
  test(name, async () => {
    const order: string[] = [];
    const pace = createPace(() => apart);
    const read = async (point: Point, times: readonly Micros[]): Promise<void> => {
      const [firstAt = 0] = times;
      for (const [i, lastAt] of times.entries()) {
        order.push(point[0] ?? '');
        await pace.turn(point, { position: i + 1, firstAt, lastAt });
      }
      pace.over(point);
    };
    await Promise.all([read('wan', wan), read('dmz', dmz)]);
    assert.is(order.join(''), want);
  });
}

test('a pipe that has nothing now does not keep the other waiting', async () => {
  const pace = createPace(() => 0);
  let waits = true;
  const other = pace.turn('dmz', { position: 5, firstAt: 0, lastAt: 50 }).then(() => (waits = false));
  await pace.turn('wan', { position: 1, firstAt: 0, lastAt: 10 });
  assert.is(waits, true);
  await pace.turn('wan', { position: 1, firstAt: 0, lastAt: 10 });
  await other;
  assert.is(waits, false);
});

test.run();
