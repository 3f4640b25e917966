// Which timeout counts in which phase, and a timer that is moved only where it must be.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction, Phase } from '../../../inspect/events';
import { steady } from '../../../proxy/system/clock';
import type { TimeoutsMs } from '../../../proxy/config/config';
import { createDeadline, timeoutMs } from '../../../proxy/relay/deadline';

const TIMEOUTS: TimeoutsMs = {
  connect: 1,
  proxyHeader: 2,
  greeting: 3,
  hello: 4,
  mail: 5,
  rcpt: 6,
  data: 7,
  block: 8,
  message: 9,
  command: 10,
  opaque: 11,
};

const ROWS: readonly (readonly [on: Direction, phase: Phase, opaque: boolean, want: keyof TimeoutsMs])[] = [
  ['server', 'greeting', false, 'greeting'],
  ['server', 'hello', false, 'hello'],
  ['server', 'mail', false, 'mail'],
  ['server', 'rcpt', false, 'rcpt'],
  ['server', 'data', false, 'data'],
  ['server', 'message', false, 'message'],
  ['server', 'quit', false, 'command'],
  ['server', 'auth', false, 'command'],
  ['client', 'message', false, 'block'],
  ['client', 'other', false, 'command'],
  ['client', 'auth', false, 'command'],
  ['client', 'tls', true, 'opaque'],
  ['server', 'message', true, 'opaque'],
];

for (const [on, phase, opaque, want] of ROWS) {
  test(`waiting on the ${on} in ${phase}${opaque ? ', opaque' : ''}: ${want}`, () => {
    assert.is(timeoutMs({ on, phase, since: 0, opaque }, TIMEOUTS), TIMEOUTS[want]);
  });
}

const never = (): number => {
  throw new Error('fired');
};

test('a deadline that moved away is found out when the timer fires', async () => {
  const fired: number[] = [];
  const due = steady() + 5_000;
  await new Promise<void>((resolve) => {
    const deadline = createDeadline((at) => {
      fired.push(at);
      if (fired.length === 1) return due + 15_000;
      resolve();
      return Infinity;
    });
    deadline.arm(due);
    deadline.arm(due + 1e9);
  });
  assert.is(fired.length, 2);
  assert.ok((fired[1] ?? 0) >= due + 14_000);
});

test('a deadline that came closer fires earlier', async () => {
  const started = steady();
  const at = await new Promise<number>((resolve) => {
    const deadline = createDeadline((time) => (resolve(time), Infinity));
    deadline.arm(started + 3_600e6);
    deadline.arm(started + 2_000);
  });
  assert.ok(at < started + 3_600e6);
});

test('one that is stopped stays silent', async () => {
  const deadline = createDeadline(never);
  deadline.arm(steady() + 1_000);
  deadline.stop();
  deadline.arm(steady() + 1_000);
  await new Promise((resolve) => setTimeout(resolve, 10));
});

test('infinity and the far future set no timer that fires at once', async () => {
  const deadline = createDeadline(never);
  deadline.arm(Infinity);
  deadline.arm(steady() + 1e15);
  await new Promise((resolve) => setTimeout(resolve, 10));
  deadline.stop();
});

test.run();
