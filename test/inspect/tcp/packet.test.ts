// Frames of every link layer, whole, tagged, fragmented, cut: each is a segment or a clear outcome.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePacket } from '../../../inspect/tcp/packet';
import type { Ends } from '../../../inspect/tcp/segment';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

// PSH ACK, seq 0x01020304, ack 0x0a0b0c0d, window 502; NOP NOP timestamps 1000 900; "EHLO".
const TCP = hex('9c40 0019 01020304 0a0b0c0d 8018 01f6 0000 0000 0101 080a 000003e8 00000384 45484c4f');
const TCP_SYN = hex(
  '9c40 0019 01020304 00000000 a002 faf0 0000 0000 0204 05b4 0402 080a 000003e8 00000000 0103 0307',
);

function ipv4(tcp: Uint8Array, { flags = '4000', options = '' } = {}): Uint8Array {
  const header = 20 + hex(options).length;
  const total = header + tcp.length;
  const word = (value: number): string => value.toString(16).padStart(4, '0');
  return join(
    hex(
      `4${(header / 4).toString(16)}00 ${word(total)} 1234 ${flags} 3906 0000 c6120001 c6120002 ${options}`,
    ),
    tcp,
  );
}

function ipv6(payload: Uint8Array, next = '06'): Uint8Array {
  const length = payload.length.toString(16).padStart(4, '0');
  return join(
    hex(`60000000 ${length} ${next} 39 20010db8000000000000000000000001 20010db8000000000000000000000002`),
    payload,
  );
}

const MACS = '020000000001 020000000002';
const ETHERNET = 1;

const SEGMENTS: readonly { name: string; link: number; frame: Uint8Array; vlans?: number[] }[] = [
  { name: 'Ethernet, IPv4', link: ETHERNET, frame: join(hex(`${MACS} 0800`), ipv4(TCP)) },
  { name: 'Ethernet, IPv6', link: ETHERNET, frame: join(hex(`${MACS} 86dd`), ipv6(TCP)) },
  { name: '802.1Q', link: ETHERNET, frame: join(hex(`${MACS} 8100 2064 0800`), ipv4(TCP)), vlans: [100] },
  {
    name: 'QinQ',
    link: ETHERNET,
    frame: join(hex(`${MACS} 88a8 0007 8100 0064 0800`), ipv4(TCP)),
    vlans: [7, 100],
  },
  {
    name: 'Ethernet padding behind the packet',
    link: ETHERNET,
    frame: join(hex(`${MACS} 0800`), ipv4(TCP), hex('000000')),
  },
  {
    name: 'IPv4 options',
    link: ETHERNET,
    frame: join(hex(`${MACS} 0800`), ipv4(TCP, { options: '94040000' })),
  },
  { name: 'raw IP', link: 101, frame: ipv4(TCP) },
  { name: 'raw IP, the BSD number', link: 12, frame: ipv6(TCP) },
  { name: 'NULL', link: 0, frame: join(hex('02000000'), ipv4(TCP)) },
  { name: 'LOOP', link: 108, frame: join(hex('00000002'), ipv4(TCP)) },
  {
    name: 'Linux cooked v1',
    link: 113,
    frame: join(hex('0000 0001 0006 020000000001 0000 0800'), ipv4(TCP)),
  },
  {
    name: 'Linux cooked v2',
    link: 276,
    frame: join(hex('86dd 0000 00000002 0001 00 06 0200000000010000'), ipv6(TCP)),
  },
  {
    name: 'IPv6 hop-by-hop and destination options',
    link: 101,
    frame: ipv6(join(hex('3c00 010400000000 0600 010400000000'), TCP), '00'),
  },
  {
    name: 'an IPv6 fragment header around a whole datagram',
    link: 101,
    frame: ipv6(join(hex('0600 0000 00000001'), TCP), '2c'),
  },
];

for (const { name, link, frame, vlans = [] } of SEGMENTS) {
  test(name, () => {
    const packet = parsePacket(link, frame, 7);
    assert.is(packet.kind, 'segment');
    if (packet.kind !== 'segment') return;
    const { segment } = packet;
    assert.is(Buffer.from(segment.payload).toString(), 'EHLO');
    assert.equal(
      [segment.at, segment.sourcePort, segment.destinationPort, segment.seq, segment.ack, segment.length],
      [7, 40_000, 25, 0x01020304, 0x0a0b0c0d, 4],
    );
    assert.equal([segment.flags, segment.window, segment.ttl], [0x18, 502, 57]);
    assert.equal(segment.options.timestamps, [1000, 900]);
    assert.equal(segment.vlans, vlans);
    assert.ok(['198.18.0.1', '2001:db8::1'].includes(segment.source));
  });
}

function portsOf({ sourcePort, destinationPort }: Ends): number[] {
  return [sourcePort, destinationPort];
}

for (const [name, frame] of [
  ['IPv4', ipv4(TCP, { flags: '2000' })],
  ['IPv6', ipv6(join(hex('0600 0001 00000001'), TCP), '2c')],
] as const) {
  test(`the first of some fragments tells between whom they go: ${name}`, () => {
    const packet = parsePacket(101, frame, 0);
    if (packet.kind !== 'fragment' || !packet.of) throw new Error(packet.kind);
    assert.equal(portsOf(packet.of), [40_000, 25]);
  });
}

