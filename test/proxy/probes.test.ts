// Probes in frames: to whom the server's own last frame went, tags included; and what a refusal ends.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseIp } from '../../inspect/tcp/packet';
import { createTracker } from '../../inspect/tracker';
import { createProbes, type Probes } from '../../proxy/probes';
import { SECOND, START } from '../inspect/smtp/transcript';
import { packetise } from '../inspect/tcp/packetise';

/** When `packetise` sends the greeting, and then the first probe is due. */
const DUE = START + SECOND + 3 * SECOND;
const CLIENT = '020000000001';
const SERVER = '020000000002';
const HUB = '020000000003';
const IPV4 = '0800';

/** `linkOf`: what stands before the IP packet, in hex. */
function greet(probes: Probes, linkOf: (from: string, nth: number) => string, ports = [40_000]): void {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  for (const port of ports) {
    packetise([['S', '220 mx ESMTP\r\n']], { fin: false }).forEach(({ from, segment }, nth) => {
      const [sourcePort, destinationPort] = from === 'server' ? [25, port] : [port, 25];
      const frame = Buffer.from(`${linkOf(from, nth)}45000028`, 'hex');
      probes.see(tracker.segment({ ...segment, sourcePort, destinationPort }), frame);
      // As a ring's memory is.
      frame.fill(0xff);
    });
  }
}

function sent(linkOf: (from: string, nth: number) => string): Buffer[] {
  const frames: Buffer[] = [];
  const probes = createProbes((frame) => void frames.push(Buffer.from(frame)));
  greet(probes, linkOf);
  assert.is(probes.send(DUE).asked.length, frames.length);
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
  const probes = createProbes(() => ((puts += 1) === 2 ? 'the interface is down' : undefined));
  greet(probes, plain, [40_001, 40_002, 40_003]);
  const { asked, refused } = probes.send(DUE);
  assert.equal(
    asked.map(({ client }) => client.port),
    [40_001],
  );
  assert.is(refused, 'the interface is down');
  assert.is(puts, 2);
});

test('whose frames nobody saw is not asked', () => {
  const probes = createProbes(() => assert.unreachable() as undefined);
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  for (const { segment } of packetise([['S', '220 mx ESMTP\r\n']], { fin: false })) {
    probes.see(tracker.segment(segment), undefined);
  }
  assert.equal(probes.send(DUE), { asked: [], refused: undefined });
});

test.run();
