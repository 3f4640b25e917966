// What a capture file says at its end of the frames that were missed; most files say nothing.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { pcapngOf } from '../../../proxy/report/evidence/pcapng';
import { droppedIn } from '../../../proxy/sources/pcapng-end';
import { scratch } from '../../kit/process';
import { pcapFile } from './frames';
import { createBlocks, u64 } from './pcapng-blocks';

const file = join(scratch('pcapng-end'), 'capture');
const little = createBlocks('little');
const big = createBlocks('big');
const HEAD = [little.section(), little.describe(1), little.packet(0, 1n, Buffer.from('frame'))];
const IFDROP = 5;
const OSDROP = 7;
/** A name resolution block, as dumpcap and Wireshark write them behind the packets. */
const NAMES = little.raw(4, Buffer.alloc(4));
const counts = (...options: readonly (readonly [code: number, count: bigint])[]): Buffer =>
  little.statistics(
    0,
    options.map(([code, count]) => [code, u64(count, 'little')]),
  );
const evidence = (dropped: number | undefined): Uint8Array =>
  pcapngOf({
    ...{ application: 'test', comment: 'test', ran: { from: 1, to: 2, dropped } },
    packets: [{ linkType: 1, at: 1, octets: Buffer.from('x'), length: 1, comments: [] }],
  });

const ROWS: readonly (readonly [name: string, octets: Uint8Array, says: number | undefined])[] = [
  ['nothing dropped', Buffer.concat([...HEAD, counts([IFDROP, 0n], [OSDROP, 0n])]), 0],
  ['one of the two counts is enough', Buffer.concat([...HEAD, counts([IFDROP, 0n])]), 0],
  ['the card and the system', Buffer.concat([...HEAD, counts([IFDROP, 3n], [OSDROP, 4n])]), 7],
  [
    'several interfaces: all of them',
    Buffer.concat([...HEAD, counts([IFDROP, 3n]), counts([IFDROP, 4n])]),
    7,
  ],
  ['names behind the statistics', Buffer.concat([...HEAD, counts([IFDROP, 2n]), NAMES]), 2],
  ['names before them', Buffer.concat([...HEAD, counts([IFDROP, 2n]), NAMES, counts([IFDROP, 1n])]), 3],
  ['an interface without a count', Buffer.concat([...HEAD, counts([IFDROP, 0n]), counts()]), undefined],
  ['statistics of times alone', Buffer.concat([...HEAD, counts([2, 0n], [3, 0n])]), undefined],
  ['no statistics: the program was killed', Buffer.concat(HEAD), undefined],
  ['packets behind the statistics', Buffer.concat([counts([IFDROP, 0n]), ...HEAD]), undefined],
  ['cut short', Buffer.concat([...HEAD, counts([IFDROP, 0n])]).subarray(0, -3), undefined],
  [
    'big-endian',
    Buffer.concat([big.section(), big.describe(1), big.statistics(0, [[IFDROP, u64(5n, 'big')]])]),
    5,
  ],
  ['evidence of a capture that counted', evidence(0), 0],
  ['evidence of one that lost some', evidence(9), 9],
  ['evidence of one that did not count', evidence(undefined), undefined],
  ['a pcap has no place for it', pcapFile([]), undefined],
  ['compressed: its end is not at hand', gzipSync(evidence(0)), undefined],
  ['empty', Buffer.alloc(0), undefined],
];

for (const [name, octets, says] of ROWS) {
  test(name, () => {
    writeFileSync(file, octets);
    assert.is(droppedIn(file), says);
  });
}

test('what is not there, and what can be read only once', () => {
  assert.is(droppedIn(join(file, 'none')), undefined);
  assert.is(droppedIn('-'), undefined);
});

test('any octets at the end: no throw, and no count that is none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (tail) => {
      writeFileSync(file, Buffer.concat([...HEAD, tail]));
      const dropped = droppedIn(file);
      assert.ok(dropped === undefined || dropped >= 0);
    }),
    { numRuns: 200 },
  );
});

test.run();