test('the options of a SYN, in their order', () => {
  const packet = parsePacket(101, ipv4(TCP_SYN), 0);
  assert.is(packet.kind, 'segment');
  if (packet.kind !== 'segment') return;
  assert.equal(packet.segment.options, {
    mss: 1460,
    windowScale: 7,
    timestamps: [1000, 0],
    sackPermitted: true,
    sack: [],
    kinds: [2, 4, 8, 3],
  });
});

const OTHERS: readonly { name: string; link: number; frame: Uint8Array; want: string }[] = [
  { name: 'ARP', link: ETHERNET, frame: hex(`${MACS} 0806 0001`), want: 'other' },
  { name: 'UDP', link: 101, frame: hex('4500 0014 0000 0000 4011 0000 c6120001 c6120002'), want: 'other' },
  { name: 'the first fragment', link: 101, frame: ipv4(TCP, { flags: '2000' }), want: 'fragment' },
  { name: 'a later fragment', link: 101, frame: ipv4(TCP, { flags: '0010' }), want: 'fragment' },
  {
    name: 'a later IPv6 fragment',
    link: 101,
    frame: ipv6(join(hex('0600 0008 00000001'), TCP), '2c'),
    want: 'fragment',
  },
  { name: 'an empty frame', link: ETHERNET, frame: hex(''), want: 'malformed' },
  { name: 'an IPv4 header cut short', link: 101, frame: ipv4(TCP).subarray(0, 12), want: 'malformed' },
  { name: 'a TCP header cut short', link: 101, frame: ipv4(TCP).subarray(0, 30), want: 'malformed' },
  {
    name: 'a data offset below the header',
    link: 101,
    frame: ipv4(hex('9c400019 01020304 0a0b0c0d 1018 01f6 0000 0000')),
    want: 'malformed',
  },
  {
    name: 'a data offset beyond the packet',
    link: 101,
    frame: ipv4(hex('9c400019 01020304 0a0b0c0d f018 01f6 0000 0000')),
    want: 'malformed',
  },
  { name: 'an IPv6 extension header cut short', link: 101, frame: ipv6(hex('3c'), '00'), want: 'malformed' },
  { name: 'a link type that nobody knows', link: 147, frame: ipv4(TCP), want: 'malformed' },
  { name: 'IP version 5', link: 101, frame: hex('5500'), want: 'malformed' },
];

for (const { name, link, frame, want } of OTHERS) {
  test(`${name}: ${want}`, () => assert.is(parsePacket(link, frame, 0).kind, want));
}

test('a capture that cut the payload: the length is that of the wire', () => {
  const whole = ipv4(TCP);
  const packet = parsePacket(101, whole.subarray(0, whole.length - 3), 0);
  assert.is(packet.kind, 'segment');
  if (packet.kind !== 'segment') return;
  assert.equal(
    [packet.segment.payload.length, packet.segment.length, packet.segment.checksum],
    [1, 4, 'unchecked'],
  );
});

const CUTS: readonly { name: string; keep: number; want: unknown }[] = [
  { name: 'whole', keep: 56, want: false },
  { name: 'in the payload', keep: 54, want: false },
  { name: 'in the options', keep: 46, want: true },
  { name: 'behind the fixed header', keep: 40, want: true },
  { name: 'behind the ports', keep: 24, want: [40_000, 25] },
  { name: 'in the ports', keep: 23, want: undefined },
];
for (const { name, keep, want } of CUTS) {
  test(`a frame cut ${name}`, () => {
    const packet = parsePacket(101, ipv4(TCP).subarray(0, keep), 0, 56);
    if (packet.kind === 'segment') assert.is(packet.segment.options.cut ?? false, want);
    else assert.equal(packet.kind === 'malformed' && packet.of && portsOf(packet.of), want);
  });
}

test('a total length of 0, cut: the length is that of the wire', () => {
  const whole = ipv4(TCP);
  whole.set([0, 0], 2);
  const packet = parsePacket(101, whole.subarray(0, 53), 0, whole.length);
  assert.is(packet.kind === 'segment' && packet.segment.length, 4);
});

test('the checksum: good, and bad by one bit', () => {
  const tcp = TCP.slice();
  // RFC 9293 §3.1 by hand over pseudo-header and segment.
  const words = join(hex('c6120001 c6120002 0006'), Uint8Array.of(0, tcp.length), tcp);
  let sum = 0;
  for (let i = 0; i < words.length; i += 2) sum += ((words[i] ?? 0) << 8) | (words[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  tcp.set([(~sum >> 8) & 0xff, ~sum & 0xff], 16);
  const verdict = (octets: Uint8Array): string => {
    const packet = parsePacket(101, ipv4(octets), 0);
    return packet.kind === 'segment' ? packet.segment.checksum : packet.kind;
  };
  assert.is(verdict(tcp), 'good');
  tcp[tcp.length - 1] = (tcp[tcp.length - 1] ?? 0) ^ 1;
  assert.is(verdict(tcp), 'bad');
});

test('property: no octets make it throw', () => {
  const start = fc.constantFrom(...SEGMENTS);
  fc.assert(
    fc.property(
      start,
      fc.array(fc.tuple(fc.nat(120), fc.nat(255))),
      fc.nat(140),
      ({ link, frame }, edits, cut) => {
        const bytes = frame.slice(0, cut);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        parsePacket(link, bytes, 0);
      },
    ),
    { numRuns: 3000 },
  );
});

test.run();
