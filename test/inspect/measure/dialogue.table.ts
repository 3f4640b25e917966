// Dialogues of a measurement's client: what the server says, and what comes of it.

import type { Plan } from '../../../inspect/measure/dialogue';

export interface DialogueRow {
  readonly name: string;
  readonly plan?: Partial<Plan>;
  /** What the server says, one write after another; `TLS` completes a handshake. */
  readonly server: readonly string[];
  /** How the connection ends; absent: the server closes. */
  readonly end?: string;
  /** The client's lines, those of one write joined by `|`; `TLS` and `close` are steps. */
  readonly said: readonly string[];
  readonly failures?: readonly string[];
  readonly taken?: number;
}

const GREETING = '220 mx.demo ESMTP\r\n';
const HELLO = '250-mx.demo\r\n250-PIPELINING\r\n250 STARTTLS\r\n';
const OK = '250 2.0.0 Ok\r\n';
const GO = '354 Go\r\n';
const BYE = '221 Bye\r\n';
const ONE: Partial<Plan> = { messages: 1, recipients: ['a@b.example'] };
const TWO: Partial<Plan> = { messages: 1, recipients: ['a@b.example', 'c@b.example'] };
const MAIL = 'MAIL FROM:<>';
const TO = 'RCPT TO:<a@b.example>';
const TO_TWO = 'RCPT TO:<c@b.example>';

