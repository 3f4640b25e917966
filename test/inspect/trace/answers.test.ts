// Which packet an answer answers: by what a hop quotes, and by what a segment acknowledges.

import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addressOctets } from '../../../inspect/address';
import { composeTcp } from '../../../inspect/tcp/compose';
import { FLAG } from '../../../inspect/tcp/segment';
import { matchAnswer, WINDOW } from '../../../inspect/trace/match';
import { readReceived } from '../../../inspect/trace/received';
import type { Answer, Sent, Test } from '../../../inspect/trace/sent';
import { hex, ipv4, ipv6, join } from '../tcp/layers.table';
import { CLIENT, packetOf, SERVER } from './path';

const sent: readonly Sent[] = (
  [
    ['control', 1],
    ['control', 4],
    ['ehlo', 2],
    ['syn', 2],
    ['syn', 3],
    ['echo', 5],
  ] as readonly (readonly [Test, number])[]
).map(([name, ttl], i) => ({
  ...{ number: i + 1, test: name, stage: 0, ttl, at: i, packet: packetOf(name, ttl, i + 1) },
}));
const packet = (number: number): Uint8Array => sent[number - 1]?.packet ?? new Uint8Array();

/** Time exceeded, with a quote; `lengths`: the octets where RFC 4884 has a length. */
const expired = (quote: Uint8Array, lengths = '00000000'): Uint8Array =>
  ipv4(join('0b00 0000', lengths, quote), 1);
const changed = (octets: Uint8Array, at: number, ...by: readonly number[]): Uint8Array => {
  const copy = octets.slice();
  copy.set(by, at);
  return copy;
};

/** The same segment over IPv6, which has no identification. */
const six = composeTcp(
  {
    source: addressOctets('2001:db8::1') as Uint8Array,
    destination: addressOctets('2001:db8::2') as Uint8Array,
    ttl: 2,
  },
  {
    ...{ sourcePort: 40_006, destinationPort: 25, seq: 5_000, ack: 900, flags: FLAG.ack, window: WINDOW + 9 },
    ...{ options: [], payload: new Uint8Array(1) },
  },
);
const sentSix: Sent = { number: 9, test: 'ehlo', stage: 0, ttl: 2, at: 0, packet: six };

const segment = (flags: number, ack: number, port: number, payload = 0): Uint8Array =>
  composeTcp(
    {
      source: addressOctets(SERVER.address) as Uint8Array,
      destination: addressOctets(CLIENT.address) as Uint8Array,
      ttl: 60,
    },
    {
      ...{ sourcePort: 25, destinationPort: port, seq: 900, ack, flags, window: 500, options: [] },
      payload: new Uint8Array(payload),
    },
  );

/** The least octets that RFC 792 promises. */
const LEAST = 28;
const MPLS = '2000 0000 0008 0101 00064140';

