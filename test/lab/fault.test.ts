// The fault matrix: every fault that the lab's firewall does is named, every healthy connection is left alone.

import * as assert from 'uvu/assert';
import { labSuite, SHOWN, type Need } from '../kit/lab';
import { scratch } from '../kit/process';
import { playAll, type Result } from './fault/matrix';
import { describe } from './fault/report';
import { ROWS } from './fault/table';
import { nameOf, tasksOf } from './fault/tasks';

const lab = labSuite('faults');
const NEEDS: readonly Need[] = ['postfix', 'swaks', 'python3', 'tcpdump', 'nftables', 'ethtool'];
const tasks = tasksOf(ROWS);
let results: readonly Result[] = [];

// All rows at once, since most of each is silence; the tests then look at one result each.
lab.before(async () => {
  results = await playAll(tasks, { folder: scratch('faults') });
  for (const line of describe(results).split('\n')) console.log(`${SHOWN}${line}`);
});

tasks.forEach((task, i) => {
  lab.test(nameOf(task), NEEDS, async () => {
    const { ok, error, comparison } = results[i] ?? {};
    assert.ok(ok, error ?? JSON.stringify(comparison, undefined, 2));
  });
});

lab.run();