export const DIALOGUES: readonly DialogueRow[] = [
  {
    name: 'without a recipient no mail is sent',
    server: [GREETING, HELLO, BYE],
    said: ['EHLO me.example', 'QUIT'],
  },
  {
    name: 'one message',
    plan: ONE,
    server: [GREETING, HELLO, OK, OK, GO, OK, BYE],
    said: ['EHLO me.example', MAIL, TO, 'DATA', 'Subject: x||.', 'QUIT'],
    taken: 1,
  },
  {
    name: 'two messages in one session',
    plan: { ...ONE, messages: 2 },
    server: [GREETING, HELLO, OK, OK, GO, OK, OK, OK, GO, OK, BYE],
    said: [
      ...['EHLO me.example', MAIL, TO, 'DATA', 'Subject: x||.'],
      ...[MAIL, TO, 'DATA', 'Subject: x||.', 'QUIT'],
    ],
    taken: 2,
  },
  {
    name: 'PIPELINING that is offered: one write, replies in any pieces',
    plan: { ...ONE, pipelining: true },
    server: [GREETING, HELLO, OK + OK, GO, OK, BYE],
    said: ['EHLO me.example', `${MAIL}|${TO}|DATA`, 'Subject: x||.', 'QUIT'],
    taken: 1,
  },
  {
    name: 'PIPELINING that is not offered is not used',
    plan: { ...ONE, pipelining: true },
    server: [GREETING, '250 mx.demo\r\n', OK, OK, GO, OK, BYE],
    said: ['EHLO me.example', MAIL, TO, 'DATA', 'Subject: x||.', 'QUIT'],
    taken: 1,
  },
  {
    name: 'EHLO that is refused: HELO',
    server: [GREETING, '502 No\r\n', '250 mx.demo\r\n', BYE],
    said: ['EHLO me.example', 'HELO me.example', 'QUIT'],
  },
  {
    name: 'EHLO that is refused for now',
    server: [GREETING, '450 Later\r\n', BYE],
    said: ['EHLO me.example', 'QUIT'],
    failures: ['hello 450 Later'],
  },
  {
    name: 'a greeting that refuses: QUIT',
    server: ['554 mx.demo No\r\n', BYE],
    said: ['QUIT'],
    failures: ['greeting 554 mx.demo No'],
  },
  {
    name: '421 ends it at once',
    server: [GREETING, '421 mx.demo Busy\r\n'],
    said: ['EHLO me.example', 'close'],
    failures: ['hello 421 mx.demo Busy'],
  },
  {
    name: 'a greeting of several lines',
    server: ['220-mx.demo\r\n', '220 mx.demo\r\n', HELLO, BYE],
    said: ['EHLO me.example', 'QUIT'],
  },
  {
    name: 'a greeting that never ends',
    server: ['220-mx.demo\r\n'],
    end: 'timed-out',
    said: [],
    failures: ['greeting timed-out'],
  },
  {
    name: 'MAIL that is refused: QUIT',
    plan: ONE,
    server: [GREETING, HELLO, '550 5.7.1 No\r\n', BYE],
    said: ['EHLO me.example', MAIL, 'QUIT'],
    failures: ['mail 550 No'],
  },
  {
    name: 'MAIL that is refused in a group is counted once',
    plan: { ...ONE, pipelining: true },
    server: [GREETING, HELLO, '550 No\r\n503 No\r\n503 No\r\n', BYE],
    said: ['EHLO me.example', `${MAIL}|${TO}|DATA`, 'QUIT'],
    failures: ['mail 550 No'],
  },
  {
    name: 'all recipients refused: no DATA',
    plan: TWO,
    server: [GREETING, HELLO, OK, '450 4.7.1 Greylisted\r\n', '450 4.7.1 Greylisted\r\n', BYE],
    said: ['EHLO me.example', MAIL, TO, TO_TWO, 'QUIT'],
    failures: ['rcpt 450 Greylisted', 'rcpt 450 Greylisted'],
  },
  {
    name: 'one of two recipients refused: the other one gets it',
    plan: TWO,
    server: [GREETING, HELLO, OK, '550 No\r\n', OK, GO, OK, BYE],
    said: ['EHLO me.example', MAIL, TO, TO_TWO, 'DATA', 'Subject: x||.', 'QUIT'],
    failures: ['rcpt 550 No'],
    taken: 1,
  },
  {
    name: 'DATA taken without a recipient gets its end and no message',
    plan: { ...ONE, pipelining: true },
    server: [GREETING, HELLO, `${OK}550 No\r\n${GO}`, '554 No\r\n', BYE],
    said: ['EHLO me.example', `${MAIL}|${TO}|DATA`, '.', 'QUIT'],
    failures: ['rcpt 550 No'],
  },
  {
    name: 'DATA that is refused',
    plan: ONE,
    server: [GREETING, HELLO, OK, OK, '451 No\r\n', BYE],
    said: ['EHLO me.example', MAIL, TO, 'DATA', 'QUIT'],
    failures: ['data 451 No'],
  },
  {
    name: 'a message that is refused is not taken',
    plan: { ...ONE, messages: 2 },
    server: [GREETING, HELLO, OK, OK, GO, '552 Too big\r\n', BYE],
    said: ['EHLO me.example', MAIL, TO, 'DATA', 'Subject: x||.', 'QUIT'],
    failures: ['message 552 Too big'],
  },
  {
    name: 'STARTTLS, then EHLO again',
    plan: { ...ONE, starttls: true },
    server: [GREETING, HELLO, '220 Go\r\n', 'TLS', HELLO, OK, OK, GO, OK, BYE],
    said: [
      'EHLO me.example',
      'STARTTLS',
      'TLS',
      'EHLO me.example',
      MAIL,
      TO,
      'DATA',
      'Subject: x||.',
      'QUIT',
    ],
    taken: 1,
  },
  {
    name: 'STARTTLS that is not offered',
    plan: { starttls: true },
    server: [GREETING, '250 mx.demo\r\n', BYE],
    said: ['EHLO me.example', 'QUIT'],
    failures: ['starttls not-offered'],
  },
  {
    name: 'STARTTLS that is refused',
    plan: { starttls: true },
    server: [GREETING, HELLO, '454 Not now\r\n', BYE],
    said: ['EHLO me.example', 'STARTTLS', 'QUIT'],
    failures: ['starttls 454 Not now'],
  },
  {
    name: 'a TLS handshake that fails',
    plan: { starttls: true },
    server: [GREETING, HELLO, '220 Go\r\n'],
    end: 'ECONNRESET',
    said: ['EHLO me.example', 'STARTTLS', 'TLS'],
    failures: ['tls ECONNRESET'],
  },
  {
    name: 'octets in the clear behind the reply to STARTTLS',
    plan: { starttls: true },
    server: [GREETING, HELLO, '220 Go\r\n250 injected\r\n'],
    said: ['EHLO me.example', 'STARTTLS', 'close'],
    failures: ['starttls starttls-injection'],
  },
  {
    name: 'the server closes in the middle',
    plan: ONE,
    server: [GREETING, HELLO, OK],
    said: ['EHLO me.example', MAIL, TO],
    failures: ['rcpt closed'],
  },
  {
    name: 'QUIT without its reply',
    server: [GREETING, HELLO],
    said: ['EHLO me.example', 'QUIT'],
    failures: ['quit closed'],
  },
  {
    name: 'another reply to QUIT',
    server: [GREETING, HELLO, '250 Bye\r\n'],
    said: ['EHLO me.example', 'QUIT'],
    failures: ['quit 250 Bye'],
  },
  {
    name: 'a server that leaves closing to its client has not failed',
    server: [GREETING, HELLO, BYE],
    end: 'timed-out',
    said: ['EHLO me.example', 'QUIT'],
  },
  {
    name: 'what is no reply',
    server: ['SSH-2.0-x\r\n'],
    said: ['close'],
    failures: ['greeting malformed-reply SSH-2.0-x'],
  },
  {
    name: 'a reply to nothing',
    server: [GREETING, HELLO, BYE + OK],
    said: ['EHLO me.example', 'QUIT', 'close'],
    failures: ['close unsolicited-reply 250 2.0.0 Ok'],
  },
  {
    name: 'an early answer is a reply to nothing only where nothing is asked',
    server: [GREETING + HELLO, BYE],
    said: ['EHLO me.example', 'QUIT'],
  },
];
