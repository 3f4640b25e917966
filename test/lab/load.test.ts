// A short load for every run; `npm run soak` is the long one.

import * as assert from 'uvu/assert';
import { labSuite } from '../kit/lab';
import { runLoad, type LoadPlan } from './load';
import { lossesOf, renderLoad } from './load-judge';

const PLAN: LoadPlan = {
  held: 200,
  sessions: 2_000,
  besides: 500,
  rounds: 2,
  restMs: 0,
  say: () => undefined,
};

const lab = labSuite('load');

lab.test('200 at once, 2,000 in a row, twice; deaf peers stall only themselves', ['postfix'], async () => {
  const load = await runLoad(PLAN);
  assert.equal(lossesOf(PLAN, load), [], renderLoad(PLAN, load));
});

lab.run();
