// Dialogues after a greeting was completed by us: late lines, late refusals, answers, un-learning.

import { A, Z, client, due, end, idle, server, teaser, TRUNCATED } from './greeter-steps';
import type { Dialogue, Step } from './greeter-steps';

const DONE = server(1, A, `> ${A}${Z}`, 'repair truncated');
const EHLO = client(2, 'EHLO me\r\n');
/** Before the client has spoken only the server itself can have ended its greeting. */
const HONEST = 'ended teaser observe';
/** Behind a client's octets the same line may be an answer. */
const DOUBT = 'doubt';

/** A server known as truncated, completed at second 1, and what comes then. */
function late(name: string, steps: readonly Step[], done = true): Dialogue {
  return { name: `rule 4: ${name}`, known: TRUNCATED, steps: [DONE, ...steps], done };
}

export const LATE: readonly Dialogue[] = [
  late('a late last line behind a command is swallowed, and a doubt', [
    EHLO,
    server(7, '220 ready\r\n', DOUBT),
    server(8, '250 ok\r\n', '> 250 ok\r\n'),
  ]),
  late('a late line before the client speaks is the server’s own last line', [
    server(1.1, '220 ready\r\n', HONEST),
    EHLO,
    server(2, '250 ok\r\n', '> 250 ok\r\n'),
  ]),
  late('late lines are swallowed whole, and the answer behind them in the same read is not', [
    EHLO,
    server(7, '220-more\r\n220 ready\r\n250-x\r\n250 y\r\n', '> 250-x\r\n250 y\r\n', DOUBT),
  ]),
  late('a late line octet by octet', [
    EHLO,
    server(7, '2'),
    server(7, '20'),
    server(7, ' rea'),
    server(7, 'dy\r'),
    server(7, '\n', DOUBT),
    server(7, '250 ok\r\n', '> 250 ok\r\n'),
  ]),
  late('a late line without its end is swallowed all the same', [
    EHLO,
    due(server(7, '220 ready'), 8),
    idle(8, DOUBT),
    server(9, '250 ok\r\n', '> 250 ok\r\n'),
  ]),
  late('a late line of many octets', [
    EHLO,
    server(7, `220 ${'x'.repeat(9_000)}`),
    server(7, `${'y'.repeat(9_000)}\r\n250 ok\r\n`, '> 250 ok\r\n', DOUBT),
  ]),
  late('another late continuation line, then the answer: truncated all the same', [
    EHLO,
    server(3, '220-more\r\n'),
    server(4, '250 ok\r\n', '> 250 ok\r\n'),
  ]),
  late('the answer comes first: truncated, and a 220 later is STARTTLS’s', [
    EHLO,
    server(3, '250-x\r\n250 STARTTLS\r\n', '> 250-x\r\n250 STARTTLS\r\n'),
    client(4, 'STARTTLS\r\n'),
    server(4, '220 go\r\n', '> 220 go\r\n'),
  ]),
  late('500, 502 and 550 are honest answers', [EHLO, server(3, '502 no EHLO\r\n', '> 502 no EHLO\r\n')]),
  late('an honest refusal of many lines and what follows it', [
    EHLO,
    server(3, '550-a\r\n'),
    server(3, '550 b\r\n221 x\r\n', '> 550-a\r\n550 b\r\n221 x\r\n'),
  ]),
  ...['421', '521', '554'].map((code) =>
    late(`${code} answers the pending command and ends the connection`, [
      EHLO,
      server(3, `${code} no\r\n`, `> ${code} no\r\n`, 'refuse'),
      server(3, 'more\r\n'),
      client(4, 'QUIT\r\n'),
      end(4),
    ]),
  ),
  late('a refusal of many lines is given whole', [
    EHLO,
    server(3, '521-no\r\n521-no '),
    server(4, '\r\n521 no\r\n', '> 521-no\r\n521-no \r\n521 no\r\n', 'refuse'),
  ]),
  late('a refusal that nobody asked for waits for the next command, over the server’s end', [
    server(3, '521 no\r\n'),
    due(end(3), 'never'),
    idle(9),
    client(10, 'EH'),
    client(11, 'LO me\r\n', '> 521 no\r\n', 'refuse'),
  ]),
  late('any refusal that nobody asked for ends the connection', [
    server(3, '450-no\r\n450 no\r\n'),
    client(4, 'EHLO me\r\n', '> 450-no\r\n450 no\r\n', 'refuse'),
  ]),
  late('a refusal that nobody asked for is given however late', [
    server(3, '521 no\r\n'),
    client(40, 'EHLO me\r\n', '> 521 no\r\n', 'refuse'),
  ]),
  late('what a server says behind a refusal is dropped', [
    server(3, '521 no\r\n'),
    server(4, '250 ok\r\n'),
    client(5, 'EHLO me\r\n', '> 521 no\r\n', 'refuse'),
  ]),
  late('a refusal without end passes as it is at the cap', [
    EHLO,
    server(3, '521-no\r\n'.repeat(1_024)),
    server(3, '521-no\r\n', `> ${'521-no\r\n'.repeat(1_025)}`),
  ]),
  late('a refusal that nobody asks for', [server(3, '521 no\r\n'), end(3)], false),
  late('half a refusal and the end: it is held, too', [
    server(3, '521-no\r\n521 n'),
    end(4),
    client(5, 'EHLO me\r\n', '> 521-no\r\n521 n\r\n', 'refuse'),
  ]),
  late('421 after minutes is the server’s own timeout: given, and nothing un-learned', [
    server(300, '421 timeout\r\n'),
    client(301, 'EHLO me\r\n', '> 421 timeout\r\n', 'refuse'),
  ]),
  late('a late 220- and then a refusal', [
    EHLO,
    server(7, '220-more\r\n521 no\r\n', '> 521 no\r\n', 'refuse'),
  ]),
  late('TLS or anything odd: aside', [EHLO, server(3, '\x16\x03\x01', '> \x16\x03\x01')]),
  late('odd lines: aside', [EHLO, server(3, 'hello\r\n', '> hello\r\n')]),
  late('half a code and nothing more passes after a second', [
    EHLO,
    due(server(3, '25'), 4),
    idle(4, '> 25'),
  ]),
  late('half a code and the end', [EHLO, server(3, '25'), end(3, '> 25')]),
  late('nothing and the end', [EHLO, end(3)]),

  {
    name: 'rule 4: --repair now with postscreen: a doubt, and in step every time',
    mode: 'now',
    known: teaser(6),
    steps: [DONE, EHLO, server(7, '220 ready\r\n', DOUBT), server(7, '250 ok\r\n', '> 250 ok\r\n')],
  },
  {
    name: 'rule 4: completed after patience, and 5 s later the server does it, too',
    steps: [
      server(1, A, `> ${A}`),
      idle(21, `> ${Z}`, 'repair truncated', 'stalled truncated repair'),
      client(21, 'EHLO me\r\n'),
      server(26, '220 ready\r\n250 ok\r\n', '> 250 ok\r\n', DOUBT),
    ],
  },
  {
    name: 'rule 4: a line that we ended, and its rest comes late',
    steps: [
      server(1, '220 mx.exam', '> 220 mx.exam'),
      idle(21, '> \r\n', 'repair no-terminator', 'stalled truncated relay'),
      client(21, 'EHLO me\r\n'),
      server(26, 'ple.com'),
      server(26, '\r\n250 ok\r\n', '> 250 ok\r\n', DOUBT),
    ],
  },
  {
    name: 'rule 4: a line that we ended at its CR, and the LF comes late',
    steps: [
      server(1, '220 mx.example.com\r', '> 220 mx.example.com\r'),
      idle(21, '> \n', 'repair bare-cr', 'stalled truncated relay'),
      server(22, '\n', HONEST),
      client(23, 'EHLO me\r\n'),
      server(23, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'rule 4: a continuation line that we ended, its rest and the last line come late',
    steps: [
      server(1, '220-mx.example.com', '> 220-mx.example.com'),
      idle(21, `> \r\n${Z}`, 'repair no-terminator', 'repair truncated', 'stalled truncated relay'),
      server(22, '\r\n'),
      client(23, 'EHLO me\r\n'),
      server(26, '220 ready\r\n', DOUBT),
      server(26, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'rule 4: half a command is none yet',
    known: TRUNCATED,
    steps: [
      client(0.5, 'EH'),
      DONE,
      server(2, '521 no\r\n'),
      client(3, 'LO me\r\n', '> 521 no\r\n', 'refuse'),
    ],
  },
  {
    name: 'rule 4: an answer to nothing proves nothing',
    mode: 'now',
    steps: [DONE, server(2, '250 ok\r\n', '> 250 ok\r\n')],
  },
  {
    name: 'rule 4: an early talker’s command is pending when we complete',
    known: TRUNCATED,
    steps: [client(0.5, 'EHLO me\r\n'), DONE, server(2, '521 no\r\n', '> 521 no\r\n', 'refuse')],
  },
];
