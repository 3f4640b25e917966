// Capture files, good and bad, and what is to be had of them.

import { gzipSync } from 'node:zlib';
import { pcapFile } from './frames';
import { createBlocks, u64 } from './pcapng-blocks';

export interface Frame {
  readonly linkType: number;
  readonly octets: string;
  readonly at: number;
  readonly wire: number;
}

export const AT = 1_777_863_721_000_123;
export const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const frame = (octets: string, at = AT, linkType = 1, wire = octets.length): Frame => ({
  linkType,
  octets,
  at,
  wire,
});
export const PLAIN = pcapFile([
  { at: AT, frame: text('first') },
  { at: AT + 7, frame: text('second') },
]);
const BOTH = [frame('first'), frame('second', AT + 7)];

/** The same file with its header's and records' numbers in the other order, or in nanoseconds. */
function pcapLike(magic: number, little: boolean, extra = 0): Buffer {
  const head = Buffer.alloc(24);
  const record = Buffer.alloc(16 + extra);
  const put = (octets: Buffer, at: number, value: number): void =>
    void (little ? octets.writeUInt32LE(value, at) : octets.writeUInt32BE(value, at));
  put(head, 0, magic);
  put(head, 16, 262_144);
  put(head, 20, 1);
  put(record, 0, Math.floor(AT / 1e6));
  put(record, 4, magic === 0xa1b23c4d ? (AT % 1e6) * 1_000 + 999 : AT % 1e6);
  put(record, 8, 5);
  put(record, 12, 60);
  return Buffer.concat([head, record, text('first')]);
}

export const little = createBlocks('little');
export const big = createBlocks('big');
export const MICROS = BigInt(AT);

