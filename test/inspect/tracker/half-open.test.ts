// Handshakes that are not complete: few octets each, bounded, and nothing of them is forgotten that is judged later.

import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HALF_OPEN_FOR, HALF_OPEN_WHOLE, HANDSHAKE_REPEATS } from '../../../inspect/limits';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { createTracker, peersOf, type Tracker, type TrackerNews } from '../../../inspect/tracker/tracker';
import { SECOND, START } from '../smtp/transcript';
import { packetise } from '../tcp/packetise';

const OPTIONS = { ports: [25], implicitTlsPorts: [] } as const;
const { syn, ack, rst } = FLAG;
const [SYN, SYN_ACK, ACK, ...REST] = packetise([['S', '220 mx ESMTP\r\n']]).map(({ segment }) => segment) as [
  Segment,
  Segment,
  Segment,
  ...Segment[],
];

const peers = ({ source, sourcePort, destination, destinationPort }: Segment): Partial<Segment> => ({
  ...{ source, sourcePort, destination, destinationPort },
});

/** Of another client. */
function of(each: Segment, n: number, at = each.at): Segment {
  const client = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  const fromClient = each.destinationPort === 25;
  return { ...each, at, ...(fromClient ? { source: client } : { destination: client }) };
}

const eventsOf = (news: readonly TrackerNews[]): string[] =>
  news.flatMap(({ events }) =>
    events.map((event) => `${event.kind} ${'verdict' in event ? event.verdict : ''}`),
  );
const sessionsOf = (news: readonly TrackerNews[]): string[] =>
  news.flatMap(({ events }) =>
    events.flatMap((event) => (event.kind === 'session' ? [`${event.close.by} ${event.close.how}`] : [])),
  );
const feed = (tracker: Tracker, ...segments: readonly Segment[]): TrackerNews[] =>
  segments.flatMap((each) => tracker.segment(each));
const reset = (from: Segment, flags: number, at: number): Segment => ({
  ...from,
  flags,
  at,
  ttl: from.ttl + 9,
});

test('property: what a server and a client still say of the port’s last connection is no part of the new one', () => {
  const number = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(number, number, fc.constantFrom(0.001, 0.011, 1, 3), (seq, old, gap) => {
      // What the new connection's first window may acknowledge could be its own.
      fc.pre((old - SYN.seq) >>> 0 > 70_000);
      const later = (each: Segment): Segment => ({ ...each, at: each.at + gap * SECOND });
      const answer = { ...ACK, ...peers(SYN_ACK), seq, ack: old, at: SYN.at + 20, ttl: SYN_ACK.ttl };
      const refused = { ...reset(SYN, rst, SYN.at + 40), seq: old, ttl: SYN.ttl };
      const rest = [SYN_ACK, ACK, ...REST].map(later);
      const told = (...segments: readonly Segment[]): readonly string[] => {
        const tracker = createTracker(OPTIONS);
        const news = [...feed(tracker, ...segments), ...tracker.end(START + 60 * SECOND)];
        return [...eventsOf(news), ...sessionsOf(news)];
      };
      const again = later({ ...SYN, at: SYN.at + 50 });
      assert.equal(told(SYN, answer, refused, again, ...rest), told(SYN, again, ...rest));
    }),
  );
});

test('a half-open connection takes at most 256 octets', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const held = (): number => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const tracker = createTracker(OPTIONS);
  const before = held();
  for (let n = 0; n < MANY; n += 1) feed(tracker, of(SYN, n), of(SYN_ACK, n));
  const each = (held() - before) / MANY;
  assert.ok(each <= 256, `${each.toFixed(1)} octets each`);
  assert.is(tracker.counts.connections, MANY);
});

