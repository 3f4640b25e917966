// Who gets a probe: greeted and silent clients, after 3, 10 and 30 s, and never too many at a time. And the probe, field by
// field, read back by our own reader; IPv4 and IPv6, with and without timestamps.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIp } from '../../../inspect/tcp/packet';
import { createInspector } from '../../../inspect/tracker/inspector';
import { createProber, PROBE_AFTER, probePacket, type Prober } from '../../../inspect/tracker/probes';
import { FLAG } from '../../../inspect/tcp/segment';
import { createTracker, type Tracker } from '../../../inspect/tracker/tracker';
import { SECOND, START, type Turn } from '../smtp/transcript';
import { packetise, type PacketOptions, type Sent } from '../tcp/packetise';

const GREETING: Turn = ['S', '220 mx ESMTP\r\n'];
/** When `packetise` sends the greeting. */
const GREETED = START + SECOND;

function play(tracker: Tracker, prober: Prober, port: number, turns: readonly Turn[], fin = false): void {
  for (const { segment } of packetise(turns, { fin })) {
    const [sourcePort, destinationPort] = segment.sourcePort === 25 ? [25, port] : [port, 25];
    prober.observe(tracker.segment({ ...segment, sourcePort, destinationPort }));
  }
}

function stage(perSecond?: number): { tracker: Tracker; prober: Prober } {
  return { tracker: createTracker({ ports: [25], implicitTlsPorts: [] }), prober: createProber(perSecond) };
}

/** Seconds after the greeting at which a probe was due, over a minute. */
function asked(prober: Prober): number[] {
  const seconds: number[] = [];
  for (let tenth = 0; tenth < 600; tenth += 1) {
    const due = prober.due(GREETED + tenth * 100_000);
    seconds.push(...due.map(() => tenth / 10));
  }
  return seconds;
}

const ROWS: readonly { name: string; turns: readonly Turn[]; fin?: boolean; want: number[] }[] = [
  { name: 'a silent client', turns: [GREETING], want: [3, 10, 30] },
  { name: 'a client that spoke', turns: [GREETING, ['C', 'EHLO vm\r\n']], want: [] },
  { name: 'a client that was not greeted', turns: [], want: [] },
  { name: 'a client that left', turns: [GREETING], fin: true, want: [] },
];

for (const { name, turns, fin, want } of ROWS) {
  test(name, () => {
    const { tracker, prober } = stage();
    play(tracker, prober, 1001, turns, fin);
    assert.equal(asked(prober), want);
  });
}

test('a client that closed its side is not asked, though the server has not closed', () => {
  const { tracker, prober } = stage();
  const sent = packetise([GREETING], { fin: true });
  const closing = sent.findIndex(({ from, segment }) => from === 'client' && segment.flags & FLAG.fin);
  for (const { segment } of sent.slice(0, closing + 1)) prober.observe(tracker.segment(segment));
  assert.equal(asked(prober), []);
});

test('no more than so many a second; the others a second later', () => {
  const { tracker, prober } = stage(2);
  for (const port of [1001, 1002, 1003]) play(tracker, prober, port, [GREETING]);
  const first = asked(prober).filter((second) => second < 10);
  assert.equal(first.length, 3);
  assert.equal(first.slice(0, 2), [3, 3]);
  assert.ok((first[2] ?? 0) > 3 && (first[2] ?? 0) <= 4);
});

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

const PACKETS: readonly { name: string; options: PacketOptions; map?: (sent: Sent) => Sent }[] = [
  { name: 'IPv4', options: {} },
  { name: 'IPv4 without timestamps', options: { rate: 0 } },
  { name: 'across the wrap', options: { isn: { client: 0xffff_ffff, server: 0xffff_fff1 } } },
  { name: 'IPv6', options: {}, map: toIpv6 },
];

for (const { name, options, map } of PACKETS) {
  test(`to the client: ${name}`, () => {
    const view = inspected(options, map);
    const packet = probePacket(view);
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

test('no probe before both sides were heard', () => {
  const [syn] = packetise([GREETING]) as [Sent];
  const inspector = createInspector(syn.segment);
  inspector.segment('client', syn.segment);
  assert.is(probePacket(inspector.view), undefined);
});

test('after 3 s, 10 s and 30 s, and then no more', () => assert.equal(PROBE_AFTER, [3e6, 10e6, 30e6]));

test.run();
