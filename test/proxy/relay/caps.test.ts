// Counting connections: what one client is, and that nothing is counted for ever.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clientKey, createCap } from '../../../proxy/relay/caps';

const SAME: readonly (readonly [name: string, a: string, b: string, same: boolean])[] = [
  ['one IPv4 address', '198.18.0.1', '198.18.0.1', true],
  ['neighbours on IPv4', '198.18.0.1', '198.18.0.2', false],
  ['IPv4 and the same mapped', '198.18.0.1', '::ffff:198.18.0.1', true],
  ['one /64', '2001:db8:0:1::1', '2001:db8:0:1:ffff::2', true],
  ['neighbouring /64', '2001:db8:0:1::1', '2001:db8:0:2::1', false],
  ['no address at all', 'unix', 'unix', true],
];

for (const [name, a, b, same] of SAME) {
  test(`${name}: ${same ? 'one client' : 'two clients'}`, () => {
    assert.is(clientKey(a) === clientKey(b), same);
  });
}

test('a cap refuses the one too many, and lets in after one left', () => {
  const cap = createCap(2);
  assert.equal([cap.take('a'), cap.take('a'), cap.take('a'), cap.take('b')], [true, true, false, true]);
  assert.is(cap.held, 3);
  cap.give('a');
  assert.ok(cap.take('a'));
});

test('giving what was never taken changes nothing', () => {
  const cap = createCap(1);
  cap.give('a');
  assert.is(cap.held, 0);
  assert.ok(cap.take('a'));
  assert.not(cap.take('a'));
});

test.run();
