// What goes out of a greeting before its end: all that can no longer change, and nothing else.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';

import { createGreetingRepair, type GreetingRepair } from '../../../inspect/greeting/repair';
import { latin1 } from '../../../inspect/text';
import { GREETINGS, HOSTNAME, octets } from './greeting.table';

/** What a repair lets through of these pieces, until the greeting is over. */
function play(repair: GreetingRepair, pieces: readonly string[]): { out: string; over: boolean } {
  let out = '';
  for (const [i, piece] of pieces.entries()) {
    const { octets: sure, rest, state } = repair.take(octets(piece));
    out += latin1(sure) + latin1(rest);
    if (state !== 'open') return { out: out + pieces.slice(i + 1).join(''), over: true };
  }
  return { out, over: false };
}

/** All that the client gets of it, the end included. */
function whole(pieces: readonly string[]): string {
  const repair = createGreetingRepair(HOSTNAME);
  const { out, over } = play(repair, pieces);
  return over ? out : out + latin1(repair.finish().octets);
}

function sharedStart(texts: readonly string[]): string {
  const [first = ''] = texts;
  let length = first.length;
  for (const text of texts) while (!text.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}

const LONG = 'y'.repeat(9_000);

/** What may come next: enough of it that no octet is in all outcomes by chance. */
const FUTURES: readonly string[] = [
  ...['', '\r\n', '\n', '\r', 'x\r\n', ' \r\n', '-\r\n', '0 a\r\n', '20 a\r\n', '220 a\r\n', '220-a\r\n'],
  ...['\r\n220 a\r\n', '\r220 a\r\n', '\n220-b\r\n', '-a\r\n220 b\r\n', '\tx\r\n', '9\r\n', '\x01220 a\r\n'],
  ...[`${LONG}\r\n`, `${LONG}\n`, `${LONG}\n220 a\r\n`, ` ${LONG}\r\n`, `-${LONG}\r\n`, 'x', '\r\nz\r\n'],
  ...['\r\n554 a\r\n', 'x\r\n554 a\r\n', 'x\n332 a\r\n'],
].flatMap((text) => [text, ` ${text}`, `20 ${text}`]);

/** The next line's code may be that of any line before it. */
function futuresOf(text: string): readonly string[] {
  const codes = new Set(text.match(/(?=[2-5]\d\d)\d{3}/g));
  return [...FUTURES, ...[...codes].map((code) => `\r\n${code} a\r\n`)];
}

/** A bare CR and the beginning of a code. */
const UNDECIDED = /\r\d/;

const piece = fc.constantFrom(
  ...['2', '22', '220', '220-', '220 ', '220\t', '554 ', '250-', '-', ' ', '2200', 'mx.example.com', 'x'],
  ...['\r\n', '\r\n', '\n', '\r', '\r', '\0', '\xe9', 'y'.repeat(600), 'y'.repeat(490)],
);
const cuts = fc.array(piece, { maxLength: 7 });

test('any octets, any cut: what went out can no longer change, and what can no longer change went out', () => {
  fc.assert(
    fc.property(cuts, (pieces) => {
      const { out, over } = play(createGreetingRepair(HOSTNAME), pieces);
      if (over) return;
      const outcomes = futuresOf(pieces.join('')).map((future) => whole([...pieces, future]));
      for (const outcome of outcomes) assert.ok(outcome.startsWith(out), JSON.stringify({ out, outcome }));
      // Behind a bare CR another code may stand: then what came before it is sure, and goes out with the end of its line.
      if (!UNDECIDED.test(pieces.join(''))) assert.is(out, sharedStart(outcomes));
    }),
    { numRuns: 150 },
  );
});

for (const { name, bytes } of GREETINGS) {
  test(`octet by octet: ${name}`, () => {
    const pieces = [...bytes];
    const end = whole(pieces);
    const repair = createGreetingRepair(HOSTNAME);
    let out = '';
    for (const octet of pieces) {
      const step = repair.take(octets(octet));
      out += latin1(step.octets);
      assert.ok(end.startsWith(out));
      if (step.state !== 'open') return;
    }
  });
}

test('an honest line: each octet from the fourth on goes out as it comes', () => {
  for (const line of ['220 mx.example.com ESMTP\r\n', '220-mx.example.com\r\n', '554 no\r\n']) {
    const repair = createGreetingRepair(HOSTNAME);
    const out = [...line].map((octet) => latin1(repair.take(octets(octet)).octets));
    assert.equal(out, ['', '', '', line.slice(0, 4), ...line.slice(4)]);
  }
});

test('an endless line keeps its cap and its end', () => {
  const repair = createGreetingRepair(HOSTNAME);
  repair.take(octets('220-mx.example.com '));
  for (let i = 0; i < 5_000; i += 1) repair.take(octets('xyz'));
  assert.ok(repair.reader.partial.length < 9_000);
  for (const octet of '\r22') assert.is(repair.take(octets(octet)).octets.length, 0);
  assert.is(latin1(repair.take(octets('0 ready')).octets), '\r\n220 ready');
});

test.run();
