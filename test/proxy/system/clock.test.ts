import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createClock, formatTime, now } from '../../../proxy/system/clock';

const TIMES = [
  { at: 0, want: '1970-01-01T00:00:00.000000Z' },
  { at: 1_777_863_721_000_123, want: '2026-05-04T03:02:01.000123Z' },
  { at: 1_777_863_721_999_999, want: '2026-05-04T03:02:01.999999Z' },
  { at: 1_777_863_721_999_999.6, want: '2026-05-04T03:02:02.000000Z' },
  { at: 1_777_863_721_050_007, want: '2026-05-04T03:02:01.050007Z' },
];

for (const { at, want } of TIMES) test(`${at} µs is ${want}`, () => assert.is(formatTime(at), want));

/** Each step: where the two clocks stand, and what is read. */
const STEPS = [
  { name: 'the start', monotonic: 0, wall: 1_000_000, want: 1_000_000_000 },
  { name: 'microseconds count', monotonic: 0.123, wall: 1_000_000, want: 1_000_000_123 },
  { name: 'a difference below 10 ms is none', monotonic: 2_000, wall: 1_002_009, want: 1_002_000_000 },
  {
    name: 'a step within the second is not seen yet',
    monotonic: 2_500,
    wall: 9_002_500,
    want: 1_002_500_000,
  },
  { name: 'a step forward', monotonic: 3_100, wall: 9_003_100, want: 9_003_100_500 },
  { name: 'on from there', monotonic: 3_100.25, wall: 9_003_100, want: 9_003_100_750 },
  { name: 'a step back', monotonic: 5_000, wall: 4_000, want: 4_000_500 },
  { name: 'on from there again', monotonic: 6_500, wall: 5_500, want: 5_500_500 },
];

test('the clock follows a step of the wall clock, and nothing less', () => {
  let at = { monotonic: 0, wall: 0 };
  const clock = createClock({ monotonic: () => at.monotonic, wall: () => at.wall, origin: 1_000_000 });
  for (const { name, monotonic, wall, want } of STEPS) {
    at = { monotonic, wall };
    assert.is(clock(), want, name);
  }
});

test('now is whole microseconds of this machine, and does not go back', () => {
  let last = now();
  assert.ok(Math.abs(last / 1000 - Date.now()) < 60_000);
  for (let count = 0; count < 10_000; count += 1) {
    const next = now();
    assert.ok(Number.isInteger(next) && next >= last);
    last = next;
  }
});

test.run();
