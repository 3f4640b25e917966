// Who is asked: greeted and silent clients, after 3, 10 and 30 s, and never too many at a time.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createProber, type Prober } from '../../../inspect/tracker/prober';
import { FLAG } from '../../../inspect/tcp/segment';
import { createTracker, type Tracker } from '../../../inspect/tracker/tracker';
import { SECOND, START, type Turn } from '../smtp/transcript';
import { packetise } from '../tcp/packetise';

const GREETING: Turn = ['S', '220 mx ESMTP\r\n'];
/** When `packetise` sends the greeting. */
const GREETED = START + SECOND;

function play(tracker: Tracker, prober: Prober, port: number, turns: readonly Turn[], fin = false): void {
  for (const { segment } of packetise(turns, { fin })) {
    const [sourcePort, destinationPort] = segment.sourcePort === 25 ? [25, port] : [port, 25];
    prober.observe(tracker.segment({ ...segment, sourcePort, destinationPort }));
  }
}

function stage(perSecond?: number): { tracker: Tracker; prober: Prober } {
  return { tracker: createTracker({ ports: [25], implicitTlsPorts: [] }), prober: createProber(perSecond) };
}

/** Seconds after the greeting at which somebody was asked, over a minute. */
function asked(prober: Prober): number[] {
  const seconds: number[] = [];
  for (let tenth = 0; tenth < 600; tenth += 1) {
    const due = prober.due(GREETED + tenth * 100_000);
    seconds.push(...due.map(() => tenth / 10));
  }
  return seconds;
}

const ROWS: readonly { name: string; turns: readonly Turn[]; fin?: boolean; want: number[] }[] = [
  { name: 'a silent client', turns: [GREETING], want: [3, 10, 30] },
  { name: 'a client that spoke', turns: [GREETING, ['C', 'EHLO vm\r\n']], want: [] },
  { name: 'a client that was not greeted', turns: [], want: [] },
  { name: 'a client that left', turns: [GREETING], fin: true, want: [] },
];

for (const { name, turns, fin, want } of ROWS) {
  test(name, () => {
    const { tracker, prober } = stage();
    play(tracker, prober, 1001, turns, fin);
    assert.equal(asked(prober), want);
  });
}

test('a client that closed its side is not asked, though the server has not closed', () => {
  const { tracker, prober } = stage();
  const sent = packetise([GREETING], { fin: true });
  const closing = sent.findIndex(({ from, segment }) => from === 'client' && segment.flags & FLAG.fin);
  for (const { segment } of sent.slice(0, closing + 1)) prober.observe(tracker.segment(segment));
  assert.equal(asked(prober), []);
});

test('no more than so many a second; the others a second later', () => {
  const { tracker, prober } = stage(2);
  for (const port of [1001, 1002, 1003]) play(tracker, prober, port, [GREETING]);
  const first = asked(prober).filter((second) => second < 10);
  assert.equal(first.length, 3);
  assert.equal(first.slice(0, 2), [3, 3]);
  assert.ok((first[2] ?? 0) > 3 && (first[2] ?? 0) <= 4);
});

test.run();
