// Octets as text: what is escaped, and where a quote is cut.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';

import { escapeText, latin1 } from '../../inspect/text';

const ROWS = [
  { name: 'plain', bytes: [0x61, 0x20, 0x7e], cap: 9, want: 'a ~' },
  { name: 'the named escapes', bytes: [0x0d, 0x0a, 0x09, 0x5c], cap: 9, want: '\\r\\n\\t\\\\' },
  { name: 'controls and 8-bit', bytes: [0x00, 0x1b, 0x7f, 0xff], cap: 99, want: '\\x00\\x1b\\x7f\\xff' },
  { name: 'just the cap', bytes: [0x61, 0x62, 0x63], cap: 3, want: 'abc' },
  { name: 'beyond the cap', bytes: [0x61, 0x62, 0x63, 0x64], cap: 3, want: 'ab…' },
  { name: 'no escape is cut', bytes: [0x61, 0x00, 0x62], cap: 4, want: 'a…' },
  { name: 'no room at all', bytes: [0x61], cap: 0, want: '' },
  { name: 'nothing', bytes: [], cap: 0, want: '' },
];

for (const { name, bytes, cap, want } of ROWS) {
  test(`escape: ${name}`, () => assert.is(escapeText(Uint8Array.from(bytes), cap), want));
}

test('any octets: a quote is printable and within its cap, latin1 loses nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(40), (bytes, cap) => {
      const text = escapeText(bytes, cap);
      assert.ok(text.length <= cap);
      assert.match(text, /^[ -~]*…?$/);
      assert.equal(
        [...latin1(bytes)].map((char) => char.charCodeAt(0)),
        [...bytes],
      );
    }),
  );
});

test('latin1 of more octets than a call takes arguments', () => {
  assert.is(latin1(new Uint8Array(200_000).fill(0x41)), 'A'.repeat(200_000));
});

test.run();
