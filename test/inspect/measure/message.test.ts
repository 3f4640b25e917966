import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createEndOfData } from '../../../inspect/grammar/end-of-data';
import { createComposer } from '../../../inspect/measure/message';
import { joinOctets } from '../../../inspect/octets';
import { latin1 } from '../../../inspect/text';

const PLAN = { from: '', recipients: ['a@b.example'], name: 'me.example', run: 'r0', date: 'D' };
const HEAD = latin1(joinOctets(createComposer({ ...PLAN, size: 1 })())).length - 3;

for (const size of [1, HEAD, HEAD + 1, HEAD + 2, HEAD + 3, 600, 2_000, 65_536, 70_000, 1_000_000]) {
  test(`a message of ${size} octets has so many, or its headers and nothing more`, () => {
    const compose = createComposer({ ...PLAN, size });
    for (let i = 0; i < 3; i += 1) {
      const octets = joinOctets(compose());
      const body = octets.length - '.\r\n'.length;
      // One octet alone is no line.
      assert.ok(body === Math.max(size, HEAD) || (size === HEAD + 1 && body === HEAD + 2), `${body}`);
      assert.is(createEndOfData().scan(octets, 0).end, octets.length);
      assert.ok(latin1(octets).endsWith('\r\n.\r\n'));
      assert.ok(
        latin1(octets)
          .split('\r\n')
          .every((line) => line.length <= 160),
      );
    }
  });
}

test('each is marked as a test, and has a number of its own', () => {
  const compose = createComposer({ ...PLAN, size: 2_000 });
  const texts = Array.from({ length: 1_200 }, () => latin1(joinOctets(compose())));
  assert.is(new Set(texts).size, texts.length);
  texts.forEach((text, i) => {
    const number = String(i + 1).padStart(9, '0');
    assert.match(text, `Message-ID: <r0.${number}@me.example>\r\n`);
    assert.match(text, `X-Ehlowire-Measure: run r0, message ${number}\r\n`);
    assert.match(text, /^Subject: Test message/m);
    assert.match(text, /^Auto-Submitted: auto-generated\r$/m);
  });
});

test('a message that waits to be sent is not changed by the next one', () => {
  const compose = createComposer({ ...PLAN, size: 600 });
  const first = compose();
  const before = latin1(joinOctets(first));
  for (let i = 0; i < 5_000; i += 1) compose();
  assert.is(latin1(joinOctets(first)), before);
});

for (const [name, more, want] of [
  ['the null sender writes as postmaster', {}, /^From: <postmaster@me\.example>\r$/m],
  ['another sender as itself', { from: 'x@y.example' }, /^From: <x@y\.example>\r$/m],
  ['one recipient is named', {}, /^To: <a@b\.example>\r$/m],
  ['several are not', { recipients: ['a@b.example', 'c@d.example'] }, /^To: undisclosed-recipients:;\r$/m],
  ['a run that looks like a number', { run: '000000000' }, /run 000000000, message 000000001\r$/m],
] as const) {
  test(name, () => assert.match(latin1(joinOctets(createComposer({ ...PLAN, ...more, size: 1 })())), want));
}

test.run();
