import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { barsOf, ratioOf, spreadOf } from '../../../inspect/measure/statistics';

for (const [name, values, want] of [
  ['odd', [3, 1, 2], { median: 2, least: 1, most: 3 }],
  ['even', [4, 1, 2, 3], { median: 2.5, least: 1, most: 4 }],
  ['one', [7], { median: 7, least: 7, most: 7 }],
] as const) {
  test(`spread: ${name}`, () => assert.equal(spreadOf(values), want));
}

test('a ratio is taken round by round: what a slow round does to both cancels', () => {
  assert.equal(ratioOf([10, 1, 10], [20, 2, 20]), { median: 0.5, least: 0.5, most: 0.5 });
});

test('a round without a counterpart, or that is nothing, is left out', () => {
  assert.equal(ratioOf([1, 2, 3], [2, 0]), { median: 0.5, least: 0.5, most: 0.5 });
});

/** As a histogram answers: by rank. */
function valueAtOf(values: readonly number[]): (percent: number) => number {
  const sorted = [...values].sort((a, b) => a - b);
  return (percent) => sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0;
}

test('property: bars count every value once, under its edge', () => {
  const values = fc.array(fc.integer({ min: 1, max: 2_000_000 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(values, (drawn) => {
      const bars = barsOf(valueAtOf(drawn), drawn.length);
      let from = 0;
      for (const { below, count } of bars) {
        assert.is(count, drawn.filter((value) => value >= from && value < below).length);
        from = below;
      }
      assert.is(
        bars.reduce((sum, { count }) => sum + count, 0),
        drawn.length,
      );
      // The ends are no empty bars.
      assert.ok((bars[0]?.count ?? 0) > 0 && (bars.at(-1)?.count ?? 0) > 0);
    }),
  );
});

test('nothing has no bars', () =>
  assert.equal(
    barsOf(() => 0, 0),
    [],
  ));

test.run();
