// `ehlowire trace` names the device: each fault at the first, a middle and the last router, and nothing on a clean path.

import * as assert from 'uvu/assert';
import { labSuite, SHOWN, type Need } from '../../kit/lab';
import { scratch } from '../../kit/process';
import { FAULTS } from './faults.table';
import { describe, textsOf, traceAll, type Result } from './matrix';
import { nameOf, sampleOf } from './tasks';

const lab = labSuite('trace');
const NEEDS: readonly Need[] = ['postfix', 'exim', 'haproxy', 'python3', 'nftables', 'ethtool'];
const tasks = sampleOf(FAULTS);
let results: readonly Result[] = [];

// All at once, since most of a trace is waiting; the tests then look at one result each.
lab.before(async () => {
  results = await traceAll(tasks, { folder: scratch('trace') });
  for (const line of describe(results).split('\n')) console.log(`${SHOWN}${line}`);
});

tasks.forEach((task, i) => {
  lab.test(nameOf(task), NEEDS, async () => {
    const { ok, error, named = [], output } = results[i] ?? {};
    assert.is(error, undefined, error);
    assert.ok(
      ok,
      `expected ${textsOf(task.fault.expected(task.k, task.n))}, not ${textsOf(named)}\n${output}`,
    );
  });
});

lab.run();
