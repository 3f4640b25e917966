// CRLF . CRLF ends a message, and nothing else does: against a second, naive reading of the rule.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createEndOfData } from '../../../inspect/grammar/end-of-data';
import { CUTS, octets } from '../smtp/transcript';

/** Offset behind the end of data over all pieces, and the look-alikes before it. */
function scan(pieces: readonly Uint8Array[]): { end: number; lookalikes: string[] } {
  const scanner = createEndOfData();
  const lookalikes: string[] = [];
  let offset = 0;
  for (const piece of pieces) {
    const found = scanner.scan(piece, 0);
    lookalikes.push(...found.lookalikes.map(({ form }) => form));
    if (found.end >= 0) return { end: offset + found.end, lookalikes };
    offset += piece.length;
  }
  return { end: -1, lookalikes };
}

const ROWS: readonly { name: string; body: string; end: number; lookalikes?: string[] }[] = [
  { name: 'the proper end', body: 'a\r\n.\r\nb', end: 6 },
  { name: 'at once', body: '.\r\n', end: 3 },
  { name: 'a dot alone on no line', body: 'a.\r\n.b\r\n', end: -1 },
  { name: 'stuffed', body: '..\r\n.\r\n', end: 7 },
  { name: 'LF . LF', body: 'a\n.\nb', end: -1, lookalikes: ['LF . LF'] },
  { name: 'LF . CRLF', body: 'a\n.\r\nb', end: -1, lookalikes: ['LF . CRLF'] },
  { name: 'CR . CR', body: 'a\r.\rb', end: -1, lookalikes: ['CR . CR'] },
  { name: 'CRLF . LF', body: 'a\r\n.\nb', end: -1, lookalikes: ['CRLF . LF'] },
  { name: 'CRLF . CR', body: 'a\r\n.\rb', end: -1, lookalikes: ['CRLF . CR'] },
  { name: 'CR CRLF . CR CRLF', body: 'a\r\r\n.\r\r\nb', end: -1, lookalikes: ['CR CRLF . CR CRLF'] },
  { name: 'CRLF NUL . CRLF', body: 'a\r\n\0.\r\nb', end: -1, lookalikes: ['CRLF NUL . CRLF'] },
  { name: 'CRLF . NUL CRLF', body: 'a\r\n.\0\r\nb', end: -1, lookalikes: ['CRLF . NUL CRLF'] },
  { name: 'LF . SP LF', body: 'a\n. \nb', end: -1, lookalikes: ['LF . SP LF'] },
  { name: 'CR TAB . CR', body: 'a\r\t.\rb', end: -1, lookalikes: ['CR TAB . CR'] },
  { name: 'LF BS . DEL CRLF', body: 'a\n\b.\x7f\r\nb', end: -1, lookalikes: ['LF BS . DEL CRLF'] },
  { name: 'two octets behind the dot are text', body: 'a\r\n.\0\0\r\nb', end: -1 },
  { name: 'octets on both sides of a stuffed dot are text', body: 'a\r\n.. \r\nb', end: -1 },
  {
    name: 'CR . CR . CR: the CR serves twice',
    body: 'a\r.\r.\rb',
    end: -1,
    lookalikes: ['CR . CR', 'CR . CR'],
  },
  { name: 'CRLF . CR dot CRLF', body: 'a\r\n.\r.\r\n', end: -1, lookalikes: ['CRLF . CR', 'CR . CRLF'] },
  {
    name: 'a look-alike, then the end right behind it',
    body: 'a\n.\r\n.\r\n',
    end: 8,
    lookalikes: ['LF . CRLF'],
  },
];

for (const { name, body, end, lookalikes = [] } of ROWS) {
  test(name, () => {
    const bytes = octets(body);
    for (const [cut, by] of Object.entries(CUTS)) assert.equal(scan(by(bytes)), { end, lookalikes }, cut);
    for (let i = 0; i <= bytes.length; i += 1) {
      assert.equal(scan([bytes.subarray(0, i), bytes.subarray(i)]), { end, lookalikes }, `cut at ${i}`);
    }
  });
}

test('property: the end is where CRLF . CRLF first stands, the CRLF of DATA included', () => {
  const part = fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', 'x', '\0', '\r\n.\r\n');
  fc.assert(
    fc.property(fc.array(part), fc.array(fc.nat(30)), (parts, cuts) => {
      const body = parts.join('');
      const bytes = octets(body);
      const found = `\r\n${body}`.indexOf('\r\n.\r\n');
      const ends = [...cuts, bytes.length].sort((a, b) => a - b);
      const pieces = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
      assert.is(scan(pieces).end, found < 0 ? -1 : found + 3);
    }),
    { numRuns: 1000 },
  );
});

test.run();
