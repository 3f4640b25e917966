// Two clocks, by the segments that passed both points: apart, running apart, set meanwhile.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction, Micros } from '../../../inspect/events';
import { createClocks, type ClockSample } from '../../../inspect/two-point/clock';

const SECOND = 1_000_000;
const DELAY = 400;

/** A dialogue of an hour, a segment in either direction every 10 s; `offset`: the truth. */
function samples(offset: (at: Micros) => Micros, held: (i: number) => Micros = () => 0): ClockSample[] {
  return Array.from({ length: 360 }, (_, i) =>
    (['client', 'server'] as const).map((from, j) => sample(i, from, j)),
  ).flat();
  function sample(i: number, from: Direction, j: number): ClockSample {
    const at = i * 10 * SECOND + j * 5_000;
    const delay = DELAY + held(i);
    return { at, difference: Math.round(offset(at)) + (from === 'client' ? delay : -delay), from };
  }
}

interface Row {
  readonly name: string;
  readonly offset: (at: Micros) => Micros;
  readonly held?: (i: number) => Micros;
  readonly steps: number;
  readonly drift?: number;
  /** How wrong it may say that it is, where no step is near. */
  readonly slack: Micros;
}

const ROWS: readonly Row[] = [
  { name: 'equal', offset: () => 0, steps: 0, slack: 6_000 },
  { name: 'apart by an hour', offset: () => 3_600 * SECOND, steps: 0, slack: 6_000 },
  { name: '20 ppm', offset: (at) => at * 20e-6, steps: 0, drift: 20, slack: 6_000 },
  {
    name: '-200 ppm, and apart',
    offset: (at) => 7 * SECOND - at * 200e-6,
    steps: 0,
    drift: -200,
    slack: 6_000,
  },
  {
    name: 'set forward by 2 s',
    offset: (at) => (at > 1_800 * SECOND ? 2 * SECOND : 0),
    steps: 1,
    slack: 6_000,
  },
  {
    name: 'set back by 2 s',
    offset: (at) => (at > 1_800 * SECOND ? -2 * SECOND : 0),
    steps: 1,
    slack: 6_000,
  },
  {
    name: 'set twice',
    offset: (at) => (at > 2_400 * SECOND ? 500_000 : at > 1_200 * SECOND ? -700_000 : 0),
    steps: 2,
    slack: 6_000,
  },
  {
    name: 'a path that holds some for 3 s',
    offset: () => 0,
    held: (i) => (i % 7 === 3 ? 3 * SECOND : 0),
    steps: 0,
    slack: 10_000,
  },
];

for (const { name, offset, held, steps, drift, slack } of ROWS) {
  test(name, () => {
    const clocks = createClocks(samples(offset, held));
    assert.ok(clocks);
    assert.is(clocks.steps, steps);
    if (drift === undefined) assert.is(clocks.drift, undefined);
    else assert.ok(Math.abs((clocks.drift ?? 0) - drift) < 2, `${clocks.drift}`);
    let wide = 0;
    for (let at = 0; at < 3_599 * SECOND; at += 3_700_000) {
      const truth = offset(at);
      for (const said of [clocks.atWan(at), clocks.atDmz(at + truth)]) {
        assert.ok(
          Math.abs(said.micros - truth) <= said.slack,
          `${name} at ${at}: ${JSON.stringify(said)}, ${truth}`,
        );
        if (said.slack > slack) wide += 1;
      }
    }
    // Near a step nobody knows on which side of it a segment is.
    assert.ok(wide <= 20 * steps, `${wide}`);
  });
}

/** [name, from and to in seconds, the clock is set by so much at 1800 s, steady]. */
const STEADY: readonly (readonly [string, number, number, Micros, boolean])[] = [
  ['nothing was set', 100, 102, 0, true],
  ['set before', 1_900, 1_902, SECOND, true],
  ['set behind', 1_700, 1_702, -SECOND, true],
  ['set forward meanwhile', 1_795, 1_805, SECOND, false],
  ['set back meanwhile', 1_795, 1_805, -SECOND, false],
  ['set by a little meanwhile', 1_795, 1_805, 20_000, false],
  ['behind the last segment nobody knows', 3_591, 3_700, 0, false],
  ['before the first neither', -10, 10, 0, false],
];

for (const [name, from, to, by, want] of STEADY) {
  test(`steady: ${name}`, () => {
    const clocks = createClocks(samples((at) => (at > 1_800 * SECOND ? by : 0)));
    assert.is(clocks?.isSteady(from * SECOND, to * SECOND), want);
  });
}

test('nothing at both points: nothing is said', () => {
  assert.is(createClocks([]), undefined);
});

test('one direction alone: as if the segment had taken no time, and so much may be wrong', () => {
  const clocks = createClocks([{ at: 0, difference: 1_000, from: 'client' }]);
  assert.equal(clocks?.atWan(0), { micros: 1_000, slack: 100_000, bounded: false });
});

test.run();
