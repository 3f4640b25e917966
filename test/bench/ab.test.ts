// The alternatives of `npm run bench -- --ab`: each patch applies to the tree as it is.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ALTERNATIVES } from '../../bench/ab';

for (const name of ALTERNATIVES) {
  test(name, () => {
    const apply = ['apply', '--check', join('bench/ab', `${name}.patch`)];
    assert.not.throws(() => execFileSync('git', apply, { cwd: join(__dirname, '../..'), stdio: 'pipe' }));
  });
}

test.run();
