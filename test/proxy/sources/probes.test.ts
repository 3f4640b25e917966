// Probes in frames: to whom the server's own last frame went, tags included; who gets none; and what a refusal ends.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { parseIp } from '../../../inspect/tcp/packet';
import { createTracker } from '../../../inspect/tracker/tracker';
import { createProbes, type Probes } from '../../../proxy/sources/probes';
import { createFault } from '../../../proxy/system/fault';
import { SECOND, START } from '../../inspect/smtp/transcript';
import { packetise } from '../../inspect/tcp/packetise';

/** When `packetise` sends the greeting, and then the first probe is due. */
const DUE = START + SECOND + 3 * SECOND;
const CLIENT = '020000000001';
const SERVER = '020000000002';
const HUB = '020000000003';
const IPV4 = '0800';

type LegOf = (from: Direction, nth: number) => 'wan' | 'lan';
const expected: LegOf = (from) => (from === 'client' ? 'wan' : 'lan');

/** `linkOf`: what stands before the IP packet, in hex. */
function greet(
  probes: Probes,
  linkOf: (from: string, nth: number) => string,
  ports = [40_000],
  legOf: LegOf = expected,
): void {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  for (const port of ports) {
    packetise([['S', '220 mx ESMTP\r\n']], { fin: false }).forEach(({ from, segment }, nth) => {
      const [sourcePort, destinationPort] = from === 'server' ? [25, port] : [port, 25];
      const frame = Buffer.from(`${linkOf(from, nth)}45000028`, 'hex');
      probes.observe(tracker.segment({ ...segment, sourcePort, destinationPort }, legOf(from, nth)), frame);
      // As a ring's memory is.
      frame.fill(0xff);
    });
  }
}

function sent(linkOf: (from: string, nth: number) => string): Buffer[] {
  const frames: Buffer[] = [];
  const probes = createProbes((frame) => void frames.push(Buffer.from(frame)));
  greet(probes, linkOf);
  assert.is(probes.send(DUE).news.length, frames.length);
  return frames;
}

const plain = (from: string): string =>
  from === 'server' ? `${CLIENT}${SERVER}${IPV4}` : `${SERVER}${CLIENT}${IPV4}`;
const tagged = (tags: string) => (from: string) => plain(from).replace(/0800$/, `${tags}${IPV4}`);

const ROWS: readonly { name: string; linkOf: (from: string, nth: number) => string; want: string }[] = [
  { name: 'without tags', linkOf: plain, want: `${CLIENT}${SERVER}${IPV4}` },
  { name: 'behind a tag', linkOf: tagged('8100000a'), want: `${CLIENT}${SERVER}8100000a${IPV4}` },
  {
    name: 'behind two tags',
    linkOf: tagged('88a80014810000c8'),
    want: `${CLIENT}${SERVER}88a80014810000c8${IPV4}`,
  },
  {
    name: "where the server's last frame went, and not its first",
    linkOf: (from, nth) => (nth === 1 ? `${HUB}${SERVER}${IPV4}` : plain(from)),
    want: `${CLIENT}${SERVER}${IPV4}`,
  },
];

for (const { name, linkOf, want } of ROWS) {
  test(`${name}: the server's link header, then the probe`, () => {
    const [frame, ...more] = sent(linkOf);
    assert.equal(more, []);
    assert.ok(frame);
    if (frame === undefined) return;
    const head = want.length / 2;
    assert.is(frame.toString('hex', 0, head), want);
    const read = parseIp(frame.subarray(head), 0);
    assert.is(read.kind, 'segment');
    if (read.kind === 'segment') assert.equal([read.segment.sourcePort, read.segment.length], [25, 0]);
  });
}

test('a refusal is told, ends the round, and takes nobody else into account', () => {
  let puts = 0;
  const probes = createProbes(() => ((puts += 1) === 2 ? DOWN : undefined));
  greet(probes, plain, [40_001, 40_002, 40_003]);
  const { news, refused } = probes.send(DUE);
  assert.equal(
    news.map(({ connection }) => connection.client.port),
    [40_001],
  );
  assert.is(refused, DOWN);
  assert.is(puts, 2);
});

const DOWN = createFault('probe-refused', 'wan');

// SYN, SYN-ACK, ACK, greeting, ACK.
const LEGS: readonly { name: string; legOf: LegOf; asked: number }[] = [
  { name: 'client by wan, server by lan: asked', legOf: expected, asked: 1 },
  {
    name: 'a mail server behind lan delivers outwards: not asked',
    legOf: (from) => (from === 'client' ? 'lan' : 'wan'),
    asked: 0,
  },
  { name: 'both by wan, as on a mirror port: not asked', legOf: () => 'wan', asked: 0 },
  { name: 'both by lan: not asked', legOf: () => 'lan', asked: 0 },
  {
    name: "one frame with the server's address by wan, a forged one: not asked",
    legOf: (from, nth) => (nth === 3 ? 'wan' : expected(from, nth)),
    asked: 0,
  },
  {
    name: 'the client moved from lan to wan: not asked',
    legOf: (from, nth) => (nth === 0 ? 'lan' : expected(from, nth)),
    asked: 0,
  },
];

for (const { name, legOf, asked } of LEGS) {
  test(`legs: ${name}`, () => {
    const frames: Uint8Array[] = [];
    const probes = createProbes((frame) => void frames.push(frame));
    greet(probes, plain, [40_000], legOf);
    const sent = probes.send(DUE);
    assert.equal([sent.news.length, sent.unsent, frames.length], [asked, 1 - asked, asked]);
  });
}

test('a client that was never heard is not asked', () => {
  const probes = createProbes(() => assert.unreachable() as undefined);
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  for (const { from, segment } of packetise([['S', '220 mx ESMTP\r\n']], { fin: false })) {
    const frame = Buffer.from(`${plain(from)}45000028`, 'hex');
    if (from === 'server') probes.observe(tracker.segment(segment, 'lan'), frame);
  }
  assert.equal(probes.send(DUE).news, []);
});

test('whose frames nobody saw is not asked', () => {
  const probes = createProbes(() => assert.unreachable() as undefined);
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  for (const { segment } of packetise([['S', '220 mx ESMTP\r\n']], { fin: false })) {
    probes.observe(tracker.segment(segment), undefined);
  }
  const { news, unsent, refused } = probes.send(DUE);
  assert.equal([news.length, unsent, refused], [0, 1, undefined]);
});

test.run();
