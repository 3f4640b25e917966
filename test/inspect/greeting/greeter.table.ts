// Dialogues of greetings that the server ends: what passes, what waits, what is repaired, what is learned.

import { COMPLETED } from './greeter-completed.table';
import { LATE } from './greeter-late.table';
import {
  A,
  Z,
  client,
  due,
  end,
  idle,
  know,
  leave,
  server,
  teaser,
  TRUNCATED,
  WELLFORMED,
} from './greeter-steps';
import type { Dialogue } from './greeter-steps';

export type { Step } from './greeter-steps';

const NATIVE: readonly Dialogue[] = [
  {
    name: 'a whole greeting passes and teaches once',
    steps: [
      due(server(1, Z, `> ${Z}`, 'ended wellformed observe'), 'never'),
      server(2, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'a whole greeting of a known server says so again',
    known: WELLFORMED,
    steps: [server(1, Z, `> ${Z}`, 'ended wellformed observe')],
  },
  {
    name: 'what stands behind the greeting goes with it',
    known: WELLFORMED,
    steps: [
      server(1, `${A}${Z}250-x\r\n25`, `> ${A}${Z}250-x\r\n25`, 'ended wellformed observe'),
      server(1, '0 y\r\n', '> 0 y\r\n'),
    ],
  },
  {
    name: 'rule 3: an honest continuation line passes at once, the rest when it comes',
    steps: [
      due(server(1, A, `> ${A}`), 21),
      idle(3),
      due(server(7, Z, `> ${Z}`, 'ended teaser observe'), 'never'),
    ],
  },
  {
    name: 'rule 1: teasers of 6 s and of 15 s are not completed',
    steps: [
      server(1, A, `> ${A}`),
      idle(6.9),
      due(server(7, '220-wait\r\n', '> 220-wait\r\n'), 27),
      idle(21),
      server(22, Z, `> ${Z}`, 'ended teaser observe'),
    ],
  },
  {
    name: 'lines within half a second of each other are no teaser',
    steps: [server(1, A, `> ${A}`), server(1.4, Z, `> ${Z}`, 'ended wellformed observe')],
  },
  {
    name: 'a line that dribbles in is decided by its fourth octet, and passes as it comes',
    steps: [
      due(server(1, '220'), 21),
      server(1.1, ' ', '> 220 '),
      server(1.2, 'mx.example.com', '> mx.example.com'),
      due(server(1.3, '\r', '> \r'), 21.3),
      server(1.4, '\n', '> \n', 'ended wellformed observe'),
    ],
  },
  {
    name: 'a continuation line that dribbles in passes as it comes',
    known: WELLFORMED,
    steps: [
      server(1, '220-m', '> 220-m'),
      server(1.1, 'x.example.com\r', '> x.example.com\r'),
      server(1.2, '\n22', '> \n'),
      server(1.3, '0'),
      server(1.4, ' ready\r\n', '> 220 ready\r\n', 'ended wellformed observe'),
    ],
  },
  {
    name: 'a code behind a CR may be the next line, so it waits for its separator',
    known: WELLFORMED,
    steps: [
      server(1, '220-\r2', '> 220-\r'),
      server(1.1, '2'),
      server(1.2, '0x', '> 220x'),
      server(1.3, `\r\n${Z}`, `> \r\n${Z}`, 'ended malformed observe'),
    ],
  },
  {
    name: 'a long line passes up to what is left of it if it has to be cut, and the rest with its end',
    steps: [
      server(
        1,
        `220 mx.example.com ${'x'.repeat(800)}`,
        `> ${`220 mx.example.com ${'x'.repeat(800)}`.slice(0, 510)}`,
      ),
      server(2, '\r\n', `> ${'x'.repeat(19 + 800 - 510)}\r\n`, 'ended malformed observe'),
    ],
  },
  {
    name: 'the beginning of a line that had passed before the client spoke is no answer',
    steps: [
      server(1, `${A}250 o`, `> ${A}250 o`),
      client(2, 'EHLO me\r\n'),
      server(3, 'k\r\n', '> k\r\n', 'doubt'),
    ],
  },
  {
    name: 'a known teaser that does not tease',
    known: teaser(15),
    steps: [server(1, Z, `> ${Z}`, 'ended wellformed observe')],
  },
  {
    name: 'a known teaser that takes longer',
    known: teaser(6),
    steps: [server(1, A, `> ${A}`), server(16, Z, `> ${Z}`, 'ended teaser observe')],
  },
  {
    name: 'a known teaser that takes as long as ever',
    known: teaser(15),
    steps: [server(1, A, `> ${A}`), server(14, Z, `> ${Z}`, 'ended teaser observe')],
  },
  {
    name: 'a repaired server: its greeting is whole again',
    known: TRUNCATED,
    steps: [server(1, `${A}${Z}`, `> ${A}${Z}`, 'ended wellformed observe')],
  },
  {
    name: 'a refusal passes and teaches nothing',
    known: TRUNCATED,
    steps: [server(1, '554 go away\r\n', '> 554 go away\r\n')],
  },
  {
    name: 'a refusal behind a teaser passes and teaches nothing: a truncated server that waited long enough refuses, too',
    steps: [server(1, A, `> ${A}`), server(3, '521 no\r\n', '> 521 no\r\n')],
  },
  {
    name: 'a defect that stalls nobody passes, and is learned',
    steps: [server(1, '220 hello there, \xe9\r\n', '> 220 hello there, \xe9\r\n', 'ended malformed observe')],
  },
  {
    name: 'a silent server is waited for, and not spoken for',
    steps: [due(idle(300), 'never')],
    done: false,
  },
  { name: 'a server that closes without a word', steps: [end(5)] },
];

const MENDED: readonly Dialogue[] = [
  {
    name: 'no separator: repaired at once, watched, and answered',
    steps: [
      server(
        1,
        '220mx.example.com\r\n',
        '> 220 mx.example.com\r\n',
        'repair no-separator',
        'ended malformed relay',
      ),
      client(2, 'EHLO me\r\n'),
      server(2, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'no separator, and it goes on later: swallowed, replies in step',
    steps: [
      server(1, '220hello\r\n', '> 220 hello\r\n', 'repair no-separator', 'ended malformed relay'),
      server(1.1, Z),
      server(2, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'TAB: repaired at once, and could be repaired in place',
    steps: [
      server(
        1,
        '220\tmx.example.com\r\n',
        '> 220 mx.example.com\r\n',
        'repair tab-separator',
        'ended malformed repair',
      ),
    ],
    done: false,
  },
  {
    name: 'a code alone gets a text',
    steps: [
      server(1, '220\r\n', '> 220 shim.example.net ESMTP\r\n', 'repair empty-text', 'ended malformed relay'),
    ],
    done: false,
  },
  {
    name: 'a bare CR between lines is repaired when the next line has begun',
    steps: [
      server(1, '220-mx.example.com\r', '> 220-mx.example.com\r'),
      server(1.1, '220 r', '> \n220 r', 'repair bare-cr'),
      server(1.2, 'eady\r\n', '> eady\r\n', 'ended malformed relay'),
    ],
  },
  {
    name: 'leading blank line and junk are held, then dropped',
    steps: [
      due(server(1, '\r\nconnecting\r\n'), 4),
      server(2, Z, `> ${Z}`, 'repair leading-blank', 'repair leading-junk', 'ended malformed relay'),
    ],
  },
  {
    name: 'inner junk is dropped, and told once',
    steps: [
      server(1, `${A}junk\r\n`, `> ${A}`, 'repair inner-junk'),
      server(1.1, `\r\n${Z}`, `> ${Z}`, 'ended malformed relay'),
    ],
  },
  {
    name: 'junk that stays alone passes as it is in the end, and teaches nothing',
    steps: [due(server(1, 'hello\r\n'), 4), idle(3.9), idle(4, '> hello\r\n'), server(5, 'more', '> more')],
  },
  {
    name: 'junk and the end: it passes as it is',
    steps: [server(1, 'hello\r\n+'), end(2, '> hello\r\n+')],
  },
  {
    name: 'junk beyond the cap passes as it is',
    steps: [server(1, 'y'.repeat(1024)), server(1, 'z', `> ${'y'.repeat(1024)}z`)],
  },
  {
    name: 'a client that speaks first to something that is no SMTP server',
    steps: [client(1, 'GET / HTTP/1.1\r\n\r\n'), server(1, 'HTTP/1.1 200 OK\r\n', '> HTTP/1.1 200 OK\r\n')],
  },
  {
    name: 'a stray line and a greeting that has begun, and a client that spoke first: a greeting all the same',
    steps: [
      client(1, 'EHLO me\r\n'),
      server(1, 'connecting\r\n220 r', '> 220 r'),
      server(2, 'eady\r\n', '> eady\r\n', 'repair leading-junk', 'doubt'),
    ],
  },
];

/** Servers of other protocols, by their first octets. */
const OTHERS: Readonly<Record<string, string>> = {
  'a TLS hello': '\x16\x03\x03\0\x7a\x02\0\0',
  'a TLS alert': '\x15\x03\x03\0\x02\x02\x28',
  SSH: 'SSH-2.0-OpenSSH_9.2\r\n',
  IMAP: '* OK [CAPABILITY IMAP4rev1] ready\r\n',
  POP3: '+OK ready\r\n',
  HTTP: 'HTTP/1.1 400 Bad Request\r\n',
  VNC: 'RFB 003.008\n',
  telnet: '\xff\xfd\x18\xff\xfd\x20',
  rsync: '@RSYNCD: 31.0\n',
  MySQL: 'J\0\0\0\n8.0.36\0',
  'MySQL, and its length is no character': '\x9a\0\0\0\n5.7.44\0',
  'a binary protocol': 'abc\0\x01',
};

const FOREIGN: readonly Dialogue[] = [
  ...Object.entries(OTHERS).map(([name, text]): Dialogue => ({
    name: `another protocol passes at once: ${name}`,
    steps: [server(1, text, `> ${text}`), server(1, 'more', '> more')],
  })),
  ...['\x16\x03\x01', '\x15\x03\x01', '\x80\x2e\x01', '\0\0\0\x08'].map((text): Dialogue => ({
    name: `a client that speaks another protocol first: what the server answers passes, ${text.length} octets`,
    mode: 'now',
    steps: [client(1, text), server(1, 'N', '> N'), server(2, '220-x', '> 220-x')],
  })),
  {
    name: 'a client that speaks first, and an answer of one octet that begins no code',
    steps: [client(1, 'hello'), server(1, 'N', '> N')],
  },
  {
    name: 'a client that speaks TLS into a greeting that has begun: what was held passes',
    steps: [server(1, `${A}22`, `> ${A}`), client(2, '\x16\x03\x01', '> 22'), server(3, 'x', '> x')],
  },
];

const LEFT: readonly Dialogue[] = [
  ...(['learn', 'now'] as const).map((mode): Dialogue => ({
    name: `a client that left before the greeting: nothing is completed, mode ${mode}`,
    mode,
    known: TRUNCATED,
    steps: [leave(0.5), server(1, A, `> ${A}`), idle(60), end(61)],
  })),
  {
    name: 'a health check that leaves during a teaser causes no repair, whatever the server does',
    steps: [server(1, A, `> ${A}`), leave(2), know(3, TRUNCATED), idle(30), end(31)],
  },
  {
    name: 'a client that left within a line that was held has it as it came',
    steps: [server(1, `${A}junk\r\n22`, `> ${A}`, 'repair inner-junk'), leave(2, '> 22'), end(3)],
  },
  {
    name: 'a client that leaves, mode never: it has it all',
    mode: 'never',
    steps: [server(1, '220-m', '> 220-m'), leave(2), server(3, 'x', '> x'), end(4)],
  },
  {
    name: 'a client that leaves after we completed its greeting: a late line is swallowed all the same',
    known: TRUNCATED,
    steps: [
      server(1, A, `> ${A}${Z}`, 'repair truncated'),
      leave(2),
      server(3, `${Z}221 bye\r\n`, '> 221 bye\r\n', 'ended teaser observe'),
    ],
  },
];

const NEVER: readonly Dialogue[] = [
  {
    name: 'mode never: every octet at once, half lines too; patience only teaches',
    mode: 'never',
    steps: [
      server(1, '220-mx.exam', '> 220-mx.exam'),
      due(server(1.1, 'ple.com\r\n', '> ple.com\r\n'), 21.1),
      due(idle(21.1, 'stalled truncated repair'), 'never'),
      idle(60),
      server(61, Z, `> ${Z}`, 'ended teaser observe'),
    ],
  },
  {
    name: 'mode never: known truncated is left as it is',
    mode: 'never',
    known: TRUNCATED,
    steps: [server(1, A, `> ${A}`), know(2, TRUNCATED), end(3)],
  },
  {
    name: 'mode never: defects pass and are learned, with what they would need',
    mode: 'never',
    steps: [server(1, '\r\n220mx.example.com\r\n', '> \r\n220mx.example.com\r\n', 'ended malformed relay')],
  },
  {
    name: 'mode never: what an impatient client provokes teaches nothing',
    mode: 'never',
    steps: [server(1, A, `> ${A}`), client(2, 'EHLO me\r\n'), server(2, '250 ok\r\n', '> 250 ok\r\n')],
  },
];

export const DIALOGUES: readonly Dialogue[] = [
  ...NATIVE,
  ...MENDED,
  ...FOREIGN,
  ...LEFT,
  ...COMPLETED,
  ...NEVER,
  ...LATE,
  {
    name: 'a blank line, then another protocol: each octet once',
    steps: [server(1, '\n'), server(1, `\0${'y'.repeat(1_100)}`, `> \n\0${'y'.repeat(1_100)}`)],
  },
  {
    name: 'a bare CR in front of a code that went out already: each octet once',
    steps: [
      server(1, '\r'),
      server(1, '220\t', '> 220'),
      server(
        1,
        '\r\n220 a.example\r\n',
        '> -\r\n220 a.example\r\n',
        'repair leading-blank',
        'repair tab-separator',
        'ended malformed relay',
      ),
    ],
  },
];
