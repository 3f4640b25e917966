// Two captures that do not go together: swapped, of different times, or with nothing in common.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTracker } from '../../../../inspect/tracker/tracker';
import { surveyTwoPoints } from '../../../../inspect/two-point/survey';
import type { Trace } from '../../../../inspect/two-point/trace';
import { adviceText } from '../../../../proxy/report/two-point/advice';
import { createCollector, type PointFile } from '../../../../proxy/report/two-point/point';
import { buildFrame } from '../../sources/frames';

const START = Date.UTC(2026, 4, 4, 3, 2, 1) * 1000;
const MS = 1_000;

interface Plan {
  readonly from?: number;
  readonly client?: string;
  readonly isn?: number;
  /** How far the server is, in milliseconds of a round trip. */
  readonly away: number;
  /** The answer to the SYN is not the server's own. */
  readonly answer?: number;
  readonly connections?: number;
}

function point(
  file: string,
  { from = START, client = '198.51.100.7', isn = 1_000, away, answer = 900, connections = 3 }: Plan,
): PointFile {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  const traces: Trace[] = [];
  const collector = createCollector(file === 'wan' ? 'wan' : 'dmz', (trace) => traces.push(trace));
  for (let i = 0; i < connections; i += 1) {
    const at = from + i * 10_000 * MS;
    const [c, s] = [
      { from: client, fromPort: 40_000 + i, to: '203.0.113.5', toPort: 25 },
      { from: '203.0.113.5', fromPort: 25, to: client, toPort: 40_000 + i },
    ];
    const number = answer + i * 7;
    const steps = [
      [at, { ...c, flags: 2, seq: isn + i, ack: 0 }],
      [at + away * MS, { ...s, flags: 18, seq: number, ack: isn + i + 1 }],
      [at + 50 * MS, { ...c, flags: 16, seq: isn + i + 1, ack: number + 1 }],
      [at + 60 * MS, { ...c, flags: 4, seq: isn + i + 1, ack: 0 }],
    ] as const;
    for (const [when, plan] of steps) collector.observe(tracker.frame(1, buildFrame(plan), when));
  }
  const to = from + connections * 10_000 * MS;
  collector.observe(tracker.end(to));
  return {
    ...{ file, traces, ran: { from, to }, connections: traces.length, omitted: 0, lost: 0, counted: true },
    ...{ segments: tracker.counts.segments, faults: [], empty: false },
  };
}

const NEAR = { away: 1 };
const FAR = { away: 5 };
const ROWS: readonly (readonly [name: string, wan: Plan, dmz: Plan, says: RegExp | undefined])[] = [
  ['as they should be', FAR, NEAR, undefined],
  ['swapped', NEAR, FAR, /^The two are swapped: .* --wan dmz --dmz wan$/],
  [
    'swapped, and one clock is an hour off',
    { ...NEAR, from: START + 3_600_000 * MS },
    FAR,
    /^The two are swapped/,
  ],
  ['a SYN proxy between answers itself, and sooner', { ...NEAR, answer: 77 }, FAR, undefined],
  [
    'no connection in one of them',
    FAR,
    { ...NEAR, connections: 0 },
    /^Nothing is in both captures: dmz has no SMTP connection of these ports and clients/,
  ],
  [
    'of different times',
    FAR,
    { ...NEAR, from: START + 86_400_000 * MS, client: '192.0.2.1', isn: 5, answer: 6 },
    /^Nothing is in both captures: they are of different times, .* capture at both points at the same time/,
  ],
  [
    'all of it translated',
    FAR,
    { ...NEAR, client: '10.0.0.1', isn: 5, answer: 6 },
    /^Nothing is in both captures: 3 connections outside, 3 connections inside, .* proxy/,
  ],
];

for (const [name, outside, inside, says] of ROWS) {
  test(name, () => {
    const [wan, dmz] = [point('wan', outside), point('dmz', inside)];
    const text = adviceText(surveyTwoPoints(wan, dmz), wan, dmz).join(' ');
    if (says) assert.match(text, says);
    else assert.is(text, '');
  });
}

test.run();