test('property: whatever is repeated or captured twice, a frame is that of its own segment', () => {
  const one = fc.record({
    of: fc.constantFrom(SYN, SYN_ACK),
    vlans: fc.constantFrom([], [7]),
    ttl: fc.constantFrom(0, 1),
    ipId: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 12 }), (more) => {
      const tracker = createTracker({ ...OPTIONS, keepFrames: true });
      const sent = [{ of: SYN, vlans: [], ttl: 0, ipId: 0 }, ...more].map((each, i) => ({
        ...each.of,
        ...{ at: START + i * 10, vlans: each.vlans, ttl: each.of.ttl - each.ttl, ipId: each.ipId },
      }));
      sent.forEach((each, i) => {
        const octets = Uint8Array.of(i);
        assert.equal(tracker.segment(each, undefined, { linkType: 1, octets, length: 1 }), []);
      });
      const news = tracker.segment({ ...ACK, at: START + 1_000 });
      for (const { segment, remembered } of news) {
        if (!remembered || !segment) continue;
        assert.is(sent[remembered.frame?.octets[0] ?? -1]?.at, segment.segment.at);
      }
    }),
  );
});

test('nothing is told before somebody goes on, and then all of it, in order', () => {
  const tracker = createTracker(OPTIONS);
  assert.equal(feed(tracker, SYN, SYN_ACK), []);
  assert.is(tracker.find(...peersOf(SYN)), undefined);
  const news = tracker.segment(ACK);
  assert.equal(
    news.map(({ segment, remembered }) => [
      segment?.segment.flags,
      segment?.segment.at,
      remembered !== undefined,
    ]),
    [
      [syn, SYN.at, true],
      [syn | ack, SYN_ACK.at, true],
      [ack, ACK.at, false],
    ],
  );
  const { view } = news[0]?.connection.inspector ?? {};
  assert.equal(view?.client.syn, { ...SYN, payload: view?.client.syn?.payload });
  assert.is(view?.rtt, ACK.at - SYN.at);
  assert.is(view?.started, SYN.at);
});

/** Who never completes it, what is told of it, and how many are counted. */
const ENDS: readonly (readonly [
  name: string,
  play: (tracker: Tracker) => TrackerNews[],
  told: readonly string[],
])[] = [
  [
    'refused: the server resets the SYN',
    (tracker) => [
      ...feed(tracker, SYN, reset(SYN_ACK, rst | ack, SYN.at + 5)),
      ...tracker.idle(SYN.at + SECOND),
    ],
    ['server rst'],
  ],
  [
    'a scan: the client resets what its SYN began',
    (tracker) => feed(tracker, SYN, SYN_ACK, reset(ACK, rst, SYN.at + 99)),
    ['client rst'],
  ],
  [
    'nobody answers, and it is forgotten in time',
    (tracker) => [...feed(tracker, SYN), ...tracker.idle(SYN.at + HALF_OPEN_FOR)],
    ['undefined open'],
  ],
  [
    'its port is used again',
    (tracker) => feed(tracker, SYN, { ...SYN, seq: 77, at: SYN.at + SECOND }),
    ['undefined open'],
  ],
  [
    'the capture ends',
    (tracker) => [...feed(tracker, SYN, SYN_ACK), ...tracker.end(SYN.at + SECOND)],
    ['undefined open'],
  ],
];
for (const [name, play, told] of ENDS) {
  test(name, () => {
    const tracker = createTracker(OPTIONS);
    const news = play(tracker);
    assert.equal(sessionsOf(news), told);
    assert.equal(
      eventsOf(news).filter((event) => event.startsWith('verdict')),
      [],
    );
    assert.equal([tracker.counts.halfOpen, tracker.counts.unreported], [1, 0]);
    assert.is(tracker.find(...peersOf(SYN)), undefined);
  });
}

test('it is not forgotten a moment before', () => {
  const tracker = createTracker(OPTIONS);
  feed(tracker, SYN);
  assert.equal(tracker.idle(SYN.at + HALF_OPEN_FOR - 1), []);
  assert.is(tracker.counts.halfOpen, 0);
});

test('a SYN that is sent again goes on with its handshake', () => {
  const tracker = createTracker(OPTIONS);
  const again = { ...SYN, at: SYN.at + SECOND, ipId: (SYN.ipId ?? 0) + 1 };
  const news = feed(tracker, SYN, again, SYN_ACK, ACK);
  assert.equal(
    news.map(({ segment }) => [segment?.from, segment?.segment.at, segment?.segment.ipId]),
    [SYN, again, SYN_ACK, ACK].map((each) => [
      each.destinationPort === 25 ? 'client' : 'server',
      each.at,
      each.ipId,
    ]),
  );
  assert.is(tracker.counts.connections, 1);
  assert.ok(news[0]?.connection.inspector.whole);
});

