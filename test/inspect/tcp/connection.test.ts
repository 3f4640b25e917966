// Numbers of a handshake: a round trip only where nobody has to guess which copy was answered.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { createInspector } from '../../../inspect/tracker/inspector';
import { SECOND } from '../smtp/transcript';
import { packetise, type Sent } from './packetise';

const SENT = packetise([['S', '220 mx ESMTP\r\n']]);

/** The handshake's segment with this number is sent again so much later, and all behind it is late by that. */
function again(which: number, by: number): Sent[] {
  return SENT.flatMap((each, i): Sent[] => {
    const { segment } = each;
    if (i < which) return [each];
    const late = { ...each, segment: { ...segment, at: segment.at + by, ipId: 7 } };
    return i === which ? [each, late] : [late];
  });
}

const ROWS: readonly {
  readonly name: string;
  readonly sent: readonly Sent[];
  readonly rtt: number | undefined;
  readonly retransmits: Readonly<Record<Direction, number>>;
}[] = [
  { name: 'once each', sent: SENT, rtt: 20_000, retransmits: { client: 0, server: 0 } },
  { name: 'the SYN twice', sent: again(0, SECOND), rtt: undefined, retransmits: { client: 1, server: 0 } },
  {
    name: 'the SYN-ACK twice',
    sent: again(1, SECOND),
    rtt: undefined,
    retransmits: { client: 0, server: 1 },
  },
];

for (const { name, sent, rtt, retransmits } of ROWS) {
  test(`${name}: the round trip, and what was sent again`, () => {
    const [first] = sent;
    if (!first) throw new Error('nothing was sent');
    const inspector = createInspector(first.segment);
    for (const { from, segment } of sent) inspector.segment(from, segment);
    const { client, server, connectedAt } = inspector.view;
    assert.is(inspector.view.rtt, rtt);
    assert.equal({ client: client.retransmits, server: server.retransmits }, retransmits);
    assert.is(connectedAt, sent.find(({ segment }) => segment.flags === 16)?.segment.at);
  });
}

test.run();
