// The same frame seen twice, and a segment that was sent again.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isCopyOf } from '../../../inspect/tcp/copies';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { segment } from './packetise';

const AT = 1_700_000_000_000_000;
const MS = 1_000;

const STAMPED: Segment = {
  ...segment('client', { seq: 1, ack: 1, flags: FLAG.ack, payload: new Uint8Array(9), at: AT }),
  ipId: 7,
};
const PLAIN: Segment = {
  ...STAMPED,
  options: { ...STAMPED.options, timestamps: undefined as never, kinds: [] },
};
const NAMELESS: Segment = { ...PLAIN, ipId: undefined };
const later = (each: Segment, ms: number, change: Partial<Segment> = {}): Segment => ({
  ...each,
  at: each.at + ms * MS,
  ...change,
});

const ROWS: readonly (readonly [name: string, one: Segment, other: Segment, copy: boolean])[] = [
  ['2 µs later', STAMPED, later(STAMPED, 0.002), true],
  ['300 ms later', STAMPED, later(STAMPED, 300), true],
  ['a hop on', STAMPED, later(STAMPED, 2, { ttl: STAMPED.ttl - 1 }), true],
  ['with a tag', STAMPED, later(STAMPED, 2, { vlans: [12] }), true],
  ['its checksum filled in by the card', STAMPED, later(STAMPED, 0, { checksum: 'bad' }), true],
  ['captured in the other order', later(STAMPED, 5), STAMPED, true],
  ['a second later', STAMPED, later(STAMPED, 1_000), false],
  ['another IP identification: sent again', STAMPED, later(STAMPED, 200, { ipId: 8 }), false],
  [
    'another stamp: sent again',
    STAMPED,
    later(STAMPED, 200, { options: { ...STAMPED.options, timestamps: [1_000_201, 0] } }),
    false,
  ],
  ['it acknowledges more', STAMPED, later(STAMPED, 2, { ack: 20 }), false],
  ['the window has moved', STAMPED, later(STAMPED, 2, { window: 100 }), false],
  ['other octets', STAMPED, later(STAMPED, 2, { seq: 10 }), false],
  ['a FIN behind the same octets', STAMPED, later(STAMPED, 2, { flags: FLAG.fin | FLAG.ack }), false],
  ['no stamp, 300 ms later: the identification tells', PLAIN, later(PLAIN, 300), true],
  ['no stamp and no identification, 60 ms later', NAMELESS, later(NAMELESS, 60), true],
  [
    'no stamp and no identification, an RTO later: it may be sent again',
    NAMELESS,
    later(NAMELESS, 200),
    false,
  ],
];

for (const [name, one, other, copy] of ROWS) {
  test(name, () => assert.is(isCopyOf(one, other), copy));
}

test.run();