const ROWS: readonly {
  readonly name: string;
  readonly packet: Uint8Array;
  readonly distance?: number;
  readonly saidAt?: number;
  readonly want: readonly [to: number, kind: Answer['kind']] | undefined;
  readonly also?: Partial<Answer>;
}[] = [
  { name: 'a whole quote', packet: expired(packet(3)), want: [3, 'expired'] },
  { name: 'a quote of eight octets', packet: expired(packet(3).slice(0, LEAST)), want: [3, 'expired'] },
  {
    name: 'a quote whose IP identification a device has changed',
    packet: expired(changed(packet(3), 4, 99, 99)),
    want: [3, 'expired'],
  },
  {
    name: 'a quote whose sequence number and destination are changed',
    packet: expired(changed(changed(packet(3), 24, 9, 9, 9, 9), 16, 10, 0, 0, 1)),
    want: [3, 'expired'],
  },
  {
    name: 'the same identification in a packet of another program',
    packet: expired(changed(changed(packet(3), 12, 10, 1, 1, 1, 10, 1, 1, 2), 20, 1, 1, 1, 1, 1, 1, 1, 1)),
    want: undefined,
  },
  { name: 'a quote over IPv6', packet: ipv6(join('0300 0000 00000000', six), 58), want: [9, 'expired'] },
  {
    name: 'MPLS labels behind a quote that is filled up with zeros',
    packet: expired(join(packet(3).slice(0, LEAST), new Uint8Array(128 - LEAST), MPLS), '00200000'),
    want: [3, 'expired'],
    also: { tunnel: true },
  },
  {
    name: 'a quote with hops left comes out of a tunnel',
    packet: expired(changed(packet(3), 8, 7)),
    want: [3, 'expired'],
    also: { tunnel: true },
  },
  {
    name: 'unreachable',
    packet: ipv4(join('030d 0000 00000000', packet(3)), 1),
    want: [3, 'unreachable'],
    also: { code: 13 },
  },
  {
    name: 'too big',
    packet: ipv4(join('0304 0000 00000578', packet(3)), 1),
    want: [3, 'too-big'],
    also: { mtu: 1_400 },
  },
  { name: 'an echo reply', packet: ipv4(hex('0000 0000 004d 0006'), 1), want: [6, 'echo'] },
  { name: "another program's echo reply", packet: ipv4(hex('0000 0000 004e 0006'), 1), want: undefined },
  { name: 'an echo request that expired', packet: expired(packet(6)), want: [6, 'expired'] },
  {
    name: 'a SYN-ACK answers the SYN that it acknowledges',
    packet: segment(FLAG.syn | FLAG.ack, 70_000 + 4 + 1, 40_001),
    want: [4, 'segment'],
  },
  { name: 'an ACK answers the last control', packet: segment(FLAG.ack, 5_000, 40_000), want: [2, 'segment'] },
  {
    name: 'no control whose TTL ends before the server',
    packet: segment(FLAG.ack, 5_000, 40_000),
    distance: 5,
    want: undefined,
  },
  {
    name: 'octets of the server answer nothing',
    packet: segment(FLAG.ack, 5_000, 40_000, 20),
    want: undefined,
  },
  {
    name: 'an ACK of EHLO answers EHLO',
    packet: segment(FLAG.ack, 5_017, 40_000),
    want: [3, 'segment'],
  },
  { name: 'RST answers the last segment', packet: segment(FLAG.rst, 0, 40_000), want: [3, 'segment'] },
  {
    name: 'RST behind what the session itself said is about that',
    packet: segment(FLAG.rst, 0, 40_000),
    saidAt: 50,
    want: undefined,
  },
  {
    name: "an ACK of the session's own EHLO answers no copy of it",
    packet: segment(FLAG.ack, 5_017, 40_000),
    saidAt: 50,
    want: undefined,
  },
  { name: 'a segment to another port', packet: segment(FLAG.ack, 5_000, 40_007), want: undefined },
];

for (const { name, packet: octets, distance, saidAt, want, also } of ROWS)
  test(name, () => {
    const answer = matchAnswer(readReceived(octets, 100), [...sent, sentSix], SERVER.address, {
      distance,
      saidAt,
    });
    assert.equal(answer && [answer.to, answer.kind], want);
    for (const [key, value] of Object.entries(also ?? {})) assert.equal(answer?.[key as keyof Answer], value);
  });

test('zeros that fill a quote up are no part of it', () => {
  const filled = join(packet(3).slice(0, LEAST), new Uint8Array(128 - LEAST), MPLS);
  const answer = matchAnswer(readReceived(expired(filled, '00200000'), 0), sent, SERVER.address, {});
  assert.is(answer?.kind === 'expired' && answer.quote.length, LEAST);
});

test('no octets make it fail', () => {
  const mutations = fc.tuple(
    fc.constantFrom(expired(packet(3)), ipv6(join('0300 0000 00000000', six), 58), segment(FLAG.ack, 1, 2)),
    fc.array(fc.tuple(fc.nat(160), fc.nat(255)), { maxLength: 6 }),
    fc.nat(160),
  );
  fc.assert(
    fc.property(mutations, ([octets, changes, length]) => {
      const copy = octets.slice(0, length);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      matchAnswer(readReceived(copy, 0), [...sent, sentSix], SERVER.address, { distance: 5 });
    }),
    { numRuns: 2_000 },
  );
});

test('a quote that is cut anywhere behind eight octets is still recognised', () => {
  for (let length = LEAST; length <= packet(3).length; length += 1) {
    const received = readReceived(expired(packet(3).slice(0, length)), 0);
    assert.is(matchAnswer(received, sent, SERVER.address, {})?.to, 3);
  }
});

test.run();