test('copies of one frame are none: at other interfaces, before its card made the checksum, with a tag, a hop on', () => {
  const tracker = createTracker(OPTIONS);
  const copies: readonly Partial<Segment>[] = [
    {},
    { checksum: 'bad' },
    { vlans: [7] },
    { ttl: 63 },
    {},
    {},
    {},
    {},
  ];
  copies.forEach((copy, i) => feed(tracker, { ...SYN, ...copy, at: SYN.at + i }));
  copies.forEach((copy, i) => feed(tracker, { ...SYN_ACK, ...copy, at: SYN_ACK.at + i }));
  const [first] = feed(tracker, ACK);
  assert.ok(first?.connection.inspector.whole);
});

test('of more repetitions than are kept nothing is proved', () => {
  for (let repeats = 0; repeats <= HANDSHAKE_REPEATS + 2; repeats += 1) {
    const tracker = createTracker(OPTIONS);
    for (let i = 0; i <= repeats; i += 1) feed(tracker, { ...SYN, at: SYN.at + i * SECOND });
    const at = SYN.at + 10 * SECOND;
    const [first] = feed(tracker, { ...SYN_ACK, at }, { ...ACK, at });
    assert.is(first?.connection.inspector.whole, repeats <= HANDSHAKE_REPEATS, `${repeats}`);
  }
});

test('a flood: so many are told a second, the others counted, and the honest one is followed', () => {
  const tracker = createTracker({ ...OPTIONS, halfOpen: 100, halfOpenReported: 3 });
  const news: TrackerNews[] = [];
  for (let n = 0; n < 1_000; n += 1) news.push(...feed(tracker, of(SYN, n, START + n)));
  news.push(...feed(tracker, SYN, SYN_ACK, ACK, ...REST));
  news.push(...tracker.idle(START + 200 * SECOND), ...tracker.end(START + 200 * SECOND));
  // In its first second, and when the rest of it is forgotten.
  assert.equal(sessionsOf(news).filter((each) => each === 'undefined open').length, 6);
  assert.equal(sessionsOf(news).filter((each) => each === 'client fin').length, 1);
  assert.equal([tracker.counts.halfOpen, tracker.counts.unreported], [1_000, 994]);
});

test('at the cap the one that was silent longest goes, and never one that is established', () => {
  const tracker = createTracker({ ...OPTIONS, capacity: 1, halfOpen: 2, halfOpenReported: 99 });
  feed(tracker, SYN, SYN_ACK, ACK);
  for (let n = 1; n < 50; n += 1) feed(tracker, of(SYN, n, START + n * SECOND));
  assert.ok(tracker.find(...peersOf(SYN)));
  assert.is(tracker.counts.halfOpen, 46);
});

test('a reset that belongs to nothing begins nothing', () => {
  const tracker = createTracker(OPTIONS);
  assert.equal(feed(tracker, reset(SYN_ACK, rst | ack, START)), []);
  assert.is(tracker.counts.connections, 0);
});

test('a handshake that completes behind a flood is what it would have been alone', () => {
  const storyOf = (floods: number): TrackerNews[] => {
    const tracker = createTracker(OPTIONS);
    const before = feed(tracker, SYN);
    for (let n = 1; n <= floods; n += 1) feed(tracker, of(SYN, n, START));
    return [...before, ...feed(tracker, SYN_ACK, ACK, ...REST), ...tracker.end(START + SECOND)].filter(
      ({ connection }) => connection.id === 1,
    );
  };
  const facts = (news: readonly TrackerNews[]): unknown =>
    news.map(({ segment, flow, events, verdicts, ended }) => ({ segment, flow, events, verdicts, ended }));
  assert.ok(storyOf(0).length > 3);
  assert.equal(facts(storyOf(2 * HALF_OPEN_WHOLE)), facts(storyOf(0)));
});

const MANY = 100_000;

test.run();
