// Where captures come from: what is compressed, what is piped, what is of other programs, and what to do then.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as zlib from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault, isFault } from '../../../proxy/system/fault';
import { openCapture } from '../../../proxy/sources/file';
import { quoted } from '../../../proxy/sources/input';
import { PLAIN, text } from './file.table';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-supply-'));
test.after(() => rmSync(dir, { recursive: true }));

async function faultOf(name: string, octets: Uint8Array): Promise<string> {
  const file = join(dir, name);
  writeFileSync(file, octets);
  const opened = await openCapture(file);
  if (!isFault(opened)) throw new Error('opened');
  return formatFault(opened).replaceAll(`${dir}/`, '');
}

const padded = (magic: readonly number[] | string): Buffer =>
  Buffer.concat([typeof magic === 'string' ? text(magic) : Buffer.from(magic), Buffer.alloc(60)]);

const erf = Buffer.alloc(64);
erf.writeUInt32LE(1_777_863_721, 4);
erf.set([2, 4, 0, 64, 0, 0, 0, 46], 8);

const EDITCAP = 'editcap -F pcapng x out.pcapng';
const STRANGERS: readonly (readonly [name: string, octets: Uint8Array, says: string, file?: string])[] = [
  ['snoop', padded('snoop\0\0\0'), `it is a Sun snoop capture: ${EDITCAP}`],
  ['ERF', erf, `it is an Endace ERF capture: ${EDITCAP}`],
  ['NetMon 1', padded('RTSS'), `it is a Microsoft Network Monitor capture: ${EDITCAP}`],
  ['NetMon 2', padded('GMBU'), `it is a Microsoft Network Monitor capture: ${EDITCAP}`],
  ['iptrace', padded('iptrace 2.0'), `it is an AIX iptrace capture: ${EDITCAP}`],
  ['Sniffer', padded('TRSNIFF data    \x1a'), `it is a Sniffer capture: ${EDITCAP}`],
  ['OmniPeek', padded('\x7fver'), `it is an AiroPeek or OmniPeek capture: ${EDITCAP}`],
  ['a name that a shell would take apart', padded('RTSS'), "editcap -F pcapng 'a b' out.pcapng", 'a b'],
  [
    'what tcpdump printed',
    text('09:12:47.123456 IP 192.0.2.1.40000 > 192.0.2.2.25: Flags [S]\n'),
    'capture again with tcpdump -w FILE',
  ],
  ['a trace of Windows', padded([0, 0, 1, 0]), 'etl2pcapng FILE out.pcapng', 'x.etl'],
  ['something else', text('From: somebody\n\n'.repeat(9)), 'not a capture: x: name a pcap or pcapng file'],
  ['xz', padded([0xfd, 0x37, 0x7a, 0x58]), 'it is compressed (xz): xz -dc x | ehlowire analyze -'],
  ['bzip2', padded('BZh9'), 'it is compressed (bzip2): bzip2 -dc x | ehlowire analyze -'],
  ['lz4', padded([4, 0x22, 0x4d, 0x18]), 'it is compressed (lz4): lz4 -dc x | ehlowire analyze -'],
  ['zip', padded('PK\x03\x04'), 'it is compressed (zip): unzip -p x | ehlowire analyze -'],
];
for (const [name, octets, says, file = 'x'] of STRANGERS) {
  test(`in place of a capture: ${name}`, async () => {
    const got = (await faultOf(file, octets)).replaceAll(`${dir}/`, '');
    assert.ok(got.replaceAll(`'${dir}/`, "'").endsWith(says), got);
    assert.is(got.split('\n').length, 1);
  });
}

test('zstd: read where Node can, else the command that can', async () => {
  const octets = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(20)]);
  const can = 'createZstdDecompress' in zlib;
  const want = can ? /damaged/ : /it is compressed \(zstd\): zstd -dc x \| ehlowire analyze -$/;
  assert.match(await faultOf('x', octets), want);
});

test('a name for a shell', () => {
  assert.equal(['a/b-1.pcap', 'a b', "it's"].map(quoted), ['a/b-1.pcap', "'a b'", `'it'\\''s'`]);
});

/** What a process that opens its standard input says of each frame, as it comes. */
const READER = `
  require('ts-node/register/transpile-only');
  const { openCapture } = require(process.argv[1]);
  void openCapture('-').then(async (source) => {
    if (source.kind === 'fault') return console.log(source.code);
    for (let got = 'more'; got === 'more';) {
      got = await source.advance();
      source.release(Infinity, (_link, octets) => console.log(Buffer.from(octets).toString('latin1')));
      if (got !== 'more') console.log(got.code ?? got);
    }
  });
`;

async function* linesOf(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of stream) {
    const lines = (rest + String(piece)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

const PIPED: readonly (readonly [name: string, octets: Uint8Array, want: readonly string[]])[] = [
  ['a capture', PLAIN, ['first', 'second', 'end']],
  ['compressed', gzipSync(PLAIN), ['first', 'second', 'end']],
  ['cut', PLAIN.subarray(0, -2), ['first', 'capture-cut']],
  ['nothing', Buffer.alloc(0), ['capture-empty']],
];
for (const [name, octets, want] of PIPED) {
  test(`standard input: ${name}`, async () => {
    const reader = spawn(process.execPath, ['-e', READER, require.resolve('../../../proxy/sources/file')]);
    reader.stdin.end(octets);
    const got: string[] = [];
    for await (const line of linesOf(reader.stdout)) got.push(line);
    assert.equal(got, want);
  });
}

test('standard input that stays open: what came is given before more comes', async () => {
  const reader = spawn(process.execPath, ['-e', READER, require.resolve('../../../proxy/sources/file')]);
  const lines = linesOf(reader.stdout);
  reader.stdin.write(PLAIN.subarray(0, -3));
  assert.is((await lines.next()).value, 'first');
  reader.stdin.write(PLAIN.subarray(-3));
  assert.is((await lines.next()).value, 'second');
  reader.stdin.end();
  assert.is((await lines.next()).value, 'end');
});

test.run();
