// A handshake in few octets: it says the same packed and whole.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  packHandshake,
  unpackHandshake,
  withPassed,
  type Handshake,
  type Passed,
} from '../../../inspect/tcp/handshake';
import type { Ends, Segment } from '../../../inspect/tcp/segment';
import { START } from '../smtp/transcript';
import { packetise } from './packetise';

const [SYN, SYN_ACK] = packetise([['S', '220 mx ESMTP\r\n']]).map(({ segment }) => segment) as [
  Segment,
  Segment,
];

const number = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most });
const passed = fc.record({
  from: fc.constantFrom('client' as const, 'server' as const),
  leg: fc.constantFrom(undefined, 'wan' as const, 'lan' as const),
  segment: fc.record({
    ...{ at: number(1_000).map((ms) => START + ms), seq: number(0xffff_ffff), ack: number(0xffff_ffff) },
    ...{ flags: number(255), window: number(65_535), length: number(1_460), ttl: number(255) },
    ipId: fc.option(number(65_535), { nil: undefined }),
    vlans: fc.array(number(4_095), { maxLength: 4 }),
    checksum: fc.constantFrom('good' as const, 'bad' as const, 'unchecked' as const),
    options: fc
      .record(
        {
          mss: number(65_535),
          windowScale: number(255),
          timestamps: fc.tuple(number(0xffff_ffff), number(0xffff_ffff)),
          sackPermitted: fc.boolean(),
          kinds: fc.array(number(255), { maxLength: 20 }),
        },
        { requiredKeys: ['sackPermitted', 'kinds'] },
      )
      .map((each) => ({ ...each, sack: [] })),
  }),
});

test('property: what is remembered of a handshake is what came', () => {
  fc.assert(
    fc.property(passed, passed, number(2 ** 48 - 1), fc.boolean(), fc.boolean(), (a, b, id, lost, lower) => {
      const both = [ownedBy('client', a), ownedBy('server', b)];
      const before: Handshake = { id, lost, clientIsLower: lower, lastAt: START + 5, passed: both };
      assert.equal(unpackHandshake(packHandshake(before), SYN), before);
    }),
  );
});

test('property: what is left out of a handshake is left out packed or not', () => {
  const again = fc.record({
    at: number(1_000).map((ms) => START + ms),
    ipId: number(65_535),
    other: fc.boolean(),
  });
  fc.assert(
    fc.property(
      passed,
      passed,
      fc.array(fc.tuple(again, fc.boolean()), { maxLength: 8 }),
      (a, b, repeats) => {
        const first = { client: ownedBy('client', a), server: ownedBy('server', b) };
        const none: Handshake = { id: 1, lost: false, clientIsLower: true, lastAt: START + 5, passed: [] };
        let whole = withPassed(none, first.client);
        let packed = packHandshake(whole);
        const add = (each: Passed): void => {
          whole = withPassed(whole, each);
          packed = packHandshake(withPassed(unpackHandshake(packed, SYN), each));
        };
        for (const [{ at, ipId, other }, isServer] of repeats) {
          const { segment, ...rest } = first[isServer ? 'server' : 'client'];
          const own = segment.ipId === undefined ? undefined : ipId;
          add({ ...rest, segment: { ...segment, at, ipId: own, ttl: segment.ttl ^ (other ? 1 : 0) } });
        }
        assert.equal(unpackHandshake(packed, SYN), whole);
      },
    ),
  );
});

function ownedBy(
  from: 'client' | 'server',
  each: { readonly leg: Passed['leg']; readonly segment: Omit<Segment, keyof Ends | 'payload'> },
): Passed {
  const { source, sourcePort, destination, destinationPort } = from === 'client' ? SYN : SYN_ACK;
  const ends = { source, sourcePort, destination, destinationPort };
  return { ...each, from, segment: { ...each.segment, ...ends, payload: new Uint8Array(0) } };
}

test.run();
