// Any packetisation of a transcript gives the events that the plain streams give.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createInspector, type InspectorEvent } from '../../../inspect/tracker/inspector';
import { advance } from '../../../inspect/tcp/seq';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { ROWS } from '../smtp/session.table';
import { pieces, run, START } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';

/** Everything but the times: disorder and loss move those. */
function timeless(events: readonly InspectorEvent[]): unknown[] {
  return events
    .filter(({ kind }) => kind !== 'verdict')
    .map((event) => {
      const kept = Object.entries(event).filter(([key]) => !TIMES.includes(key));
      const phases = event.kind === 'session' && event.phases.map(([phase, , , code]) => [phase, code]);
      return { ...Object.fromEntries(kept), ...(phases && { phases }) };
    });
}

const TIMES = [
  ...['at', 'started', 'sinceConnect', 'duration', 'waited', 'transfer'],
  ...['retransmits', 'rtt', 'verdicts'],
];

function inspect(sent: readonly Sent[]): InspectorEvent[] {
  const [first] = sent;
  if (!first) return [];
  const inspector = createInspector(first.segment);
  const events = sent.flatMap(({ from, segment }) => inspector.segment(from, segment));
  return [...events, ...inspector.end(sent[sent.length - 1]?.segment.at ?? START)];
}

const PLAIN = ROWS.filter(({ options }) => options === undefined);

for (const { name, turns } of PLAIN) {
  const plain = run(pieces(turns, (bytes) => [bytes]));
  test(`as plain streams: ${name}`, () => {
    for (const mss of [1460, 536, 7, 1]) {
      for (const isn of [
        { client: 1, server: 1 },
        { client: 0xffff_fff0, server: 0xffff_fffe },
      ]) {
        const events = inspect(packetise(turns, { mss, isn }));
        assert.equal(timeless(events), timeless(plain), `mss ${mss}, isn ${isn.client}`);
      }
    }
  });
}

/** Disorder that a path may do: duplicates, swaps within one direction, overlaps. All octets still come. */
function disturb(sent: readonly Sent[], dice: readonly number[]): Sent[] {
  const out: Sent[] = [];
  sent.forEach((each, i) => {
    const roll = dice[i % dice.length] ?? 0;
    const last = out[out.length - 1];
    const swappable =
      last?.from === each.from && last.segment.length > 0 && each.segment.length > 0 && roll % 3 === 0;
    if (swappable) out.splice(out.length - 1, 0, each);
    else out.push(each);
    if (roll % 4 === 0 && each.segment.length > 0) out.push(each);
    if (roll % 5 === 0 && each.segment.length > 1) out.push({ ...each, segment: tail(each.segment) });
  });
  return out;
}

/** The second half of a segment again: an overlap, as after a path MTU change. */
function tail(segment: Segment): Segment {
  const half = segment.length >> 1;
  const payload = segment.payload.subarray(half);
  return { ...segment, seq: advance(segment.seq, half), payload, length: payload.length };
}

test('property: MSS, reordering, duplicates, overlaps and wraps change nothing', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...PLAIN),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(0xffff_ffff),
      fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }),
      ({ turns }, mss, isn, dice) => {
        const plain = run(pieces(turns, (bytes) => [bytes]));
        const sent = packetise(turns, { mss, isn: { client: isn, server: 0xffff_ffff - isn } });
        assert.equal(timeless(inspect(disturb(sent, dice))), timeless(plain));
      },
    ),
    { numRuns: 500 },
  );
});

test('property: healthy connections get no verdict', () => {
  const healthy = PLAIN.filter(
    ({ want }) => !want.some((words) => /anomaly (?:early|greeting|masked)/.test(words)),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...healthy),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0, 100, 250, 1000),
      fc.array(fc.nat(1000), { minLength: 1, maxLength: 60 }),
      ({ turns }, mss, rate, dice) => {
        const events = inspect(disturb(packetise(turns, { mss, rate }), dice));
        assert.equal(
          events.filter(({ kind }) => kind === 'verdict'),
          [],
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('property: segments that make no sense never throw and never grow', () => {
  const odd = fc.record({
    from: fc.constantFrom('client' as const, 'server' as const),
    seq: fc.oneof(fc.nat(0xffff_ffff), fc.integer({ min: 990, max: 1100 })),
    ack: fc.oneof(fc.nat(0xffff_ffff), fc.integer({ min: 1990, max: 2100 })),
    flags: fc.nat(0x3f),
    payload: fc.uint8Array({ maxLength: 40 }),
    longer: fc.nat(2000),
  });
  fc.assert(
    fc.property(fc.array(odd, { maxLength: 60 }), (segments) => {
      const base = packetise([['S', '220 mx ESMTP\r\n']], { fin: false });
      const template = base[0]?.segment;
      if (!template) return;
      const sent = segments.map(({ from, longer, ...each }, i): Sent => ({
        from,
        segment: {
          ...template,
          ...each,
          length: each.payload.length + (longer % 3 === 0 ? longer : 0),
          at: START + i,
        },
      }));
      inspect([...base, ...sent]);
    }),
    { numRuns: 1000 },
  );
});

test('mid-stream: no greeting is missed, and what matches nothing is no surprise', () => {
  const sent = packetise([
    ['C', 'MAIL FROM:<a@x>\r\n'],
    ['S', '250 ok\r\n'],
  ]).filter(({ segment }) => !(segment.flags & FLAG.syn));
  const told = inspect(sent).flatMap((event) => (event.kind === 'phase' ? [event.phase] : []));
  assert.equal(told, ['mail', 'close']);
});

test.run();
