// Less seen, less said, never something else said: a sample of the degradation matrix, the same in every run.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runMatrix } from '../../lab/degraded/matrix';
import { describe } from '../../lab/degraded/report';

/** One variant of so many; by its name's hash, so that every way and every play has some. */
const SAMPLE = 80;

test('degraded plays: nothing is said that the whole play does not say', async () => {
  const result = await runMatrix({ sample: SAMPLE, share: 0, shares: 1 });
  const variants = result.tallies.reduce((sum, each) => sum + each.variants, 0);
  assert.ok(variants > 1_000, `${variants} variants`);
  const kept = result.tallies.reduce((sum, each) => sum + each.kept, 0);
  assert.ok(kept > 200, `${kept} verdicts are kept: silence alone is never wrong`);
  assert.equal(result.kinds, [], describe(result, 0));
});

test.run();
