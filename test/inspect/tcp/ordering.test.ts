// Captured in the wrong order, told in the right one: by what each segment acknowledges.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { createInspector, type InspectorEvent } from '../../../inspect/tracker/inspector';
import { DISORDER } from '../../../inspect/limits';
import { START, type Turn } from '../smtp/transcript';
import { packetise, type Sent } from './packetise';

const DIALOGUE: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO client.example\r\n'],
  ['S', '250-mx.example\r\n250 PIPELINING\r\n'],
  ['C', 'MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n'],
  ['S', '250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n'],
  ['C', 'Subject: hi\r\n\r\nhello\r\n.\r\n'],
  ['S', '250 2.0.0 queued\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 2.0.0 bye\r\n'],
];

/** A segment every 2 ms, each a packet of its own. */
const SENT = packetise(DIALOGUE, { mss: 24 }).map(({ from, segment }, i) => ({
  from,
  segment: { ...segment, at: START + i * 2_000, ipId: i + 1 },
}));
const HANDSHAKE = 3;

function events(sent: readonly Sent[]): InspectorEvent[] {
  const [first] = sent;
  if (!first) return [];
  const inspector = createInspector(first.segment);
  const last = Math.max(...sent.map(({ segment: { at } }) => at));
  return [
    ...sent.flatMap(({ from, segment }) => inspector.segment(from, segment)),
    ...inspector.end(last + 60_000_000),
  ];
}

/** What was said and answered, and what was odd. */
function told(all: readonly InspectorEvent[]): string[] {
  return all.flatMap((event) => {
    if (event.kind === 'phase') return [`${event.phase} ${event.reply?.code}`];
    if (event.kind === 'anomaly') return [event.anomaly];
    return event.kind === 'verdict' ? [event.verdict] : [];
  });
}

const WANT = told(events(SENT));

test('in order nothing is odd', () => {
  assert.equal(WANT, [
    ...['connect undefined', 'greeting 220', 'hello 250', 'mail 250', 'rcpt 250', 'data 354'],
    ...['message 250', 'quit 221', 'close undefined'],
  ]);
});

test('whatever order frames are captured in, as long as none is later than the bound', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(DISORDER / 2), { minLength: SENT.length, maxLength: SENT.length }),
      (late) => {
        const captured = SENT.map((each, i) => ({
          each,
          at: each.segment.at + (i < HANDSHAKE ? 0 : (late[i] ?? 0)),
        }))
          .sort((a, b) => a.at - b.at)
          .map(({ each }) => each);
        assert.equal(told(events(captured)), WANT);
        // And where the clock is read when they are captured.
        const stamped = captured.map(({ from, segment }, i) => ({
          from,
          segment: { ...segment, at: START + i * 2_000 },
        }));
        assert.equal(told(events(stamped)), WANT);
      },
    ),
    { numRuns: 300 },
  );
});

test('what is missing is given up, said, and nothing else is said', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: HANDSHAKE, max: SENT.length - 1 }), { maxLength: 6 }),
      (gone) => {
        const said = told(events(SENT.filter((_, i) => !gone.includes(i))));
        const odd = said.filter((each) => !each.includes(' ') && each !== 'gap');
        assert.equal(odd, []);
      },
    ),
    { numRuns: 300 },
  );
});

test.run();
