// The degradation matrix, whole: no namespaces are needed, and some minutes of two processors.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { labSuite, SHOWN } from '../kit/lab';
import { describe, markdown } from './degraded/report';
import { runAll } from './degraded/workers';

const lab = labSuite('degraded');

lab.test(
  'every play, degraded in every way: nothing is said that the whole play does not say',
  [],
  async () => {
    const began = performance.now();
    const result = await runAll({}, { workers: 2 });
    const text = describe(result, (performance.now() - began) / 1000);
    for (const line of text.split('\n')) console.log(`${SHOWN}${line}`);
    if (process.env['LAB_WRITE'] === 'yes') writeFileSync(join(__dirname, 'DEGRADED.md'), markdown(result));
    assert.equal(result.kinds, []);
  },
);

lab.run();
