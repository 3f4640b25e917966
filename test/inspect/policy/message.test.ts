// A message behind DATA: what is not odd stays as it is, and what is given out ends nowhere but at its end.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createMessageNormalizer } from '../../../inspect/policy/message';
import { latin1 } from '../../../inspect/text';
import { CUTS, octets } from '../smtp/transcript';

/** All that comes out of the pieces of one message, whose last octets are its end. */
function normalize(given: readonly Uint8Array[]): { text: string; oddities: number[]; begun: number[] } {
  const pieces = given.filter(({ length }) => length > 0);
  const normalizer = createMessageNormalizer();
  const begun: number[] = [];
  const parts = pieces.map((piece, i) => {
    const { bytes } = normalizer.take(piece, i === pieces.length - 1);
    begun.push(normalizer.begun());
    return latin1(bytes);
  });
  const { bareLf, bareCr, dotLines } = normalizer.oddities;
  return { text: parts.join(''), oddities: [bareLf, bareCr, dotLines], begun };
}

/** `[bare LF, bare CR, dot lines]` */
const ROWS: readonly (readonly [name: string, body: string, out: string, oddities: number[]])[] = [
  ['nothing odd', 'Subject: a\r\n\r\nb\r\n', 'Subject: a\r\n\r\nb\r\n', [0, 0, 0]],
  ['no octet', '', '', [0, 0, 0]],
  ['a dot that the sender has stuffed', '..\r\n...a\r\n', '..\r\n...a\r\n', [0, 0, 0]],
  ['a dot behind a blank is text', ' .\r\n\t.\r\n', ' .\r\n\t.\r\n', [0, 0, 0]],
  ['a stuffed dot before a blank is text', '.. \r\n', '.. \r\n', [0, 0, 0]],
  ['a dot and more', '.a\r\n', '.a\r\n', [0, 0, 0]],
  ['NUL and 8-bit elsewhere', 'a\0b\xff\r\n', 'a\0b\xff\r\n', [0, 0, 0]],
  ['bare LF', 'a\nb\r\n', 'a\r\nb\r\n', [1, 0, 0]],
  ['bare CR', 'a\rb\r\n', 'a\r\nb\r\n', [0, 1, 0]],
  ['CRs before a CRLF', 'a\r\r\r\nb\r\n', 'a\r\nb\r\n', [0, 2, 0]],
  ['LF . LF', 'a\n.\nb\r\n', 'a\r\n..\r\nb\r\n', [2, 0, 1]],
  ['LF . CRLF', 'a\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n', [1, 0, 1]],
  ['LF . CR', 'a\n.\rb\r\n', 'a\r\n..\r\nb\r\n', [1, 1, 1]],
  ['CR . CR', 'a\r.\rb\r\n', 'a\r\n..\r\nb\r\n', [0, 2, 1]],
  ['CR . LF', 'a\r.\nb\r\n', 'a\r\n..\r\nb\r\n', [1, 1, 1]],
  ['CR . CRLF', 'a\r.\r\nb\r\n', 'a\r\n..\r\nb\r\n', [0, 1, 1]],
  ['CRLF . LF', 'a\r\n.\nb\r\n', 'a\r\n..\r\nb\r\n', [1, 0, 1]],
  ['CRLF . CR', 'a\r\n.\rb\r\n', 'a\r\n..\r\nb\r\n', [0, 1, 1]],
  ['CR CRLF . CR CRLF', 'a\r\r\n.\r\r\nb\r\n', 'a\r\n..\r\nb\r\n', [0, 2, 1]],
  ['CRLF NUL . CRLF', 'a\r\n\0.\r\nb\r\n', 'a\r\n\0..\r\nb\r\n', [0, 0, 1]],
  ['CRLF . NUL CRLF', 'a\r\n.\0\r\nb\r\n', 'a\r\n..\0\r\nb\r\n', [0, 0, 1]],
  ['a line that a server ends at a NUL', 'a\r\n.\0b\r\n', 'a\r\n..\0b\r\n', [0, 0, 1]],
  ['the same behind a bare LF', 'a\n.\0b\r\n', 'a\r\n..\0b\r\n', [1, 0, 1]],
  ['a stuffed dot before a NUL', '..\0\r\n', '..\0\r\n', [0, 0, 0]],
  ['CRLF NUL NUL . NUL CRLF', 'a\r\n\0\0.\0\r\nb\r\n', 'a\r\n\0\0.\0.\r\nb\r\n', [0, 0, 1]],
  ['CRLF . SP CRLF', 'a\r\n. \r\nb\r\n', 'a\r\n. .\r\nb\r\n', [0, 0, 1]],
  ['at the beginning of the message', '.\nb\r\n', '..\r\nb\r\n', [1, 0, 1]],
];

