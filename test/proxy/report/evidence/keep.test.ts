// A folder that a service fills for months: bounded, and no flood of one verdict drives out another.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKeeper } from '../../../../proxy/report/evidence/keep';
import { scratch } from '../../../kit/process';
import { packetise } from '../../../inspect/tcp/packetise';
import { LATE } from './dialogue.table';
import { record } from './frames';

const baseOf = (second: number, verdict: string): string =>
  `20231114T2213${String(second).padStart(2, '0')}.000000Z-198.18.0.1-40000-${verdict}`;

function put(folder: string, base: string, octets: number): void {
  writeFileSync(join(folder, `${base}.pcapng`), Buffer.alloc(octets - 10));
  writeFileSync(join(folder, `${base}.md`), Buffer.alloc(10));
}

const ROWS: readonly {
  readonly name: string;
  readonly bounds: { readonly connections: number; readonly octets: number };
  readonly verdicts: readonly string[];
  readonly left: readonly number[];
}[] = [
  {
    name: 'within its bounds: all stay',
    bounds: { connections: 3, octets: 300 },
    verdicts: ['ehlo-dropped', 'ehlo-dropped', 'early-talker'],
    left: [0, 1, 2],
  },
  {
    name: 'too many: the oldest goes',
    bounds: { connections: 2, octets: 1_000 },
    verdicts: ['ehlo-dropped', 'ehlo-dropped', 'ehlo-dropped'],
    left: [1, 2],
  },
  {
    name: 'too large: the oldest goes',
    bounds: { connections: 9, octets: 250 },
    verdicts: ['ehlo-dropped', 'ehlo-dropped', 'ehlo-dropped'],
    left: [1, 2],
  },
  {
    name: 'of the most frequent verdict the oldest: a rare one stays',
    bounds: { connections: 3, octets: 1_000 },
    verdicts: ['ehlo-dropped', 'early-talker', 'early-talker', 'early-talker', 'early-talker'],
    left: [0, 3, 4],
  },
];

for (const { name, bounds, verdicts, left } of ROWS) {
  for (const again of [false, true]) {
    test(`${name}${again ? ', also what an earlier process wrote' : ''}`, () => {
      const folder = scratch('kept');
      writeFileSync(join(folder, 'notes.md'), 'mine');
      let keeper = createKeeper(folder, bounds);
      verdicts.forEach((verdict, i) => {
        put(folder, baseOf(i, verdict), 100);
        if (again) keeper = createKeeper(folder, bounds);
        keeper.wrote(baseOf(i, verdict), verdict, 100);
      });
      const want = left.flatMap((i) =>
        ['md', 'pcapng'].map((end) => `${baseOf(i, verdicts[i] ?? '')}.${end}`),
      );
      assert.equal(readdirSync(folder).sort(), [...want, 'notes.md'].sort());
      assert.ok(existsSync(join(folder, 'notes.md')), 'what is not evidence is left alone');
    });
  }
}

test('a flood of one verdict: some at once, then one in a while; others have their own', () => {
  const keeper = createKeeper(scratch('kept'), { connections: 1_000, octets: 1e9 });
  const at = (second: number): number => second * 1e6;
  const flood = Array.from({ length: 100 }, () => keeper.admit('early-talker', at(0))).filter(Boolean);
  assert.is(flood.length, 20);
  assert.ok(keeper.admit('ehlo-dropped', at(0)));
  assert.not.ok(keeper.admit('early-talker', at(5)));
  assert.ok(keeper.admit('early-talker', at(11)));
});

test('a writer that keeps: its own bounds, not those of one run', () => {
  const folder = scratch('kept');
  const keep = { connections: 1, octets: 1e9 };
  record(LATE, { folder, keep });
  const later = LATE.map(({ from, segment }) => ({ from, segment: { ...segment, at: segment.at + 60e6 } }));
  record(later, { folder, keep });
  record(packetise([['S', '220 mx\r\n']]), { folder, keep });
  const [page = '', ...more] = readdirSync(folder).sort();
  assert.match(page, /^20231114T221420\.000000Z-.*-segment-dropped\.md$/);
  assert.is(more.length, 1);
});

test.run();
