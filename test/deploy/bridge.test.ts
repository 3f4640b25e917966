import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { join } from 'node:path';
import { skip } from '../kit/lab';
import { SITUATIONS } from './situations.table';
import { makeStage, NODE, unfit } from './stage';

const reason = unfit();

for (const [index, { name }] of SITUATIONS.entries()) {
  const title = `in, out, and back from every step: ${name}`;
  if (reason !== undefined) {
    skip(test, title, reason);
    continue;
  }
  test(title, async () => {
    const stage = makeStage(`eb${process.pid}${index}`);
    if (typeof stage === 'string') throw new Error(stage);
    try {
      const [node, ...options] = NODE;
      const { output, code } = await stage.run(
        node,
        ...options,
        join(__dirname, 'inside.ts'),
        name,
        stage.folder,
        stage.pins,
      );
      assert.is(code, 0, output);
      const problems = JSON.parse(output) as readonly string[];
      assert.is(problems.join('\n'), '');
    } finally {
      stage.remove();
    }
  });
}

test.run();