for (const [name, body, out, oddities] of ROWS) {
  test(name, () => {
    const sent = octets(`${body}.\r\n`);
    for (const [cut, by] of Object.entries(CUTS)) {
      const { text, oddities: found } = normalize(by(sent));
      assert.equal([text, found], [`${out}.\r\n`, oddities], cut);
    }
    for (let i = 0; i <= sent.length; i += 1) {
      const { text, oddities: found } = normalize([sent.subarray(0, i), sent.subarray(i)]);
      assert.equal([text, found], [`${out}.\r\n`, oddities], `cut at ${i}`);
    }
  });
}

test('a piece without anything odd is the same value', () => {
  const piece = octets(`${'x'.repeat(76)}\r\n`.repeat(100));
  assert.is(createMessageNormalizer().take(piece, false).bytes, piece);
});

/** What every server reads as the end of a line, and what some do. */
const letters = fc.constantFrom('\r', '\n', '.', 'a', '\0', ' ', '\x1a');
const bodies = fc.array(letters, { maxLength: 40 }).map((all) => all.join(''));

/** Where servers that are as lenient as can be would end a message: line ends of any form, control characters dropped. */
function lenientEnds(text: string): number {
  const lines = text.replace(/[\0\b\v\f\x1a\x7f]/g, '').split(/\r\n|\r|\n/);
  return lines.slice(0, -1).filter((line) => line === '.').length;
}

/** Up to and with the first CRLF . CRLF, as the session ends a message. */
function messageOf(body: string): string {
  const end = `\r\n${body}\r\n.\r\n`.indexOf('\r\n.\r\n');
  return `\r\n${body}\r\n.\r\n`.slice(2, end + 5);
}

test('the most lenient server finds one end, wherever the octets are cut', () =>
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(60), { maxLength: 5 }), (body, cuts) => {
      const sent = octets(messageOf(body));
      const at = [0, ...cuts.filter((cut) => cut < sent.length).sort((a, b) => a - b), sent.length];
      const { text, begun } = normalize(at.slice(1).map((end, i) => sent.subarray(at[i], end)));
      assert.is(lenientEnds(text), 1, JSON.stringify(text));
      assert.ok(text.endsWith('.\r\n'));
      assert.is(normalize([sent]).text, text);
      // It ends where the sender's message ended, and nothing of it is lost but line ends.
      assert.is(text.replace(/[\r\n.]/g, ''), latin1(sent).replace(/[\r\n.]/g, ''));
      for (const each of begun) assert.ok(each >= 0 && each <= 3);
    }),
  ));

test('a message of whole lines, with dots stuffed, is not changed by one octet', () =>
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 30 }), { maxLength: 20 }), (lines) => {
      const text = lines.map((line) => line.replace(/[\r\n]/g, '').replace(/^\./, '..'));
      // A control character beside a dot is what a message may not have.
      const sent = `${text.filter((line) => !/^[\0\b\v\f\x1a\x7f]+\./.test(line)).join('\r\n')}\r\n.\r\n`;
      assert.is(normalize([octets(sent)]).text, sent);
    }),
  ));

test.run();
