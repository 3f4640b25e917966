// Greetings whose content is wrong: stray lines, odd octets, lengths, names and codes.

import type { GreetingRow } from './greeting.table';

const LONG = 'x'.repeat(9_000);

export const WORDS: readonly GreetingRow[] = [
  { name: 'masked', bytes: '220 *********20*2**0\r\n', class: 'malformed', defects: ['masked'] },
  { name: 'masked to zeros', bytes: '220 2 0 2 0\r\n', class: 'malformed', defects: ['masked'] },

  {
    name: 'mixed codes: the last one counts',
    bytes: '220-mx.example.com ESMTP\r\n554 go away\r\n',
    class: 'malformed',
    defects: ['mixed-codes', 'refusal'],
  },
  {
    name: 'mixed codes, neither greeting nor refusal',
    bytes: '220-mx.example.com ESMTP\r\n250 ready\r\n',
    class: 'malformed',
    defects: ['mixed-codes', 'wrong-code'],
  },

  {
    name: 'leading blank line',
    bytes: '\r\n220 mx.example.com ESMTP\r\n',
    class: 'malformed',
    defects: ['leading-blank'],
    repaired: '220 mx.example.com ESMTP\r\n',
  },
  {
    name: 'leading bare LF and blanks',
    bytes: '\n \r\n220 mx.example.com ESMTP\r\n',
    class: 'malformed',
    defects: ['leading-blank', 'bare-lf'],
    repaired: '220 mx.example.com ESMTP\r\n',
  },
  {
    name: 'leading space',
    bytes: ' 220 mx.example.com ESMTP\r\n',
    class: 'malformed',
    defects: ['leading-blank'],
    repaired: '220 mx.example.com ESMTP\r\n',
  },
  {
    name: 'leading blank line, then truncated',
    bytes: '\r\n220-mx.example.com\r\n',
    class: 'truncated',
    defects: ['leading-blank', 'truncated'],
    repaired: '220-mx.example.com\r\n220 mx.example.com ESMTP\r\n',
    sameLength: '\r\n220 mx.example.com\r\n',
  },
  {
    name: 'leading junk line',
    bytes: 'connecting\r\n220 mx.example.com ESMTP\r\n',
    class: 'malformed',
    defects: ['leading-junk'],
    repaired: '220 mx.example.com ESMTP\r\n',
  },
  {
    name: 'leading junk line that ends in a bare CR',
    bytes: 'connecting\r220 mx.example.com ESMTP\r\n',
    class: 'malformed',
    defects: ['leading-junk', 'bare-cr'],
    repaired: '220 mx.example.com ESMTP\r\n',
  },
  {
    name: 'leading byte order mark',
    bytes: '\xef\xbb\xbf220 mx.example.com ESMTP\r\n',
    class: 'malformed',
    defects: ['leading-junk', 'eight-bit'],
    repaired: '220 mx.example.com ESMTP\r\n',
  },
  {
    name: 'leading NUL',
    bytes: '\x00220 mx.example.com ESMTP\r\n',
    class: 'malformed',
    defects: ['leading-junk', 'nul'],
    repaired: '220 mx.example.com ESMTP\r\n',
  },
  {
    name: 'junk and nothing else: perhaps no SMTP server',
    bytes: 'SSH-2.0-OpenSSH_9.2\r\n',
    class: 'malformed',
    defects: ['leading-junk'],
  },
  {
    name: 'a code of four digits is none',
    bytes: '2200 mx.example.com\r\n',
    class: 'malformed',
    defects: ['leading-junk'],
  },
  {
    name: 'inner blank line',
    bytes: '220-mx.example.com ESMTP\r\n\r\n220 ready\r\n',
    class: 'malformed',
    defects: ['inner-junk'],
    repaired: '220-mx.example.com ESMTP\r\n220 ready\r\n',
  },
  {
    name: 'inner junk line',
    bytes: '220-mx.example.com ESMTP\r\nno spam\r\n220 ready\r\n',
    class: 'malformed',
    defects: ['inner-junk'],
    repaired: '220-mx.example.com ESMTP\r\n220 ready\r\n',
  },
  {
    name: 'inner space before a code',
    bytes: '220-mx.example.com ESMTP\r\n 220 ready\r\n',
    class: 'malformed',
    defects: ['inner-junk'],
    repaired: '220-mx.example.com ESMTP\r\n220 ready\r\n',
  },
  {
    name: 'inner junk instead of an end',
    bytes: '220-mx.example.com ESMTP\r\nready\r\n',
    class: 'truncated',
    defects: ['inner-junk', 'truncated'],
    repaired: '220-mx.example.com ESMTP\r\n220 mx.example.com ESMTP\r\n',
  },

  {
    name: '8-bit in the text: all clients accept it',
    bytes: '220 mx.example.com caf\xc3\xa9 \xe9\r\n',
    class: 'malformed',
    defects: ['eight-bit'],
  },
  {
    name: 'NUL in the text: all clients accept it',
    bytes: '220 mx.example.com ES\0MTP\0\r\n',
    class: 'malformed',
    defects: ['nul'],
  },
  {
    name: 'NUL within the CRLF: all clients accept it',
    bytes: '220 mx.example.com ESMTP\r\0\n',
    class: 'malformed',
    defects: ['bare-lf', 'bare-cr', 'nul'],
  },

  {
    name: 'line of 512 octets',
    bytes: `220 mx.example.com ${'x'.repeat(491)}\r\n`,
    class: 'wellformed',
    defects: [],
  },
  {
    name: 'line of 513 octets',
    bytes: `220 mx.example.com ${'x'.repeat(492)}\r\n`,
    class: 'malformed',
    defects: ['over-long'],
  },
  {
    name: 'line of 8192 octets: smtplib still reads it',
    bytes: `220 mx.example.com ${'x'.repeat(8_171)}\r\n`,
    class: 'malformed',
    defects: ['over-long'],
  },
  {
    name: 'line beyond 8192 octets: cut to what the RFC allows',
    bytes: `220 mx.example.com ${LONG}\r\n`,
    class: 'malformed',
    defects: ['over-long'],
    repaired: `220 mx.example.com ${LONG}`.slice(0, 510) + '\r\n',
  },
  {
    name: 'continuation line beyond 8192 octets',
    bytes: `220-mx.example.com ${LONG}\r\n220 ready\r\n`,
    class: 'malformed',
    defects: ['over-long'],
    repaired: `220-mx.example.com ${LONG}`.slice(0, 510) + '\r\n220 ready\r\n',
  },
  {
    name: 'many lines beyond 8192 octets: all but msmtp accept them',
    bytes: '220-mx.example.com ESMTP and so on\r\n'.repeat(300) + '220 ready\r\n',
    class: 'wellformed',
    defects: [],
  },

  { name: 'no domain', bytes: '220 -- hello there\r\n', class: 'malformed', defects: ['no-domain'] },
  { name: 'ESMTP is no domain', bytes: '220 ESMTP ready\r\n', class: 'malformed', defects: ['no-domain'] },

  { name: 'refusal', bytes: '554 No SMTP service here\r\n', class: 'wellformed', defects: ['refusal'] },
  {
    name: 'refusal for now, two lines',
    bytes: '421-mx.example.com\r\n421 too busy\r\n',
    class: 'wellformed',
    defects: ['refusal'],
  },
  { name: 'wrong code', bytes: '250 mx.example.com\r\n', class: 'malformed', defects: ['wrong-code'] },
];
