// The probe, field by field, read back by our own reader; IPv4 and IPv6, with and without timestamps.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createInspector } from '../../../inspect/tracker/inspector';
import { parseIp } from '../../../inspect/tcp/packet';
import { nextProbe, probePacket } from '../../../inspect/tcp/probe';
import { FLAG } from '../../../inspect/tcp/segment';
import type { Turn } from '../smtp/transcript';
import { packetise, type PacketOptions, type Sent } from './packetise';

const GREETING: Turn = ['S', '220 mx ESMTP\r\n'];

function inspected(options: PacketOptions, map: (sent: Sent) => Sent = (sent) => sent) {
  const sent = packetise([GREETING], { fin: false, ...options }).map(map);
  const inspector = createInspector((sent[0] as Sent).segment);
  for (const { from, segment } of sent) inspector.segment(from, segment);
  return inspector.view;
}

function toIpv6(sent: Sent): Sent {
  const address = { client: '2001:db8::1', server: '2001:db8:0:1::19' } as const;
  const [source, destination] =
    sent.from === 'client' ? [address.client, address.server] : [address.server, address.client];
  return { ...sent, segment: { ...sent.segment, source, destination } };
}

const ROWS: readonly { name: string; options: PacketOptions; map?: (sent: Sent) => Sent }[] = [
  { name: 'IPv4', options: {} },
  { name: 'IPv4 without timestamps', options: { rate: 0 } },
  { name: 'across the wrap', options: { isn: { client: 0xffff_ffff, server: 0xffff_fff1 } } },
  { name: 'IPv6', options: {}, map: toIpv6 },
];

for (const { name, options, map } of ROWS) {
  test(`to the client: ${name}`, () => {
    const view = inspected(options, map);
    const packet = probePacket(view, 'client');
    assert.ok(packet);
    if (!packet) return;
    const read = parseIp(packet, 0);
    assert.is(read.kind, 'segment');
    if (read.kind !== 'segment') return;
    const { segment } = read;
    const { client, server } = view;
    // One below the server's next number: outside of the client's window.
    assert.is(server.stream.offsetOf(segment.seq), server.stream.next - 1);
    assert.is(client.stream.offsetOf(segment.ack), client.stream.next);
    assert.equal([segment.flags, segment.length, segment.checksum], [FLAG.ack, 0, 'good']);
    assert.equal(
      [segment.source, segment.sourcePort, segment.destination, segment.destinationPort],
      [server.last?.source, 25, client.last?.source, 40_000],
    );
    assert.equal(
      segment.options.timestamps?.map(Number),
      server.last?.options.timestamps && [
        server.last.options.timestamps[0],
        client.last?.options.timestamps?.[0],
      ],
    );
  });
}

test('nobody to ask before both were heard', () => {
  const [syn] = packetise([GREETING]) as [Sent];
  const inspector = createInspector(syn.segment);
  inspector.segment('client', syn.segment);
  assert.is(probePacket(inspector.view, 'client'), undefined);
});

test('after 3 s, 10 s and 30 s, and then no more', () => {
  assert.equal(
    [0, 1, 2, 3].map((sent) => nextProbe(1_000_000, sent)),
    [4e6, 11e6, 31e6, undefined],
  );
});

test.run();
