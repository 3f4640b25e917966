import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dueAt } from '../../../inspect/measure/schedule';

const NONE = { rate: undefined, sessions: undefined, duration: undefined };

for (const [name, schedule, session, elapsed, want] of [
  ['by the clock, whatever has passed', { ...NONE, rate: 50 }, 3, 9e9, 60_000],
  ['the first at once', { ...NONE, rate: 0.1 }, 0, 0, 0],
  ['a rate that is no divisor does not drift', { ...NONE, rate: 3 }, 3_000_000, 0, 1e12],
  ['without a rate: now', NONE, 7, 1_234, 1_234],
  ['no more than so many', { ...NONE, rate: 50, sessions: 3 }, 3, 0, undefined],
  ['the last of so many', { ...NONE, rate: 50, sessions: 3 }, 2, 0, 40_000],
  ['none at the end of the time', { ...NONE, rate: 10, duration: 1e6 }, 10, 0, undefined],
  ['the last before it', { ...NONE, rate: 10, duration: 1e6 }, 9, 5e6, 900_000],
  ['without a rate none behind the end', { ...NONE, duration: 1e6 }, 0, 1e6, undefined],
] as const) {
  test(name, () => assert.is(dueAt(schedule, session, elapsed), want));
}

test.run();
