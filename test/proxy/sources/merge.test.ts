// Frames that were written late, and files of the same time: by time, in bounded room, and a step of a clock is no disorder.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createMerge, IN_ORDER } from '../../../proxy/sources/merge';
import type { Disorder } from '../../../proxy/sources/order';
import { AT, text } from './file.table';
import { pcapFile } from './frames';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-merge-'));
test.after(() => rmSync(dir, { recursive: true }));

const MS = 1_000;
const HOUR = 3_600_000;

interface Read {
  /** `name after the start, ms`, as they were handed over. */
  readonly frames: readonly string[];
  readonly disorder: Disorder;
  readonly used: number;
  readonly faults: readonly string[];
}

async function readAll(files: readonly string[]): Promise<Read> {
  const merge = await createMerge(files);
  const frames: string[] = [];
  while (
    (await merge.read((_link, octets, at) => {
      frames.push(`${Buffer.from(octets).toString('latin1').trim()} ${(at - AT) / MS}`);
    })) === 'more'
  );
  const { disorder, used, faults } = merge;
  return { frames, disorder, used, faults: faults.map(({ code }) => code) };
}

/** Files with frames of these times, in ms, each named after its file and its place in it; of `size` octets. */
function write(files: readonly (readonly number[])[], size = 0): string[] {
  return files.map((times, i) => {
    const file = join(dir, `${i}`);
    const name = 'abcdefgh'[i] ?? '';
    writeFileSync(
      file,
      pcapFile(times.map((ms, n) => ({ at: AT + ms * MS, frame: text(`${name}${n}`.padEnd(size)) }))),
    );
    return file;
  });
}

const ROWS: readonly {
  readonly name: string;
  readonly files: readonly (readonly number[])[];
  readonly want: string;
  readonly disorder?: Partial<Disorder>;
}[] = [
  { name: 'one file in order', files: [[0, 1, 1, 2]], want: 'a0 0, a1 1, a2 1, a3 2' },
  {
    name: 'a frame that was written 0.3 ms late',
    files: [[0, 0.3, 0.1, 1]],
    want: 'a0 0, a2 0.1, a1 0.3, a3 1',
    disorder: { frames: 1, worst: 200 },
  },
  {
    name: 'a direction that is 10 ms late, throughout',
    files: [[10, 0, 20, 10, 30, 20]],
    want: 'a1 0, a0 10, a3 10, a2 20, a5 20, a4 30',
    disorder: { frames: 3, worst: 10 * MS },
  },
  {
    name: 'of the same time: as they were written',
    files: [[5, 5, 4, 5, 5]],
    want: 'a2 4, a0 5, a1 5, a3 5, a4 5',
    disorder: { frames: 1, worst: MS },
  },
  {
    name: 'a clock that was set back by an hour: the frames stay as they were written',
    files: [[0, 100, 200, 200 - HOUR, 300 - HOUR, 400 - HOUR]],
    want: `a0 0, a1 100, a2 200, a3 ${200 - HOUR}, a4 ${300 - HOUR}, a5 ${400 - HOUR}`,
    disorder: { steps: 1, worstStep: HOUR * MS },
  },
  {
    name: 'set back, and late frames on both sides of it',
    files: [[1, 0, 2 - HOUR, 1 - HOUR]],
    want: `a1 0, a0 1, a3 ${1 - HOUR}, a2 ${2 - HOUR}`,
    disorder: { frames: 2, worst: MS, steps: 1, worstStep: HOUR * MS - 2 * MS + MS },
  },
  {
    name: 'set forward: nothing of it',
    files: [[0, 1, HOUR, HOUR + 1]],
    want: `a0 0, a1 1, a2 ${HOUR}, a3 ${HOUR + 1}`,
  },
  {
    name: 'one frame of a time that cannot be: two steps at the most',
    files: [[0, HOUR, 1, 2]],
    want: `a0 0, a1 ${HOUR}, a2 1, a3 2`,
    disorder: { steps: 1, worstStep: (HOUR - 1) * MS },
  },
  {
    name: 'a file a direction',
    files: [
      [0, 2, 4],
      [1, 3, 5],
    ],
    want: 'a0 0, b0 1, a1 2, b1 3, a2 4, b2 5',
  },
  {
    name: 'the same, named the other way round',
    files: [
      [1, 3, 5],
      [0, 2, 4],
    ],
    want: 'b0 0, a0 1, b1 2, a1 3, b2 4, a2 5',
  },
  {
    name: 'a ring, named in another order',
    files: [[200, 300], [0, 100], [400]],
    want: 'b0 0, b1 100, a0 200, a1 300, c0 400',
  },
  { name: 'an empty file among them', files: [[0, 2], [], [1]], want: 'a0 0, c0 1, a1 2' },
  {
    name: 'a short file within a long one',
    files: [
      [0, 100, 500, 600],
      [200, 300],
    ],
    want: 'a0 0, a1 100, b0 200, b1 300, a2 500, a3 600',
  },
  {
    name: 'late in a file of two',
    files: [
      [0, 4, 3, 9],
      [1, 2, 8],
    ],
    want: 'a0 0, b0 1, b1 2, a2 3, a1 4, b2 8, a3 9',
    disorder: { frames: 1, worst: MS },
  },
];

for (const { name, files, want, disorder } of ROWS) {
  test(name, async () => {
    const got = await readAll(write(files));
    assert.is(got.frames.join(', '), want);
    assert.equal(got.disorder, { ...IN_ORDER, ...disorder });
    assert.is(got.used, files.length);
  });
}

test('a file that is not there: its fault, and the others are read', async () => {
  const got = await readAll([join(dir, 'none'), ...write([[0], [1]])]);
  assert.equal([got.frames, got.used, got.faults], [['a0 0', 'b0 1'], 2, ['file-unreadable']]);
});

test('the same file once more: each frame twice', async () => {
  const [file = ''] = write([[0, 1]]);
  assert.equal((await readAll([file, file])).frames, ['a0 0', 'a0 0', 'a1 1', 'a1 1']);
});

test('a line that fills the room within the window is handed over all the same', async () => {
  const times = Array.from({ length: 3_000 }, (_, i) => i / 100);
  const got = await readAll(write([times], 2_000));
  assert.equal(
    got.frames,
    times.map((ms, i) => `a${i} ${Math.round(ms * MS) / MS}`),
  );
});

test('property: late by less than the window, over several files and chunks: all frames, by time', async () => {
  const late = fc.array(fc.tuple(fc.nat(20), fc.nat(49)), { maxLength: 400 });
  await fc.assert(
    fc.asyncProperty(fc.array(late, { minLength: 1, maxLength: 4 }), async (plans) => {
      const files = plans.map((plan) => {
        let now = 0;
        return plan.map(([forward, back]) => Math.max(0, (now += forward) - back));
      });
      const got = await readAll(write(files, 3_000));
      const times = got.frames.map((each) => Number(each.split(' ').pop()));
      assert.equal(
        times,
        files.flat().sort((a, b) => a - b),
      );
    }),
    { numRuns: 40 },
  );
});

test('property: whatever the times are, each frame once, and those of a file with rising times in its order', async () => {
  const times = fc.array(fc.integer({ min: -200, max: 200 }), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(fc.array(times, { minLength: 1, maxLength: 4 }), async (files) => {
      const got = await readAll(write(files));
      const all = files.flatMap((each, i) => each.map((ms, n) => `${'abcd'[i] ?? ''}${n} ${ms}`));
      assert.equal([...got.frames].sort(), all.sort());
    }),
    { numRuns: 100 },
  );
});

test.run();
