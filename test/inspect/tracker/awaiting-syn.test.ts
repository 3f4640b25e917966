// Segments that were captured before their connection's SYNs: they follow these, and none is lost.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DISORDER, AWAITING_SYN } from '../../../inspect/limits';
import type { Segment } from '../../../inspect/tcp/segment';
import { createTracker, type Tracker, type TrackerNews } from '../../../inspect/tracker/tracker';
import { buildFrame } from '../../proxy/sources/frames';
import { START } from '../smtp/transcript';
import { packetise } from '../tcp/packetise';

const OPTIONS = { ports: [25], implicitTlsPorts: [] } as const;
/** A segment every millisecond, each a packet of its own. */
const SENT = packetise([
  ['S', '220 mx ESMTP\r\n'],
  ['C', 'EHLO client.example\r\n'],
  ['S', '250 mx\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
]).map(({ segment }, i): Segment => ({ ...segment, at: START + i * 1_000, ipId: i + 1 }));
const [SYN, SYN_ACK, ACK, ...REST] = SENT as [Segment, Segment, Segment, ...Segment[]];

function of(each: Segment, n: number): Segment {
  const client = `10.0.${(n >> 8) & 255}.${n & 255}`;
  return { ...each, ...(each.destinationPort === 25 ? { source: client } : { destination: client }) };
}

function frameOf(each: Segment): Uint8Array {
  const { source: from, sourcePort: fromPort, destination: to, destinationPort: toPort } = each;
  const { seq, ack, flags, payload, ttl, options } = each;
  const { timestamps } = options;
  const plan = { from, fromPort, to, toPort, seq, ack, flags, payload, ttl };
  return buildFrame({ ...plan, ...(timestamps && { timestamps }) });
}

/** All of them, each when it was captured; then the capture ends. */
function read(tracker: Tracker, segments: readonly Segment[]): TrackerNews[] {
  const last = Math.max(...segments.map(({ at }) => at));
  return [...segments.flatMap((each) => tracker.segment(each)), ...tracker.end(last + 60e6)];
}

function told(news: readonly TrackerNews[]): string[] {
  return news.flatMap(({ connection, events }) =>
    events.flatMap((event) => {
      const by = `${connection.client.address}:${connection.client.port}`;
      if (event.kind === 'phase') return [`${by} ${event.phase} ${event.reply?.code}`];
      return event.kind === 'anomaly' || event.kind === 'verdict' ? [`${by} ${event.kind}`] : [];
    }),
  );
}

const WANT = told(read(createTracker(OPTIONS), SENT));

test('in order there is a greeting, a hello and a quit, and nothing is odd', () => {
  assert.equal(
    WANT.map((each) => each.replace(/^\S+ /, '')),
    ['connect undefined', 'greeting 220', 'hello 250', 'quit 221', 'close undefined'],
  );
});

test('whatever is captured before the SYNs, by less than the bound: the same is told', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: DISORDER - 1_000 }), { minLength: 5, maxLength: 5 }), (late) => {
      const captured = SENT.map((each, i) => ({ ...each, at: each.at + (late[i] ?? 0) }));
      const inOrder = [...captured].sort((a, b) => a.at - b.at);
      assert.equal(told(read(createTracker(OPTIONS), inOrder)), WANT);
    }),
    { numRuns: 300 },
  );
});

const LATE = START + DISORDER + 10_000;
const ROWS: readonly (readonly [
  name: string,
  segments: readonly Segment[],
  opens: (tracker: Tracker) => boolean,
])[] = [
  ['a segment alone waits', [REST[0] as Segment], (tracker) => tracker.idle(START + 9_000).length === 0],
  ['and then goes on without', [REST[0] as Segment], (tracker) => tracker.idle(LATE).length === 1],
  ['behind a whole handshake nothing waits', [SYN, SYN_ACK, ACK], (tracker) => isOpen(tracker)],
  ['behind half of one it waits', [SYN, ACK], (tracker) => !isOpen(tracker)],
  ['the other half lets it go', [SYN, ACK, SYN_ACK], (tracker) => isOpen(tracker)],
  ['in whichever order', [SYN_ACK, ACK, SYN], (tracker) => isOpen(tracker)],
];
for (const [name, segments, opens] of ROWS) {
  test(name, () => {
    const tracker = createTracker(OPTIONS);
    segments.forEach((each) => tracker.segment(each));
    assert.ok(opens(tracker));
  });
}

function isOpen(tracker: Tracker): boolean {
  const { source, sourcePort, destination, destinationPort } = SYN;
  const client = { address: source, port: sourcePort };
  return tracker.find(client, { address: destination, port: destinationPort }) !== undefined;
}

test('where segments are known to come in order nothing waits', () => {
  const tracker = createTracker({ ...OPTIONS, inOrder: true });
  assert.is(tracker.segment(REST[0] as Segment).length, 1);
});

test('a flood does not fill the memory: the oldest go on, and none is lost', () => {
  const tracker = createTracker(OPTIONS);
  const flood = Array.from({ length: AWAITING_SYN + 100 }, (_, n) => of(REST[0] as Segment, n));
  const news = flood.flatMap((each) => tracker.segment(each));
  assert.is(new Set(news.map(({ connection }) => connection.id)).size, 99);
  tracker.end(LATE);
  assert.is(tracker.counts.connections, AWAITING_SYN + 100);
});

test('octets and frames are as they were captured, though their buffer was used again', () => {
  const tracker = createTracker({ ...OPTIONS, keepFrames: true });
  const buffer = new Uint8Array(2_048);
  const news: TrackerNews[] = [];
  const greeting = REST[0] as Segment;
  for (const each of [greeting, ACK, SYN_ACK, SYN, ...REST.slice(1)]) {
    const octets = frameOf(each);
    buffer.fill(0x58);
    buffer.set(octets);
    news.push(...tracker.frame(1, buffer.subarray(0, octets.length), each.at));
  }
  news.push(...tracker.end(LATE));
  assert.equal(told(news), WANT);
  const kept = news.find(
    ({ segment }) => segment?.segment.seq === greeting.seq && segment.segment.length > 0,
  );
  assert.equal(kept?.remembered?.frame?.octets, frameOf(greeting));
});

test.run();
