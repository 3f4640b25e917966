// Handshakes that are not complete: few octets each, bounded, and nothing of them is forgotten that is judged later.

import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { HALF_OPEN_FOR, HALF_OPEN_WHOLE, HANDSHAKE_REPEATS } from '../../../inspect/limits';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import {
  packHandshake,
  unpackHandshake,
  withPassed,
  type Handshake,
  type Passed,
} from '../../../inspect/tcp/handshake';
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

const number = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most });
const passed = fc.record({
  from: fc.constantFrom('client' as const, 'server' as const),
  leg: fc.constantFrom(undefined, 'wan' as const, 'lan' as const),
  segment: fc.record({
    ...{ at: number(1_000).map((ms) => START + ms), seq: number(0xffff_ffff), ack: number(0xffff_ffff) },
    ...{ flags: number(255), window: number(65_535), length: number(1_460), ttl: number(255) },
    ipId: fc.option(number(65_535), { nil: undefined }),
    vlans: fc.array(number(4_095), { maxLength: 4 }),
    checksum: fc.constantFrom('good' as const, 'bad' as const, 'unchecked' as const),
    options: fc
      .record(
        {
          mss: number(65_535),
          windowScale: number(255),
          timestamps: fc.tuple(number(0xffff_ffff), number(0xffff_ffff)),
          sackPermitted: fc.boolean(),
          kinds: fc.array(number(255), { maxLength: 20 }),
        },
        { requiredKeys: ['sackPermitted', 'kinds'] },
      )
      .map((each) => ({ ...each, sack: [] })),
  }),
});

test('property: what is remembered of a handshake is what came', () => {
  fc.assert(
    fc.property(passed, passed, number(2 ** 48 - 1), fc.boolean(), fc.boolean(), (a, b, id, lost, lower) => {
      const both = [ownedBy('client', a), ownedBy('server', b)];
      const before: Handshake = { id, lost, clientIsLower: lower, lastAt: START + 5, passed: both };
      assert.equal(unpackHandshake(packHandshake(before), SYN), before);
    }),
  );
});

test('property: what is left out of a handshake is left out packed or not', () => {
  const again = fc.record({
    at: number(1_000).map((ms) => START + ms),
    ipId: number(65_535),
    other: fc.boolean(),
  });
  fc.assert(
    fc.property(
      passed,
      passed,
      fc.array(fc.tuple(again, fc.boolean()), { maxLength: 8 }),
      (a, b, repeats) => {
        const first = { client: ownedBy('client', a), server: ownedBy('server', b) };
        const none: Handshake = { id: 1, lost: false, clientIsLower: true, lastAt: START + 5, passed: [] };
        let whole = withPassed(none, first.client);
        let packed = packHandshake(whole);
        const add = (each: Passed): void => {
          whole = withPassed(whole, each);
          packed = packHandshake(withPassed(unpackHandshake(packed, SYN), each));
        };
        for (const [{ at, ipId, other }, isServer] of repeats) {
          const { segment, ...rest } = first[isServer ? 'server' : 'client'];
          const own = segment.ipId === undefined ? undefined : ipId;
          add({ ...rest, segment: { ...segment, at, ipId: own, ttl: segment.ttl ^ (other ? 1 : 0) } });
        }
        assert.equal(unpackHandshake(packed, SYN), whole);
      },
    ),
  );
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

function ownedBy(from: 'client' | 'server', each: Passed): Passed {
  const { source, sourcePort, destination, destinationPort } = from === 'client' ? SYN : SYN_ACK;
  const ends = { source, sourcePort, destination, destinationPort };
  return { ...each, from, segment: { ...each.segment, ...ends, payload: new Uint8Array(0) } };
}

const MANY = 100_000;

test.run();
