// A short attack for every run: counts only. `npm run soak -- hostile` is the long one, with times.

import * as assert from 'uvu/assert';
import { labSuite } from '../../kit/lab';
import { renderHostile, runHostile, violationsOf, type HostilePlan } from './hostile';

const PLAN: HostilePlan = { honest: 20, hostile: 1_000, seconds: 5, settleSeconds: 5, say: () => undefined };

const lab = labSuite('hostile connections');

lab.test('a thousand beside 20 honest senders: all honest mail arrives', ['postfix'], async () => {
  const result = await runHostile(PLAN);
  assert.equal(violationsOf(PLAN, result), [], renderHostile(PLAN, result));
});

lab.run();
