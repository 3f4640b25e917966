import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { run, scratch } from './process';
import { runTestFile } from './testfile';

const uvu = `const { test } = require('${resolve('node_modules/uvu')}');`;
const pass = `test('a', () => {});`;

interface Row {
  readonly name: string;
  readonly source: string;
  readonly want: readonly [passed: number, failed: number, skipped: number];
  /** A part of each trouble, in order. */
  readonly trouble?: readonly string[];
  readonly timeoutMs?: number;
  readonly graceMs?: number;
}

const rows: readonly Row[] = [
  { name: 'passes', source: `${pass} test.run();`, want: [1, 0, 0] },
  { name: 'fails', source: `${pass} test('b', () => { throw Error('b'); }); test.run();`, want: [1, 1, 0] },
  { name: 'never run', source: pass, want: [0, 1, 0], trouble: ['no test.run()', 'no test ran'] },
  { name: 'no tests', source: 'test.run();', want: [0, 1, 0], trouble: ['no test ran'] },
  {
    name: 'an only',
    source: `${pass}\ntest.only('b', () => {});\ntest.run();`,
    want: [1, 1, 1],
    trouble: ['only'],
  },
  {
    name: 'a syntax error',
    source: `test('a', () => {;`,
    want: [0, 1, 0],
    trouble: ['no test.run()', 'no test ran', 'ended with 1'],
  },
  {
    name: 'an open handle',
    source: `${pass} setInterval(() => {}, 1000); test.run();`,
    want: [1, 1, 0],
    trouble: ['open handle'],
    graceMs: 200,
  },
  {
    name: 'a test without end',
    source: `test('a', () => new Promise(() => setInterval(() => {}, 1000))); test.run();`,
    want: [0, 1, 0],
    trouble: ['not finished'],
    timeoutMs: 2_000,
  },
  {
    name: 'another exit code',
    source: `${pass} process.on('exit', () => { process.exitCode = 9; }); test.run();`,
    want: [1, 1, 0],
    trouble: ['ended with 9'],
  },
  { name: 'a skip without reason', source: `${pass} test.skip('b'); test.run();`, want: [1, 0, 1] },
];

const verdicts = suite('a test file');
for (const { name, source, want, trouble = [], timeoutMs = 60_000, graceMs = 20_000 } of rows) {
  verdicts(name, async () => {
    const path = join(scratch('runner'), 'x.test.ts');
    writeFileSync(path, `${uvu}\n${source}\n`);
    const got = await runTestFile(path, { timeoutMs, graceMs });
    assert.equal([got.passed, got.failed, got.skipped], want, got.output);
    assert.is(got.trouble.length, trouble.length, got.trouble.join('\n'));
    trouble.forEach((part, i) => assert.match(got.trouble[i] ?? '', part));
    assert.is(got.skips.length, got.skipped);
  });
}
verdicts.run();

const whole = suite('the runner');
const runner = (folder: string, ...args: string[]): ReturnType<typeof run> =>
  run(process.execPath, [
    '-r',
    'ts-node/register/transpile-only',
    'test/kit/run.ts',
    '--tests',
    folder,
    ...args,
  ]);

whole('sums up in its last line and fails with a failure', async () => {
  const folder = scratch('runner');
  writeFileSync(join(folder, 'one.test.ts'), `${uvu}\n${pass}\ntest.skip('c');\ntest.run();\n`);
  writeFileSync(
    join(folder, 'two.test.ts'),
    `${uvu}\ntest('x', () => { throw Error('ouch'); });\ntest.run();\n`,
  );
  const all = await runner(folder);
  assert.is(all.output.trimEnd().split('\n').at(-1), '1 passed, 1 failed, 1 skipped');
  assert.is(all.code, 1);
  assert.match(all.output, 'ouch');
  const one = await runner(folder, '--only', 'one');
  assert.is(one.output.trimEnd().split('\n').at(-1), '1 passed, 0 failed, 1 skipped');
  assert.is(one.code, 0);
});

whole('fails when nothing matches', async () => {
  const none = await runner(scratch('runner'));
  assert.is(none.output.trimEnd().split('\n').at(-1), '0 passed, 1 failed, 0 skipped');
  assert.is(none.code, 1);
});
whole.run();
