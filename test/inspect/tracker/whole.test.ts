// Whether all of a connection was seen: the premise of whatever is learned from it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Segment } from '../../../inspect/tcp/segment';
import { createTracker, peersOf, type Tracker } from '../../../inspect/tracker/tracker';
import { buildFrame } from '../../proxy/sources/frames';
import { SECOND, START, type Turn } from '../smtp/transcript';
import { packetise } from '../tcp/packetise';

const DIALOGUE: readonly Turn[] = [
  ['S', '220-mx ESMTP\r\n'],
  ['S', '220 mx ESMTP\r\n'],
  ['C', 'EHLO vm\r\n'],
];
const SENT = packetise(DIALOGUE, { fin: false }).map(({ segment }) => segment);
const [SYN] = SENT as [Segment];
const ENDS = peersOf(SYN);
const MORE_FRAGMENTS = 0x20;
/** SYN, SYN-ACK, ACK, then each turn and its acknowledgement. */
const FIRST_LINE = 3;
const LAST = SENT.length;

const feed = (tracker: Tracker, from = 0, to = LAST): void =>
  SENT.slice(from, to).forEach((each) => void tracker.segment(each));
const without = (tracker: Tracker, ...left: readonly number[]): void =>
  SENT.forEach((each, i) => void (left.includes(i) || tracker.segment(each)));
const fragmentOf = ({ source, sourcePort, destination, destinationPort }: Segment): Uint8Array => {
  const plan = { from: source, fromPort: sourcePort, to: destination, toPort: destinationPort };
  const frame = buildFrame({ ...plan, seq: 1, flags: 0x10, payload: Buffer.from('x') });
  frame[20] = MORE_FRAGMENTS;
  return frame;
};

const ROWS: readonly (readonly [name: string, whole: boolean, play: (tracker: Tracker) => void])[] = [
  ['from the SYN on', true, (tracker) => feed(tracker)],
  ['as soon as both SYNs are there', true, (tracker) => feed(tracker, 0, FIRST_LINE)],
  ['the SYN alone says nothing of the server', false, (tracker) => feed(tracker, 0, 1)],
  ['begun before we looked', false, (tracker) => feed(tracker, FIRST_LINE)],
  ['without the SYN', false, (tracker) => without(tracker, 0)],
  ['without the SYN-ACK: what stood behind it is not known', false, (tracker) => without(tracker, 1)],
  ['a line of the server that its client acknowledges', false, (tracker) => without(tracker, FIRST_LINE)],
  ['an acknowledgement that went elsewhere', true, (tracker) => without(tracker, FIRST_LINE + 1)],
  [
    'a segment overtaken by the next, until it comes',
    false,
    (tracker) => {
      feed(tracker, 0, FIRST_LINE);
      feed(tracker, FIRST_LINE + 2, FIRST_LINE + 3);
    },
  ],
  [
    'and once it came',
    true,
    (tracker) => {
      feed(tracker, 0, FIRST_LINE);
      feed(tracker, FIRST_LINE + 2, FIRST_LINE + 3);
      feed(tracker, FIRST_LINE, FIRST_LINE + 1);
    },
  ],
  [
    'everything twice',
    true,
    (tracker) => SENT.forEach((each) => [each, each].forEach((copy) => tracker.segment(copy))),
  ],
  [
    'a payload that the capture cut',
    false,
    (tracker) => SENT.forEach((each) => tracker.segment({ ...each, payload: each.payload.subarray(0, 5) })),
  ],
  [
    'a record of it that was lost',
    false,
    (tracker) => {
      feed(tracker, 0, FIRST_LINE);
      tracker.lost(...ENDS);
      feed(tracker, FIRST_LINE);
    },
  ],
  [
    'a piece of a datagram',
    false,
    (tracker) => {
      feed(tracker);
      tracker.frame(1, fragmentOf(SYN), START + 60 * SECOND);
    },
  ],
  [
    'a piece of another connection’s datagram',
    true,
    (tracker) => {
      feed(tracker);
      tracker.frame(1, fragmentOf({ ...SYN, sourcePort: 9 }), START + 60 * SECOND);
    },
  ],
  ...[1, 2, FIRST_LINE, LAST].map(
    (after) =>
      [
        `a loss of nobody knows whom, after ${after} segments`,
        false,
        (tracker: Tracker) => {
          feed(tracker, 0, after);
          tracker.lostUntil(SENT[after - 1]?.at ?? 0);
          feed(tracker, after);
        },
      ] as const,
  ),
  [
    'a loss while the ring still had its beginning',
    false,
    (tracker) => {
      tracker.lostUntil(START);
      feed(tracker);
    },
  ],
  [
    'a loss before it began',
    true,
    (tracker) => {
      tracker.lostUntil(START - 1);
      feed(tracker);
    },
  ],
];

for (const [name, whole, play] of ROWS) {
  test(name, () => {
    const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
    play(tracker);
    assert.is(tracker.find(...ENDS)?.inspector.whole ?? false, whole);
  });
}

test('what a segment brings says by which leg it came', () => {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  const legs = SENT.map((each, i) => tracker.segment(each, i === 0 ? 'wan' : 'lan'));
  assert.equal(
    legs.flatMap((news) => news.map(({ leg }) => leg)),
    SENT.map((_, i) => (i === 0 ? 'wan' : 'lan')),
  );
  const unknown = createTracker({ ports: [25], implicitTlsPorts: [] });
  feed(unknown, 0, 2);
  assert.equal(
    unknown.segment(SENT[2] as Segment).map(({ leg }) => leg),
    [undefined, undefined, undefined],
  );
});

test.run();
