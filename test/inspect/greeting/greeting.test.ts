// Every greeting of the table through judge and repairs, and what must hold for any octets.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';

import type { GreetingDefect } from '../../../inspect/events';
import { isForeignServer } from '../../../inspect/greeting/foreign';
import { repairInPlace } from '../../../inspect/greeting/in-place';
import { judgeGreeting } from '../../../inspect/greeting/reader';
import { latin1 } from '../../../inspect/text';
import { GREETINGS, HOSTNAME, octets, repairGreeting } from './greeting.table';

for (const row of GREETINGS) {
  test(`judge: ${row.name}`, () => {
    const judgement = judgeGreeting(octets(row.bytes));
    assert.equal(
      { class: judgement.class, defects: judgement.defects },
      { class: row.class, defects: row.defects },
    );
  });

  test(`repair: ${row.name}`, () => {
    const bytes = octets(row.bytes);
    const { bytes: out, repaired } = repairGreeting(bytes, HOSTNAME);
    assert.is(latin1(out), row.repaired ?? row.bytes);
    assert.is(repaired.length > 0, row.repaired !== undefined);
    if (row.repaired === undefined) assert.is(out, bytes, 'the very same array');
    assert.is(repairGreeting(out, HOSTNAME).bytes, out, 'idempotent');
  });

  test(`repair in place: ${row.name}`, () => {
    const bytes = octets(row.bytes);
    const out = repairInPlace(bytes);
    assert.is(latin1(out), row.sameLength ?? row.bytes);
    assert.is(latin1(bytes), row.bytes, 'the input is left alone');
    assert.is(repairInPlace(out), out, 'idempotent');
  });
}

test('every defect has a row', () => {
  // A record, so that a new defect does not compile until it is listed here.
  const seen: Record<GreetingDefect, boolean> = {
    truncated: false,
    'no-terminator': false,
    'no-separator': false,
    'tab-separator': false,
    'empty-text': false,
    masked: false,
    'bare-lf': false,
    'bare-cr': false,
    'mixed-codes': false,
    'leading-blank': false,
    'leading-junk': false,
    'inner-junk': false,
    'eight-bit': false,
    nul: false,
    'over-long': false,
    'no-domain': false,
    refusal: false,
    'wrong-code': false,
    empty: false,
  };
  for (const row of GREETINGS) for (const defect of row.defects) seen[defect] = true;
  assert.equal(
    Object.entries(seen).filter(([, met]) => !met),
    [],
  );
});

const FACTS = [
  {
    bytes: '220-mx.example.com ESMTP\r\n220 ok\r\n',
    code: 220,
    complete: true,
    lines: 2,
    host: 'mx.example.com',
    esmtp: true,
  },
  {
    bytes: '220-a.example\r\n554 no\r\n',
    code: 554,
    complete: true,
    lines: 2,
    host: 'a.example',
    esmtp: false,
  },
  {
    bytes: '220 [IPv6:2001:db8::1] smtp\r\n',
    code: 220,
    complete: true,
    lines: 1,
    host: '[IPv6:2001:db8::1]',
    esmtp: false,
  },
  {
    bytes: '220-one.example\r\n220 tw',
    code: 220,
    complete: false,
    lines: 2,
    host: 'one.example',
    esmtp: false,
  },
] as const;

for (const { bytes, ...want } of FACTS) {
  test(`facts of ${JSON.stringify(bytes)}`, () => {
    const { code, complete, lines, host, esmtp } = judgeGreeting(octets(bytes));
    assert.equal({ code, complete, lines, host, esmtp }, want);
  });
}

test('a judgement of no reply line has neither code nor host', () => {
  const judgement = judgeGreeting(octets('hello\r\n'));
  assert.not('code' in judgement);
  assert.not('host' in judgement);
});

/** Octets that look like greetings often enough to matter. */
const piece = fc.constantFrom(
  ...[
    '220',
    '220-',
    '220 ',
    '220\t',
    '554-',
    '554 ',
    '250 ',
    '22',
    '2200',
    'mx.example.com',
    'ESMTP',
    'x',
    ' ',
    '*',
  ],
  ...['\r\n', '\r\n', '\n', '\r', '\0', '\xe9', '\t', '-', '.', 'y'.repeat(600), 'z'.repeat(8_190)],
);
const greetingLike = fc.array(piece, { maxLength: 14 }).map((pieces) => octets(pieces.join('')));
const anyOctets = fc.oneof({ weight: 4, arbitrary: greetingLike }, { weight: 1, arbitrary: fc.uint8Array() });
const RUNS = { numRuns: 3_000 };

test('any octets: repair is idempotent, tells of every change, and names only defects that were there', () => {
  fc.assert(
    fc.property(anyOctets, (bytes) => {
      const once = repairGreeting(bytes, HOSTNAME);
      assert.is(repairGreeting(once.bytes, HOSTNAME).bytes, once.bytes);
      assert.is(once.repaired.length > 0, latin1(once.bytes) !== latin1(bytes));
      const { defects } = judgeGreeting(bytes);
      for (const defect of once.repaired)
        assert.ok(defects.includes(defect), `${defect} of ${defects.join()}`);
    }),
    RUNS,
  );
});

test('any octets: repaired, a greeting with a code is complete and never masked or empty by our doing', () => {
  fc.assert(
    fc.property(anyOctets, (bytes) => {
      const before = judgeGreeting(bytes);
      const after = judgeGreeting(repairGreeting(bytes, HOSTNAME).bytes);
      // `CR LF NUL NUL LF` begins MySQL's handshake: another protocol's greeting stays as it is, whatever follows.
      if (before.lines === 0 || isForeignServer(bytes)) return;
      assert.ok(after.complete);
      assert.not.ok(after.defects.includes('truncated'));
      for (const defect of ['masked', 'empty-text'] as const) {
        if (after.defects.includes(defect)) assert.ok(before.defects.includes(defect), defect);
      }
    }),
    { ...RUNS, examples: [[Uint8Array.of(13, 10, 0, 0, 10, 50, 50, 48)]] },
  );
});

test('any octets: a repair in place keeps the length, is idempotent, and changes only separators', () => {
  fc.assert(
    fc.property(anyOctets, (bytes) => {
      const once = repairInPlace(bytes);
      assert.is(once.length, bytes.length);
      assert.is(repairInPlace(once), once);
      once.forEach((octet, i) => {
        if (octet !== bytes[i]) assert.match(latin1(bytes.subarray(i - 3, i + 1)), /^220[-\t]$/);
      });
    }),
    RUNS,
  );
});

test('any wellformed greeting passes as the very same array', () => {
  const text = fc.stringMatching(/^[!-~][ -~]{0,60}$/);
  const greeting = fc
    .tuple(fc.constantFrom('220', '421', '554'), fc.array(text, { maxLength: 5 }), text)
    .map(([code, texts, last]) =>
      octets([...texts.map((t) => `${code}-${t}\r\n`), `${code} ${last}\r\n`].join('')),
    );
  fc.assert(
    fc.property(greeting, (bytes) => {
      assert.is(repairGreeting(bytes, HOSTNAME).bytes, bytes);
      assert.is(repairInPlace(bytes), bytes);
      assert.not.ok(judgeGreeting(bytes).defects.includes('truncated'));
    }),
  );
});

test.run();
