// The framer: every terminator kept, spans contiguous, cuts of the stream invisible.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFramer, type Line, splitLines } from '../../../inspect/grammar/lines';
import { latin1 } from '../../../inspect/text';
import { CUTS, octets } from '../smtp/transcript';

const CAP = 8;

/** Lines as `text|terminator`, `…` behind a cut one. */
function frame(pieces: readonly Uint8Array[]): { told: string[]; lines: Line[] } {
  const framer = createFramer(CAP);
  const lines: Line[] = [];
  let position = 0;
  for (const piece of pieces) {
    for (let from = 0; from < piece.length;) {
      const { next, line } = framer.take(piece, from, position, 0);
      position += next - from;
      from = next;
      if (line) lines.push(line);
    }
  }
  const rest = framer.flush();
  if (rest) lines.push(rest);
  return {
    told: lines.map(({ bytes, terminator, cut }) => `${latin1(bytes)}${cut ? '…' : ''}|${terminator}`),
    lines,
  };
}

const ROWS: readonly { name: string; input: string; want: string[] }[] = [
  { name: 'CRLF', input: 'a\r\nb\r\n', want: ['a|crlf', 'b|crlf'] },
  { name: 'bare LF', input: 'a\nb\r\n', want: ['a|lf', 'b|crlf'] },
  { name: 'a bare CR ends no line', input: 'a\rb\r\n', want: ['a\rb|crlf'] },
  { name: 'CR CRLF', input: 'a\r\r\n', want: ['a\r|crlf'] },
  { name: 'no terminator', input: 'a\r\nb', want: ['a|crlf', 'b|none'] },
  { name: 'a CR at the end', input: 'a\r', want: ['a\r|none'] },
  { name: 'empty lines', input: '\r\n\n', want: ['|crlf', '|lf'] },
  { name: 'just the cap', input: '12345678\r\n', want: ['12345678|crlf'] },
  {
    name: 'beyond the cap: cut, and the next line is whole',
    input: '123456789\r\nb\n',
    want: ['12345678…|crlf', 'b|lf'],
  },
  { name: 'far beyond the cap', input: `${'x'.repeat(99)}\nb\r\n`, want: ['xxxxxxxx…|lf', 'b|crlf'] },
];

for (const { name, input, want } of ROWS) {
  test(name, () => {
    for (const [cut, by] of Object.entries(CUTS)) assert.equal(frame(by(octets(input))).told, want, cut);
    for (let i = 0; i <= input.length; i += 1) {
      assert.equal(frame([octets(input.slice(0, i)), octets(input.slice(i))]).told, want, `cut at ${i}`);
    }
  });
}

test('property: spans are contiguous and cover the stream, however it is cut', () => {
  const piece = fc
    .array(fc.constantFrom('a', '\r', '\n', '\r\n', 'xxxxxxxxxx'))
    .map((parts) => octets(parts.join('')));
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const all = pieces.map((bytes) => latin1(bytes)).join('');
      const { lines } = frame(pieces);
      const ends = lines.map(({ span }) => span.end);
      assert.equal(
        lines.map(({ span }) => span.start),
        [0, ...ends].slice(0, lines.length),
      );
      assert.is(ends[ends.length - 1] ?? 0, all.length);
      assert.equal(frame([octets(all)]).told, frame(pieces).told);
    }),
  );
});

test('splitLines names every terminator, a bare CR among them', () => {
  const told = splitLines(octets('a\r\nb\nc\rd\r\r\ne')).map(
    ({ bytes, terminator }) => `${latin1(bytes)}|${terminator}`,
  );
  assert.equal(told, ['a|crlf', 'b|lf', 'c|cr', 'd|cr', '|crlf', 'e|none']);
});

test.run();