export const ROWS: readonly {
  readonly name: string;
  readonly octets: Uint8Array;
  readonly frames: readonly Frame[];
  readonly fault?: string;
  readonly lost?: number;
}[] = [
  { name: 'pcap', octets: PLAIN, frames: BOTH },
  { name: 'pcap, big-endian', octets: pcapLike(0xa1b2c3d4, false), frames: [frame('first', AT, 1, 60)] },
  {
    name: 'pcap, nanoseconds are cut off',
    octets: pcapLike(0xa1b23c4d, true),
    frames: [frame('first', AT, 1, 60)],
  },
  {
    name: 'pcap of old patched systems',
    octets: pcapLike(0xa1b2cd34, true, 8),
    frames: [frame('first', AT, 1, 60)],
  },
  { name: 'pcap without a frame', octets: pcapFile([]), frames: [] },
  { name: 'nothing at all', octets: Buffer.alloc(0), frames: [], fault: 'capture-empty' },
  { name: 'text', octets: text('From: somebody\n\n'.repeat(9)), frames: [], fault: 'capture-unknown' },
  { name: 'half a header', octets: PLAIN.subarray(0, 20), frames: [], fault: 'capture-unknown' },
  { name: 'gzip', octets: gzipSync(PLAIN), frames: BOTH },
  {
    name: 'gzip of two members',
    octets: Buffer.concat([gzipSync(PLAIN.subarray(0, 50)), gzipSync(PLAIN.subarray(50))]),
    frames: BOTH,
  },
  {
    name: 'gzip that was cut',
    octets: gzipSync(PLAIN, { level: 0 }).subarray(0, 24 + 16 + 5 + 16 + 10 + 5),
    frames: BOTH.slice(0, 1),
    fault: 'capture-cut',
  },
  {
    name: 'gzip with nothing behind its header',
    octets: Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
    frames: [],
    fault: 'capture-empty',
  },
  {
    name: 'gzip that is damaged',
    octets: Buffer.concat([gzipSync(PLAIN).subarray(0, 10), Buffer.alloc(30, 0xff)]),
    frames: [],
    fault: 'capture-damaged',
  },
  {
    name: 'gzip of something else',
    octets: gzipSync(text('From: somebody')),
    frames: [],
    fault: 'capture-unknown',
  },
  {
    name: 'pcap cut in a frame',
    octets: PLAIN.subarray(0, -3),
    frames: BOTH.slice(0, 1),
    fault: 'capture-cut',
  },
  {
    name: 'pcap cut in a header',
    octets: PLAIN.subarray(0, 24 + 16 + 5 + 9),
    frames: BOTH.slice(0, 1),
    fault: 'capture-cut',
  },
  {
    name: 'pcap with a length that cannot be',
    octets: Buffer.concat([PLAIN, Buffer.alloc(8), Buffer.alloc(8, 0x7f), Buffer.alloc(100)]),
    frames: BOTH,
    fault: 'capture-damaged',
  },
  {
    name: 'pcap of a link type that is not known',
    octets: pcapFile([{ at: AT, frame: text('radio') }], { linkType: 127 }),
    frames: [],
    fault: 'link-unknown',
  },
  {
    name: 'pcap with snapped frames',
    octets: pcapFile([{ at: AT, frame: text('first') }], { snaplen: 3 }),
    frames: [frame('fir', AT, 1, 5)],
  },
  {
    name: 'pcapng',
    octets: Buffer.concat([little.section(), little.describe(1), little.packet(0, MICROS, text('first'))]),
    frames: [frame('first')],
  },
  {
    name: 'pcapng, big-endian',
    octets: Buffer.concat([big.section(), big.describe(1), big.packet(0, MICROS, text('first'))]),
    frames: [frame('first')],
  },
  {
    name: 'pcapng: every interface has its link type and its clock',
    octets: Buffer.concat([
      little.section(),
      little.describe(1, [[9, Buffer.from([9])]]),
      little.describe(101, [[9, Buffer.from([3])]]),
      little.describe(113, [[9, Buffer.from([0x80 | 20])]]),
      little.packet(0, MICROS * 1_000n + 999n, text('first'), 77),
      little.packet(1, MICROS / 1_000n, text('raw')),
      little.packet(2, 1_777_863_721n << 20n, text('cooked')),
    ]),
    frames: [
      frame('raw', Math.floor(AT / 1_000) * 1_000, 101),
      frame('cooked', 1_777_863_721_000_000, 113),
      frame('first', AT, 1, 77),
    ],
  },
  {
    name: 'pcapng: if_tsoffset is added',
    octets: Buffer.concat([
      big.section(),
      big.describe(1, [[14, u64(1_777_863_721n, 'big')]]),
      big.packet(0, 123n, text('first')),
    ]),
    frames: [frame('first')],
  },
  {
    name: 'pcapng: a new section forgets the interfaces and may turn the order of octets',
    octets: Buffer.concat([
      little.section(),
      little.describe(1),
      little.packet(0, MICROS, text('first')),
      big.section(),
      big.describe(101),
      big.packet(0, MICROS, text('raw')),
    ]),
    frames: [frame('first'), frame('raw', AT, 101)],
  },
  {
    name: 'pcapng: simple and old packet blocks',
    octets: Buffer.concat([
      little.section(),
      little.describe(1),
      little.old(0, MICROS, text('first')),
      little.simple(text('second')),
    ]),
    frames: [frame('first'), frame('second')],
  },
  {
    name: 'pcapng: blocks that are not read are skipped, larger than the buffer too',
    octets: Buffer.concat([
      little.section(),
      little.describe(1),
      little.raw(0x0bad, Buffer.alloc(3 << 20, 0x5a)),
      little.packet(0, MICROS, text('first')),
    ]),
    frames: [frame('first')],
  },
  {
    name: 'pcapng: what the capturing program missed',
    octets: Buffer.concat([
      little.section(),
      little.describe(1),
      little.packet(0, MICROS, text('first')),
      little.statistics(0, [
        [5, u64(3n, 'little')],
        [7, u64(4n, 'little')],
      ]),
    ]),
    frames: [frame('first')],
    lost: 7,
  },
  {
    name: 'pcapng: a packet of an interface that was not described',
    octets: Buffer.concat([little.section(), little.packet(0, MICROS, text('first'))]),
    frames: [],
    fault: 'capture-damaged',
  },
  {
    name: 'pcapng: an interface of an unknown link type is left out, the other is read',
    octets: Buffer.concat([
      little.section(),
      little.describe(127),
      little.describe(1),
      little.packet(0, MICROS, text('radio')),
      little.packet(1, MICROS, text('first')),
    ]),
    frames: [frame('first')],
    fault: 'link-unknown',
  },
  {
    name: 'pcapng cut in a block',
    octets: Buffer.concat([
      little.section(),
      little.describe(1),
      little.packet(0, MICROS, text('first')),
    ]).subarray(0, -2),
    frames: [],
    fault: 'capture-cut',
  },
];
