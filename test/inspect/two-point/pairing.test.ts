// Connections of two points as they end: what passed unchanged is only counted, all else is kept, up to the cap.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Micros } from '../../../inspect/events';
import { createPairing, type Pairing } from '../../../inspect/two-point/pairing';
import type { Sent } from '../tcp/packetise';
import { ALL, captureOf, CLOCK, isHello, later, through } from './points';

const MS = 1_000;
const late = (each: Sent, by: Micros): Sent => ({
  ...each,
  segment: { ...each.segment, at: each.segment.at + by },
});
const delayed = (sent: readonly Sent[], ms: number): Sent[] =>
  sent.map((each) => (each.from === 'client' ? late(each, ms * MS) : each));
const without = (sent: readonly Sent[]): Sent[] => sent.filter((each) => !isHello(each));
const INSIDE = through(ALL);

interface Row {
  readonly name: string;
  readonly wan: readonly Sent[];
  readonly dmz: readonly Sent[];
  readonly unchanged: boolean;
}

const ROWS: readonly Row[] = [
  { name: 'the same segments: only counted', wan: ALL, dmz: INSIDE, unchanged: true },
  { name: 'the same, a little later', wan: ALL, dmz: delayed(INSIDE, 20), unchanged: true },
  { name: 'one segment is at one point only', wan: ALL, dmz: without(INSIDE), unchanged: false },
  { name: 'one segment is held', wan: ALL, dmz: heldHello(INSIDE, 500), unchanged: false },
  { name: 'one octet is another', wan: ALL, dmz: maskedHello(INSIDE), unchanged: false },
  { name: 'another stamp', wan: ALL, dmz: stampedHello(INSIDE), unchanged: false },
  { name: 'all are sent twice', wan: twice(ALL), dmz: twice(INSIDE), unchanged: true },
];

function heldHello(sent: readonly Sent[], ms: number): Sent[] {
  return sent.map((each) => (isHello(each) ? late(each, ms * MS) : each));
}

function maskedHello(sent: readonly Sent[]): Sent[] {
  return sent.map((each) => {
    if (!isHello(each)) return each;
    const payload = each.segment.payload.slice();
    payload[0] = 0x58;
    return { ...each, segment: { ...each.segment, payload } };
  });
}

function stampedHello(sent: readonly Sent[]): Sent[] {
  return sent.map((each) => (isHello(each) ? late(later(each, 0.001), -MS) : each));
}

function twice(sent: readonly Sent[]): Sent[] {
  return sent.flatMap((each) => (isHello(each) ? [each, later(each, 0.3)] : [each]));
}

function pair({ wan, dmz }: Row, kept = 0, most = Infinity): Pairing {
  const pairing = createPairing(kept, most);
  for (const trace of captureOf('wan', wan, 0).traces) pairing.take('wan', trace);
  for (const trace of captureOf('dmz', dmz, CLOCK).traces) pairing.take('dmz', trace);
  return pairing;
}

for (const row of ROWS) {
  test(row.name, () => {
    const pairing = pair(row);
    const left = row.unchanged ? 0 : 1;
    assert.is(pairing.unchanged.pairs, 1 - left);
    assert.equal([pairing.rest('wan').length, pairing.rest('dmz').length], [left, left]);
  });
}

const [SAME] = ROWS;
if (!SAME) throw new Error('no rows');

test('as many as are asked for are kept though they passed unchanged', () => {
  const pairing = pair(SAME, 1);
  assert.equal([pairing.unchanged.pairs, pairing.rest('wan').length, pairing.rest('dmz').length], [0, 1, 1]);
});

test('the clocks, how far they are apart, and what a firewall translates are known of what is not kept', () => {
  const { apart, unchanged } = pair(SAME);
  assert.is(apart, CLOCK);
  assert.equal([...unchanged.by], [['timestamps', 1]]);
  assert.equal(unchanged.translated, { server: 1, client: 0, numbers: 1 });
  assert.equal(
    unchanged.samples.map(({ from, difference }) => [from, difference]),
    [
      ['client', CLOCK],
      ['server', CLOCK],
    ],
  );
});

test('beyond the cap the oldest that has no twin is left out, and counted', () => {
  const [trace] = captureOf('wan', ALL, 0).traces;
  if (!trace) throw new Error('no trace');
  const pairing = createPairing(0, 2 * trace.passages.length);
  for (let id = 1; id <= 5; id += 1) pairing.take('wan', { ...trace, id });
  assert.equal(
    pairing.rest('wan').map(({ id }) => id),
    [4, 5],
  );
  assert.equal([pairing.counts.wan.ended, pairing.counts.wan.omitted], [5, 3]);
});

test('what has the same name twice at one point is not taken for the other', () => {
  const [trace] = captureOf('wan', ALL, 0).traces;
  const [other] = captureOf('dmz', INSIDE, CLOCK).traces;
  if (!trace || !other) throw new Error('no trace');
  const pairing = createPairing(0, Infinity);
  for (const id of [1, 2]) pairing.take('wan', { ...trace, id });
  pairing.take('dmz', other);
  assert.equal([pairing.unchanged.pairs, pairing.rest('wan').length, pairing.rest('dmz').length], [0, 2, 1]);
});

test.run();
