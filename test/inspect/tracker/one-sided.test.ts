// Connections of which one side alone was heard: so many at a time where traffic is live, and all of them in a capture.

import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ONE_SIDED_LIVE } from '../../../inspect/limits';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { createTracker, peersOf, type Tracker, type TrackerNews } from '../../../inspect/tracker/tracker';
import { packetise } from '../tcp/packetise';

const OPTIONS = { ports: [25], implicitTlsPorts: [], inOrder: true } as const;
const MOST = 8;
const DIALOGUE = packetise([
  ['S', '220 mx ESMTP\r\n'],
  ['C', 'EHLO client.example\r\n'],
  ['S', '250 mx\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
]).map(({ segment }) => segment);
const [SYN, SYN_ACK, ACK, , ...MIDDLE] = DIALOGUE as [Segment, Segment, Segment, Segment, ...Segment[]];
const isClients = ({ destinationPort }: Segment): boolean => destinationPort === 25;
const BY_CLIENT = MIDDLE.filter(isClients);
const BY_SERVER = MIDDLE.filter((each) => !isClients(each));

/** Of another client. */
function of(each: Segment, n: number): Segment {
  const client = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`;
  return { ...each, ...(isClients(each) ? { source: client } : { destination: client }) };
}

const [FIRST] = BY_CLIENT as [Segment, ...Segment[]];
const RESET: Segment = {
  ...FIRST,
  ...{ source: FIRST.destination, sourcePort: FIRST.destinationPort },
  ...{ destination: FIRST.source, destinationPort: FIRST.sourcePort },
  ...{ flags: FLAG.rst, seq: FIRST.ack, payload: new Uint8Array(0), length: 0 },
};
const feed = (tracker: Tracker, ...segments: readonly Segment[]): TrackerNews[] =>
  segments.flatMap((each) => tracker.segment(each));
const phasesOf = (news: readonly TrackerNews[]): string[] =>
  news.flatMap(({ events }) => events.flatMap((event) => (event.kind === 'phase' ? [event.phase] : [])));
const floodWith =
  (...segments: readonly Segment[]) =>
  (tracker: Tracker, n: number): TrackerNews[] =>
    feed(tracker, ...segments.map((each) => of(each, n)));

/** What a stranger can send without being answered as a peer, and how many connections of it are kept of a hundred. */
const FLOODS: readonly (readonly [
  name: string,
  flood: (tracker: Tracker, n: number) => TrackerNews[],
  kept: number,
])[] = [
  ["a client's segments of connections that never began", floodWith(FIRST), MOST],
  ["a server's alone", floodWith(BY_SERVER[0] as Segment), MOST],
  ['several segments each', floodWith(...BY_CLIENT), MOST],
  ['a SYN and what follows on it, that nobody answers', floodWith(SYN, ACK, FIRST), MOST],
  ['both sides', floodWith(FIRST, BY_SERVER[0] as Segment), 100],
  ['a whole handshake', floodWith(SYN, SYN_ACK, ACK), 100],
];
for (const [name, flood, kept] of FLOODS) {
  test(`${name}: ${kept} of 100 are kept`, () => {
    const tracker = createTracker({ ...OPTIONS, oneSided: MOST });
    const ended: TrackerNews[] = [];
    for (let n = 0; n < 100; n += 1) ended.push(...flood(tracker, n).filter((each) => each.ended));
    ended.push(...tracker.idle(FIRST.at + 1).filter((each) => each.ended));
    const open = Array.from({ length: 100 }, (_, n) => tracker.find(...peersOf(of(FIRST, n))));
    assert.is(open.filter((each) => each !== undefined).length, kept);
    assert.is(ended.length, 100 - kept);
    // Those that were silent longest went.
    assert.equal(
      open.map((each) => each !== undefined),
      open.map((_, n) => n >= 100 - kept),
    );
  });
}

test('a reset is no other side: what is answered so is ended soon, and counts until then', () => {
  const tracker = createTracker({ ...OPTIONS, oneSided: MOST });
  for (let n = 0; n < 100; n += 1) feed(tracker, of(FIRST, n), of(RESET, n));
  tracker.idle(FIRST.at + 1);
  const open = Array.from({ length: 100 }, (_, n) => tracker.find(...peersOf(of(FIRST, n))));
  assert.is(open.filter((each) => each !== undefined).length, MOST);
});

test('one that is heard again and again outlives a flood', () => {
  const tracker = createTracker({ ...OPTIONS, oneSided: MOST });
  const own = peersOf(FIRST);
  feed(tracker, FIRST);
  for (let n = 0; n < 100; n += 1) {
    feed(tracker, of(FIRST, n));
    if (n % 4 === 0) feed(tracker, { ...FIRST, at: FIRST.at + n });
    assert.ok(tracker.find(...own), `${n}`);
  }
});

test('a flood ends no connection of which both sides were heard', () => {
  const tracker = createTracker({ ...OPTIONS, oneSided: MOST });
  const news = feed(tracker, SYN, SYN_ACK, ACK, DIALOGUE[3] as Segment);
  for (let n = 0; n < 1_000; n += 1) feed(tracker, of(FIRST, n));
  tracker.idle(FIRST.at);
  news.push(...feed(tracker, ...MIDDLE));
  assert.equal(phasesOf(news), ['connect', 'greeting', 'hello', 'quit', 'close']);
});

for (const [name, segments] of [
  ['both sides from the middle on', MIDDLE],
  ['the client alone', BY_CLIENT],
  ['the server alone', BY_SERVER],
  ['the client alone, from its SYN on', DIALOGUE.filter(isClients)],
] as const) {
  test(`${name}: the same is told whether or not the number is bounded, and in a capture of all`, () => {
    const tellings = [{}, { oneSided: MOST }].map((more) => {
      const tracker = createTracker({ ...OPTIONS, ...more });
      const news = feed(tracker, ...segments);
      news.push(...tracker.end((segments.at(-1)?.at ?? 0) + 1));
      return news.map(({ events, ended }) => [events, ended]);
    });
    assert.ok((tellings[0]?.length ?? 0) > 0);
    assert.equal(tellings[1], tellings[0]);
    const all = createTracker(OPTIONS);
    for (let n = 0; n < 1_000; n += 1) feed(all, ...segments.map((each) => of(each, n)));
    const open = Array.from({ length: 1_000 }, (_, n) => all.find(...peersOf(of(segments[0] as Segment, n))));
    // One that is closed in good order goes by itself.
    assert.ok(segments === MIDDLE || open.every((each) => each !== undefined));
  });
}

test('a flood of 50,000 segments of as many connections takes at most 32 MiB', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const held = async (): Promise<number> => {
    // The memory of buffers is given back a turn later.
    for (let i = 0; i < 3; i += 1) {
      gc();
      await new Promise(setImmediate);
    }
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return heapUsed + external + arrayBuffers;
  };
  const tracker = createTracker({ ...OPTIONS, oneSided: ONE_SIDED_LIVE });
  const before = await held();
  for (let n = 0; n < 50_000; n += 1) feed(tracker, of(FIRST, n));
  const grown = ((await held()) - before) / 1_048_576;
  assert.ok(grown <= 32, `${grown.toFixed(1)} MiB`);
  assert.is(tracker.counts.connections, 50_000);
});

test.run();
