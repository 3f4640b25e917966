// Whether the program at a hook is ours: by link or filter, alone, and beside a program of somebody else's.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rmSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { skip } from '../../kit/lab';
import { buildLauncher } from '../../proxy/launch';
import { awaitInPlace, makeStage, NODE, unfit, type Stage } from './stage';

const KIT = join(__dirname, '../../kit');
const FILTERS = join(__dirname, '../../../deploy/journal/filters');
const HOWS = [undefined, 'tc', 'tcx'] as const;
type How = (typeof HOWS)[number];

const reason = unfit();
const { dir } = buildLauncher();
test.after(() => rmSync(dir, { recursive: true }));

HOWS.flatMap((ours) => HOWS.map((theirs) => [ours, theirs] as const)).forEach(([ours, theirs], nth) => {
  const name = `${sayHow(ours)} of ours, ${sayHow(theirs)} of somebody else’s`;
  const why = reason ?? ([ours, theirs].includes('tcx') ? withoutLinks() : undefined);
  if (why !== undefined) return skip(test, name, why);
  test(name, async () => {
    const stage = makeStage(`ef${process.pid}${nth}`);
    if (typeof stage === 'string') throw new Error(stage);
    try {
      for (const port of ['wan', 'lan']) stage.ip('link', 'set', port, 'up');
      if (theirs)
        await mustRun(
          stage,
          'python3',
          join(KIT, 'other_program.py'),
          'wan',
          theirs,
          join(stage.pins, 'theirs'),
        );
      if (ours) await enter(stage, ours);
      const there = await mustRun(stage, 'python3', join(KIT, 'attached.py'), 'wan', 'ingress');
      assert.is(there.includes('ehlowire_wan'), ours !== undefined, there);
      assert.is(there.includes('somebody'), theirs !== undefined, there);
      assert.is(await isAttached(stage), ours !== undefined);
    } finally {
      stage.remove();
    }
  });
});

const GONE = 'a filter of ours is gone, and somebody else’s stands at its place';
if (reason !== undefined) skip(test, GONE, reason);
else
  test(GONE, async () => {
    const stage = makeStage(`ef${process.pid}g`);
    if (typeof stage === 'string') throw new Error(stage);
    try {
      for (const port of ['wan', 'lan']) stage.ip('link', 'set', port, 'up');
      await enter(stage, 'tc');
      assert.ok(await isAttached(stage));
      await mustRun(stage, 'tc', 'filter', 'delete', 'dev', 'wan', 'ingress');
      await mustRun(stage, 'python3', join(KIT, 'other_program.py'), 'wan', 'tc', join(stage.pins, 'theirs'));
      assert.not.ok(await isAttached(stage));
    } finally {
      stage.remove();
    }
  });

async function isAttached(stage: Stage): Promise<boolean> {
  const question = `process.stdout.write(String(require('${FILTERS}').isAttached('${stage.pins}', 'wan', 'ingress')))`;
  return (await mustRun(stage, ...NODE, '-e', question)) === 'true';
}

function sayHow(how: How): string {
  return how === undefined ? 'none' : how === 'tc' ? 'a filter' : 'a link';
}

/** Until Linux 6.6 there are only filters. */
function withoutLinks(): string | undefined {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major > 6 || (major === 6 && minor >= 6) ? undefined : `no tcx in Linux ${release()}`;
}

/** In place, and then the process goes: the program stays. */
async function enter(stage: Stage, how: 'tc' | 'tcx'): Promise<void> {
  const settings = [...stage.settings, '--set', `wire.attach=${how}`];
  const child = stage.start(join(dir, 'ehlowire'), 'bridge', '--wan', 'wan', '--lan', 'lan', ...settings);
  await awaitInPlace(child);
  await child.stop('SIGTERM');
}

async function mustRun(stage: Stage, command: string, ...args: readonly string[]): Promise<string> {
  const { output, code } = await stage.run(command, ...args);
  assert.is(code, 0, output);
  return output;
}

test.run();
