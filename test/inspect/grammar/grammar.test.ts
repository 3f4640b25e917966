// One line at a time: commands and reply lines, as tolerantly as real peers read them.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCommand, parseReplyLine } from '../../../inspect/grammar/grammar';
import { octets } from '../smtp/transcript';

const COMMANDS: readonly [line: string, verb: string, argument: string, anomaly?: string][] = [
  ['EHLO mx.example', 'EHLO', 'mx.example'],
  ['ehlo mx.example', 'EHLO', 'mx.example'],
  ['EHLO', 'EHLO', '', 'bad-syntax'],
  ['MAIL FROM:<a@b> SIZE=10', 'MAIL', 'FROM:<a@b> SIZE=10'],
  ['mail from: <a@b>', 'MAIL', 'from: <a@b>'],
  ['MAIL <a@b>', 'MAIL', '(5 octets, printable)', 'bad-syntax'],
  ['RCPT TO:<a@b>', 'RCPT', 'TO:<a@b>'],
  ['RCPT  TO:<a@b>  ', 'RCPT', 'TO:<a@b>'],
  ['DATA', 'DATA', ''],
  ['DATA ', 'DATA', ''],
  ['DATAX', '?', '', 'unknown-command'],
  ['NOOP\tx', 'NOOP', '(1 octet, printable)'],
  ['AUTH PLAIN AGEAYg==', 'AUTH', 'PLAIN'],
  ['AUTH', 'AUTH', ''],
  ['constructor x', '?', '', 'unknown-command'],
  ['XXXX vm', '?', '', 'masked'],
  ['XXXXXXXX', '?', '', 'masked'],
  ['XXX', '?', '', 'unknown-command'],
  ['', '?', '', 'unknown-command'],
  ['GET / HTTP/1.1', '?', '', 'http'],
  ['PROXY TCP4 192.0.2.1 192.0.2.2 1 25', '?', '', 'proxy-header'],
  ['HELO \x1b[2J', 'HELO', '(4 octets, binary)'],
  ['BDAT x', 'BDAT', '(1 octet, printable)', 'bad-syntax'],
  ['BDAT 99999999999999999999', 'BDAT', '(20 octets, base64-like)', 'bad-syntax'],
];

for (const [line, verb, argument, anomaly] of COMMANDS) {
  test(`command ${JSON.stringify(line)}`, () => {
    const command = parseCommand(octets(line));
    assert.equal([command.verb, command.argument, command.anomaly], [verb, argument, anomaly]);
  });
}

const SIZES: readonly [line: string, want: { chunk?: number; last?: true; blob?: number }][] = [
  ['BDAT 0 LAST', { chunk: 0, last: true }],
  ['bdat 86 last', { chunk: 86, last: true }],
  ['BDAT 123', { chunk: 123 }],
  ['BDAT 1 LAST x', {}],
  ['BDAT -1', {}],
  ['BURL imap://u@mail.example/1;urlauth=x', {}],
  ['BURL imap://u@mail.example/1;urlauth=x LAST', { last: true }],
  ['XEXCH50 60 2', { blob: 60 }],
  ['xexch50 60', { blob: 60 }],
  ['XEXCH50 60x', {}],
];

for (const [line, want] of SIZES) {
  test(`octets behind ${line}`, () => {
    const { chunk, last, blob } = parseCommand(octets(line));
    const said = { ...(chunk !== undefined && { chunk }), ...(last && { last }) };
    assert.equal({ ...said, ...(blob !== undefined && { blob }) }, want);
  });
}

const REPLIES: readonly [line: string, want: ReturnType<typeof parseReplyLine>][] = [
  ['220 mx ESMTP', { code: 220, more: false, wellFormed: true, text: octets('mx ESMTP') }],
  ['250-SIZE 10', { code: 250, more: true, wellFormed: true, text: octets('SIZE 10') }],
  ['250', { code: 250, more: false, wellFormed: true, text: octets('') }],
  ['550 5.1.1 who', { code: 550, more: false, wellFormed: true, enhanced: '5.1.1', text: octets('who') }],
  ['250 2.1.0', { code: 250, more: false, wellFormed: true, enhanced: '2.1.0', text: octets('') }],
  // RFC 2034 §4: the class must be that of the code.
  ['250 5.1.1 odd', { code: 250, more: false, wellFormed: true, text: octets('5.1.1 odd') }],
  ['250 2.0.0x', { code: 250, more: false, wellFormed: true, text: octets('2.0.0x') }],
  ['220mx', { code: 220, more: false, wellFormed: false, text: octets('mx') }],
  ['220\tmx', { code: 220, more: false, wellFormed: false, text: octets('\tmx') }],
  ['220 \x07', { code: 220, more: false, wellFormed: true, text: octets('\x07') }],
  ['22 mx', undefined],
  ['620 mx', undefined],
  [' 220 mx', undefined],
  ['', undefined],
];

for (const [line, want] of REPLIES) {
  test(`reply ${JSON.stringify(line)}`, () => assert.equal(parseReplyLine(octets(line)), want));
}

test('property: any octets are read without a throw, and what comes out is printable', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.match(parseCommand(bytes).argument, /^[\x20-\x7e…]*$/);
      parseReplyLine(bytes);
    }),
  );
});

test.run();
