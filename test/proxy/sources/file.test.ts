// Capture files: what is whole is handed over, and one fault says why there is no more.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault, isFault } from '../../../proxy/system/fault';
import { firstTime, openCapture } from '../../../proxy/sources/file';
import { ELIDED_INTERFACE } from '../../../proxy/sources/pcapng';
import { AT, big, little, MICROS, PLAIN, ROWS, text, type Frame } from './file.table';
import { pcapFile } from './frames';
import { u64 } from './pcapng-blocks';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-captures-'));
test.after(() => rmSync(dir, { recursive: true }));

interface Got {
  readonly frames: readonly Frame[];
  /** The fault's code, of the opening or of the reading. */
  readonly fault: string | undefined;
  readonly text: string;
  readonly lost: number;
}

function readAll(octets: Uint8Array, name = 'x'): Promise<Got> {
  const file = join(dir, name);
  writeFileSync(file, octets);
  return readFile(file);
}

async function readFile(file: string): Promise<Got> {
  const source = await openCapture(file);
  if (isFault(source)) return { frames: [], fault: source.code, text: formatFault(source), lost: 0 };
  const frames: Frame[] = [];
  for (;;) {
    const got = await source.advance();
    source.release(Infinity, (linkType, bytes, at, wire) =>
      frames.push({ linkType, octets: Buffer.from(bytes).toString('latin1'), at, wire }),
    );
    if (got === 'more') continue;
    if (!isFault(got)) assert.is(source.position, source.size);
    const { lost } = source;
    source.close();
    const fault = isFault(got) ? got : undefined;
    return { frames, fault: fault?.code, text: fault ? formatFault(fault) : '', lost };
  }
}

for (const { name, octets, frames, fault, lost = 0 } of ROWS) {
  test(name, async () => {
    const got = await readAll(octets);
    assert.equal(got.frames, frames);
    assert.is(got.fault, fault, got.text);
    assert.is(got.lost, lost);
  });
}

const FILES: readonly (readonly [name: string, file: string, says: RegExp])[] = [
  ['none', join(dir, 'none'), /^cannot read file: .*none: there is no such file$/],
  ['a folder', dir, /^cannot read file: .*: it is a directory: name the files in it$/],
];
for (const [name, file, says] of FILES) {
  test(`no file: ${name}`, async () => assert.match((await readFile(file)).text, says));
}

test('more than the buffer holds: every frame once, across its edges', async () => {
  const frames = Array.from({ length: 3_000 }, (_, i) => ({
    at: AT + i,
    frame: text(String(i).repeat(200)),
  }));
  const got = await readAll(pcapFile(frames));
  assert.equal(
    got.frames.map(({ at, octets }) => [at, octets.length]),
    frames.map((each) => [each.at, each.frame.length]),
  );
  assert.is(got.frames[2_999]?.octets, '2999'.repeat(200));
});

test('the time of the first frame', async () => {
  const file = join(dir, 'first');
  writeFileSync(file, PLAIN);
  assert.is(await firstTime(file), AT);
  writeFileSync(file, pcapFile([]));
  assert.is(await firstTime(file), undefined);
});

test('pcapng: how long the capture ran, and frames that were cut on purpose', async () => {
  const stamp = (micros: bigint): Buffer => Buffer.from(u64(micros, 'little'));
  const high = (micros: bigint): Buffer =>
    Buffer.concat([stamp(micros).subarray(4), stamp(micros).subarray(0, 4)]);
  const file = join(dir, 'ran');
  const ran = (from: bigint, to: bigint): Buffer =>
    little.statistics(0, [
      [2, high(from)],
      [3, high(to)],
    ]);
  const head = [
    little.section(),
    little.describe(1),
    little.describe(1, [[3, Buffer.from(ELIDED_INTERFACE)]]),
    little.packet(0, MICROS, text('whole')),
    little.packet(1, MICROS, text('left'), 60),
  ];
  const open = async (octets: Buffer): Promise<readonly [ran: unknown, elided: readonly unknown[]]> => {
    writeFileSync(file, octets);
    const source = await openCapture(file);
    if (isFault(source)) throw new Error(source.code);
    const elided: unknown[] = [];
    while ((await source.advance()) === 'more');
    source.release(Infinity, (_link, _octets, _at, _wire, each) => elided.push(each));
    source.close();
    return [source.ran, elided];
  };
  const whole = Buffer.concat([...head, ran(MICROS - 5n, MICROS + 9n)]);
  assert.equal(await open(whole), [{ from: AT - 5, to: AT + 9 }, [false, true]]);
  // A time that is years away would have to be waited for.
  const [never] = await open(Buffer.concat([...head, ran(MICROS, MICROS * 3n)]));
  assert.is(never, undefined);
});

test('any octets behind a header: no throw, no endless loop, no frame that was not there', async () => {
  const heads = [
    pcapFile([]),
    Buffer.concat([little.section(), little.describe(1)]),
    Buffer.concat([big.section(), big.describe(1), big.packet(0, MICROS, text('x'))]),
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 600 }), async (head, tail) => {
      const got = await readAll(Buffer.concat([head, tail]), 'fuzz');
      const octets = got.frames.reduce((sum, each) => sum + each.octets.length, 0);
      assert.ok(octets <= tail.length + 1);
    }),
    { numRuns: 300 },
  );
});

test('any cut of a capture: a prefix of its frames', async () => {
  const whole = Buffer.concat([
    little.section(),
    little.describe(1),
    ...['a', 'bcd', 'efghij'].map((each, i) => little.packet(0, MICROS + BigInt(i), text(each))),
  ]);
  const all = (await readAll(whole)).frames;
  for (let cut = 28; cut < whole.length; cut += 1) {
    const got = (await readAll(whole.subarray(0, cut), 'cut')).frames;
    assert.equal(got, all.slice(0, got.length));
  }
});

test.run();
