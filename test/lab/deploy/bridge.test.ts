import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { join } from 'node:path';
import { skip } from '../../kit/lab';
import { SITUATIONS, type Situation } from './situations.table';
import { makeStage, NODE, unfit } from './stage';

const reason = unfit();

for (const situation of SITUATIONS) {
  scene(`in and out: ${situation.name}`, situation, 'entering');
  if (situation.everywhere === true) scene(`back from every step: ${situation.name}`, situation, 'refusing');
  if (situation.killed === true)
    scene(`killed at every step, and left: ${situation.name}`, situation, 'killing');
}

let count = 0;

function scene(title: string, { name }: Situation, what: 'entering' | 'refusing' | 'killing'): void {
  if (reason !== undefined) return skip(test, title, reason);
  return void test(title, async () => {
    const stage = makeStage(`eb${process.pid}${(count += 1)}`);
    if (typeof stage === 'string') throw new Error(stage);
    try {
      const script = join(__dirname, 'inside.ts');
      const { output, code } = await stage.run(...NODE, script, name, stage.journal, stage.pins, what);
      assert.is(code, 0, output);
      const problems = JSON.parse(output) as readonly string[];
      assert.is(problems.join('\n'), '');
    } finally {
      stage.remove();
    }
  });
}

test.run();
