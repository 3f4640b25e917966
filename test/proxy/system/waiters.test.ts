// Waiting for what a callback changes: each waiter is woken for itself, and none waits for ever.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createWaiters } from '../../../proxy/system/waiters';

const HOUR = 3_600_000;

test('what holds already is not waited for', async () => {
  assert.ok(await createWaiters().until(() => true, HOUR));
});

test('two wait for different things, and each is woken by its own', async () => {
  const waiters = createWaiters();
  const done: string[] = [];
  let count = 0;
  const first = waiters.until(() => count >= 1, HOUR).then(() => done.push('first'));
  const second = waiters.until(() => count >= 2, HOUR).then(() => done.push('second'));
  count = 1;
  waiters.wake();
  await first;
  assert.equal(done, ['first']);
  count = 2;
  waiters.wake();
  await second;
  assert.equal(done, ['first', 'second']);
});

test('time is over: what holds is said all the same', async () => {
  const waiters = createWaiters();
  assert.not(await waiters.until(() => false, 1));
  let asked = 0;
  // It came to hold, and no call woke the waiter.
  assert.ok(await waiters.until(() => (asked += 1) > 1, 1));
});

test.run();
