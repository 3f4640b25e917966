// Dialogues through the filter: what each side gets, and what is reported.

import type { Rules } from '../../../inspect/policy/rules';
import type { Turn } from '../smtp/transcript';

export interface Row {
  readonly name: string;
  /** Beside these all rules are off. */
  readonly rules: Partial<Rules>;
  readonly turns: readonly Turn[];
  readonly server: string;
  readonly client: string;
  /** `rule action direction` of `blocked`, `anomaly direction` of what is only reported. */
  readonly reported?: readonly string[];
  readonly ended?: true;
  /** The octets of a piece that comes too late are something else than those of the piece before. */
  readonly uncut?: true;
}

const HI: Turn = ['S', '220 mta ESMTP\r\n'];
const EHLO: readonly Turn[] = [
  ['C', 'EHLO vm\r\n'],
  ['S', '250-mta\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n'],
];
const HELLO = '220 mta ESMTP\r\n250-mta\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n';
const refused = new Set(['VRFY', 'EXPN', 'DEBUG', 'XCLIENT']);
const TLS = '\x16\x03\x01\x00\x02ab';
const MAIL: readonly Turn[] = [
  ['C', 'MAIL FROM:<a@b>\r\n'],
  ['S', '250 ok\r\n'],
  ['C', 'RCPT TO:<c@d>\r\n'],
  ['S', '250 ok\r\n'],
  ['C', 'DATA\r\n'],
  ['S', '354 go\r\n'],
];
const MAILED = 'MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n';

export const ROWS: readonly Row[] = [
  {
    name: 'commands: a refused verb is answered in the place of the server',
    rules: { commands: 'enforce', refusedCommands: refused },
    turns: [HI, ['C', 'EXPN staff\r\n'], ['C', 'NOOP\r\n'], ['S', '250 ok\r\n']],
    server: 'NOOP\r\n',
    client: '220 mta ESMTP\r\n252 2.5.0 Addresses are not verified here; try RCPT\r\n250 ok\r\n',
    reported: ['commands answer client'],
  },
  {
    name: 'commands: case and blanks before a verb do not matter',
    rules: { commands: 'enforce', refusedCommands: refused },
    turns: [HI, ['C', ' \tdEbUg\r\n']],
    server: '',
    client: '220 mta ESMTP\r\n502 5.5.1 Command not allowed here\r\n',
    reported: ['commands answer client', 'unknown-command client'],
  },
  {
    name: 'commands: one behind a bare CR is one',
    rules: { commands: 'enforce', refusedCommands: refused },
    turns: [HI, ['C', 'NOOP\rVRFY a\r\n']],
    server: '',
    client: '220 mta ESMTP\r\n252 2.5.0 Addresses are not verified here; try RCPT\r\n',
    reported: ['bare-cr client', 'commands answer client', 'unknown-command client'],
  },
  {
    name: 'commands: replies keep the order of the commands',
    rules: { commands: 'enforce', refusedCommands: refused },
    turns: [
      HI,
      ...EHLO,
      ['C', 'RSET\r\nXCLIENT ADDR=1\r\nNOOP\r\n'],
      ['S', '250 reset\r\n'],
      ['S', '250 noop\r\n'],
    ],
    server: 'EHLO vm\r\nRSET\r\nNOOP\r\n',
    client: `${HELLO}250 reset\r\n550 5.7.0 Insufficient authorization\r\n250 noop\r\n`,
    reported: ['commands answer client'],
  },
  {
    name: 'commands, observed: it passes',
    rules: { commands: 'observe', refusedCommands: refused },
    turns: [HI, ['C', 'VRFY a\r\n'], ['S', '252 no\r\n']],
    server: 'VRFY a\r\n',
    client: '220 mta ESMTP\r\n252 no\r\n',
    reported: ['refused-command client'],
  },
  {
    name: 'commands: a list of those that are allowed',
    rules: { commands: 'enforce', allowedCommands: new Set(['EHLO', 'QUIT']) },
    turns: [HI, ['C', 'HELP\r\n'], ['C', 'FOO bar\r\n'], ['C', 'QUIT\r\n'], ['S', '221 bye\r\n']],
    server: 'QUIT\r\n',
    client:
      '220 mta ESMTP\r\n502 5.5.1 Command not allowed here\r\n502 5.5.1 Command not allowed here\r\n221 bye\r\n',
    reported: ['commands answer client', 'unknown-command client', 'commands answer client'],
  },
  {
    name: 'commands: the chunk of a refused BDAT is read and not forwarded',
    rules: { commands: 'enforce', hiddenKeywords: new Set(['CHUNKING']) },
    turns: [HI, ['C', 'BDAT 6 LAST\r\nVRFY\r\n'], ['C', 'NOOP\r\n'], ['S', '250 ok\r\n']],
    server: 'NOOP\r\n',
    client: '220 mta ESMTP\r\n502 5.5.1 Command not implemented\r\n250 ok\r\n',
    reported: ['commands answer client'],
  },
  {
    name: 'hidden keywords: out of the reply to EHLO, the last one too',
    rules: { commands: 'enforce', hiddenKeywords: new Set(['AUTH', 'PIPELINING']) },
    turns: [HI, ...EHLO],
    server: 'EHLO vm\r\n',
    client: '220 mta ESMTP\r\n250-mta\r\n250 STARTTLS\r\n',
  },
  {
    name: 'hidden keywords: their parameters',
    rules: { commands: 'enforce', hiddenKeywords: new Set(['DSN']) },
    turns: [
      HI,
      ['C', 'MAIL FROM:<"a> NOTIFY=x"@b>\r\n'],
      ['S', '250 ok\r\n'],
      ['C', 'RCPT TO:<c@d> notify=NEVER\r\n'],
    ],
    server: 'MAIL FROM:<"a> NOTIFY=x"@b>\r\n',
    client: '220 mta ESMTP\r\n250 ok\r\n555 5.5.4 Parameter not recognized or not implemented\r\n',
    reported: ['commands answer client'],
  },
  {
    name: 'NUL in a command',
    rules: { nul: 'enforce' },
    turns: [HI, ['C', 'NO\0OP\r\n'], ['C', 'NOOP\r\n'], ['S', '250 ok\r\n']],
    server: 'NOOP\r\n',
    client: '220 mta ESMTP\r\n501 5.5.2 NUL is not allowed in a command\r\n250 ok\r\n',
    reported: ['unknown-command client', 'nul client', 'nul answer client'],
  },
  {
    name: 'lines: 512 octets are a command, 513 are none',
    rules: { lines: 'enforce' },
    turns: [
      HI,
      ['C', `NOOP ${'x'.repeat(505)}\r\n`],
      ['S', '250 ok\r\n'],
      ['C', `NOOP ${'x'.repeat(506)}\r\n`],
    ],
    server: `NOOP ${'x'.repeat(505)}\r\n`,
    client: '220 mta ESMTP\r\n250 ok\r\n500 5.5.2 Line too long\r\n',
    reported: ['line-too-long client', 'lines answer client'],
  },
  {
    name: 'lines: one that never ends is refused, and the next one passes',
    rules: { lines: 'enforce' },
    turns: [HI, ['C', `NOOP ${'x'.repeat(13_000)}`], ['C', 'yyy\r\nNOOP\r\n'], ['S', '250 ok\r\n']],
    server: 'NOOP\r\n',
    client: '220 mta ESMTP\r\n500 5.5.2 Line too long\r\n250 ok\r\n',
    reported: ['lines answer client', 'line-too-long client'],
    uncut: true,
  },
  {
    name: 'lines, off: one that never ends passes as it comes',
    rules: { nul: 'enforce' },
    turns: [HI, ['C', `NOOP ${'x'.repeat(13_000)}`], ['C', 'yyy\r\nNOOP\r\n'], ['S', '250 ok\r\n250 ok\r\n']],
    server: `NOOP ${'x'.repeat(13_000)}yyy\r\nNOOP\r\n`,
    client: '220 mta ESMTP\r\n250 ok\r\n250 ok\r\n',
    reported: ['line-too-long client', 'improper-pipelining client'],
    uncut: true,
  },
  {
    name: 'lines: an address that is not ASCII needs SMTPUTF8',
    rules: { lines: 'enforce' },
    turns: [
      HI,
      ['C', 'MAIL FROM:<\xc3\xa4@b>\r\n'],
      ['C', 'MAIL FROM:<\xc3\xa4@b> SMTPUTF8\r\n'],
      ['S', '250 ok\r\n'],
      ['C', 'RCPT TO:<\xc3\xb6@b>\r\n'],
      ['S', '250 ok\r\n'],
    ],
    server: 'MAIL FROM:<\xc3\xa4@b> SMTPUTF8\r\nRCPT TO:<\xc3\xb6@b>\r\n',
    client: '220 mta ESMTP\r\n553 5.6.7 An address that is not ASCII needs SMTPUTF8\r\n250 ok\r\n250 ok\r\n',
    reported: ['lines answer client'],
  },
  {
    name: 'lines: a reply line beyond 512 octets is cut',
    rules: { lines: 'enforce' },
    turns: [
      ['S', `220 ${'x'.repeat(600)}\r\n`],
      ['C', 'NOOP\r\n'],
      ['S', `250 ${'y'.repeat(506)}\r\n`],
    ],
    server: 'NOOP\r\n',
    client: `220 ${'x'.repeat(506)}\r\n250 ${'y'.repeat(506)}\r\n`,
    reported: ['lines cut server', 'greeting-malformed server'],
  },
  {
    name: 'synchronization: a client that does not wait for the greeting',
    rules: { synchronization: 'enforce' },
    turns: [['C', 'HELO vm\r\n']],
    server: '',
    client: '554 5.5.0 SMTP synchronization error: wait for the greeting\r\n',
    reported: ['early-talker client', 'synchronization close client'],
    ended: true,
  },
  {
    name: 'synchronization: EHLO before the greeting waits, and is refused where the server does not allow it',
    rules: { synchronization: 'enforce' },
    turns: [['C', 'EHLO vm\r\nMAIL FROM:<a@b>\r\n'], HI, ['S', '250-mta\r\n250 SIZE\r\n']],
    server: 'EHLO vm\r\n',
    client:
      '220 mta ESMTP\r\n250-mta\r\n250 SIZE\r\n554 5.5.0 SMTP synchronization error: wait for the greeting\r\n',
    reported: ['synchronization close client'],
    ended: true,
  },
  {
    name: 'synchronization: a pipelined connect that the server offers',
    rules: { synchronization: 'enforce' },
    turns: [
      ['C', 'EHLO vm\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n'],
      HI,
      ['S', '250-mta\r\n250-PIPELINING\r\n250 PIPECONNECT\r\n'],
      ['S', '250 ok\r\n250 ok\r\n'],
    ],
    server: 'EHLO vm\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n',
    client: '220 mta ESMTP\r\n250-mta\r\n250-PIPELINING\r\n250 PIPECONNECT\r\n250 ok\r\n250 ok\r\n',
  },
  {
    name: 'synchronization: a group where PIPELINING is not offered',
    rules: { synchronization: 'enforce' },
    turns: [HI, ['C', 'HELO vm\r\n'], ['S', '250 mta\r\n'], ['C', 'RSET\r\nNOOP\r\n'], ['S', '250 ok\r\n']],
    server: 'HELO vm\r\nRSET\r\n',
    client:
      '220 mta ESMTP\r\n250 mta\r\n250 ok\r\n554 5.5.0 SMTP synchronization error: PIPELINING is not offered\r\n',
    reported: ['synchronization close client'],
    ended: true,
    uncut: true,
  },
  {
    name: 'synchronization: HTTP',
    rules: { synchronization: 'enforce' },
    turns: [HI, ['C', 'POST / HTTP/1.1\r\nHost: a\r\n']],
    server: '',
    client: '220 mta ESMTP\r\n554 5.5.0 This is SMTP, not HTTP\r\n',
    reported: ['synchronization close client', 'http client'],
    ended: true,
  },
  {
    name: 'synchronization: SSH, observed',
    rules: { synchronization: 'observe' },
    turns: [HI, ['C', 'SSH-2.0-x\r\n'], ['S', '500 what\r\n']],
    server: 'SSH-2.0-x\r\n',
    client: '220 mta ESMTP\r\n500 what\r\n',
    reported: ['foreign-protocol client', 'unknown-command client'],
  },
  {
    name: 'synchronization: a PROXY header',
    rules: { synchronization: 'enforce' },
    turns: [HI, ['C', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\nEHLO vm\r\n']],
    server: '',
    client: '220 mta ESMTP\r\n554 5.5.0 A PROXY header is not expected from you\r\n',
    reported: ['synchronization close client', 'proxy-header client', 'unsolicited-reply server'],
    ended: true,
  },
  {
    name: 'synchronization, observed: a PROXY header passes before the greeting',
    rules: { synchronization: 'observe' },
    turns: [
      ['C', '\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x19'],
      HI,
      ['C', 'NOOP\r\n'],
      ['S', '250 ok\r\n'],
    ],
    server: '\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x19NOOP\r\n',
    client: '220 mta ESMTP\r\n250 ok\r\n',
    reported: ['proxy-header client'],
  },
  {
    name: 'AUTH before TLS: not offered, and refused',
    rules: { authBeforeTls: 'enforce' },
    turns: [HI, ...EHLO, ['C', 'AUTH PLAIN AGEAYg==\r\n']],
    server: 'EHLO vm\r\n',
    client:
      '220 mta ESMTP\r\n250-mta\r\n250-PIPELINING\r\n250 STARTTLS\r\n530 5.7.0 Must issue a STARTTLS command first\r\n',
    reported: ['auth-before-tls answer client'],
  },
  {
    name: 'TLS required: nothing but what leads to it',
    rules: { requireTls: true },
    turns: [HI, ...EHLO, ['C', 'MAIL FROM:<a@b>\r\n'], ['C', 'NOOP\r\n'], ['S', '250 ok\r\n']],
    server: 'EHLO vm\r\nNOOP\r\n',
    client: `${HELLO}530 5.7.0 Must issue a STARTTLS command first\r\n250 ok\r\n`,
    reported: ['require-tls answer client'],
  },
  {
    name: 'STARTTLS: what was pipelined behind it is cut, and TLS passes',
    rules: { starttls: 'enforce' },
    turns: [HI, ...EHLO, ['C', 'STARTTLS\r\nEHLO injected\r\n'], ['S', '220 go\r\n'], ['C', TLS], ['S', TLS]],
    server: `EHLO vm\r\nSTARTTLS\r\n${TLS}`,
    client: `${HELLO}220 go\r\n${TLS}`,
    reported: ['improper-pipelining client', 'starttls cut client', 'starttls-injection client'],
  },
  {
    name: 'STARTTLS, observed: it passes',
    rules: { starttls: 'observe' },
    turns: [HI, ...EHLO, ['C', 'STARTTLS\r\nNOOP\r\n'], ['S', '220 go\r\n'], ['C', TLS]],
    server: `EHLO vm\r\nSTARTTLS\r\nNOOP\r\n${TLS}`,
    client: `${HELLO}220 go\r\n`,
    reported: ['improper-pipelining client', 'starttls-injection client'],
  },
  {
    name: 'STARTTLS: a reply behind the 220 is cut',
    rules: { starttls: 'enforce' },
    turns: [HI, ...EHLO, ['C', 'STARTTLS\r\n'], ['S', '220 go\r\n250 injected\r\n'], ['C', TLS], ['S', TLS]],
    server: `EHLO vm\r\nSTARTTLS\r\n${TLS}`,
    client: `${HELLO}220 go\r\n${TLS}`,
    reported: ['starttls cut server'],
    uncut: true,
  },
  {
    name: 'STARTTLS: a client that goes on in plain text',
    rules: { starttls: 'enforce' },
    turns: [HI, ...EHLO, ['C', 'STARTTLS\r\n'], ['S', '220 go\r\n'], ['C', 'MAIL FROM:<a@b>\r\n']],
    server: 'EHLO vm\r\nSTARTTLS\r\n',
    client: `${HELLO}220 go\r\n`,
    reported: ['starttls close client', 'not-tls client'],
    ended: true,
  },
  {
    name: 'STARTTLS: a server that goes on in plain text',
    rules: { starttls: 'enforce' },
    turns: [HI, ...EHLO, ['C', 'STARTTLS\r\n'], ['S', '220 go\r\n'], ['S', '250 more\r\n']],
    server: 'EHLO vm\r\nSTARTTLS\r\n',
    client: `${HELLO}220 go\r\n`,
    reported: ['starttls close server'],
    ended: true,
  },
  {
    name: 'STARTTLS that the server refuses: the client goes on',
    rules: { starttls: 'enforce' },
    turns: [HI, ...EHLO, ['C', 'STARTTLS\r\nNOOP\r\n'], ['S', '454 no\r\n'], ['S', '250 ok\r\n']],
    server: 'EHLO vm\r\nSTARTTLS\r\nNOOP\r\n',
    client: `${HELLO}454 no\r\n250 ok\r\n`,
    reported: ['improper-pipelining client'],
  },
  {
    name: 'smuggling, normalized: one message',
    rules: { smuggling: 'normalize' },
    turns: [HI, ...MAIL, ['C', 'a\n.\r\nMAIL FROM:<x@y>\r\n.\r\n'], ['S', '250 taken\r\n']],
    server: `${MAILED}a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n`,
    client: '220 mta ESMTP\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n',
    reported: ['end-of-data-lookalike client', 'normalized client'],
  },
  {
    name: 'smuggling, enforced: no message',
    rules: { smuggling: 'enforce' },
    turns: [HI, ...MAIL, ['C', '\n.\r\nMAIL FROM:<x@y>\r\n.\r\nNOOP\r\n']],
    server: MAILED,
    client:
      '220 mta ESMTP\r\n250 ok\r\n250 ok\r\n354 go\r\n550 5.5.2 The message has a bare CR or LF, or a control character beside a dot\r\n',
    reported: ['end-of-data-lookalike client', 'smuggling close client'],
    ended: true,
  },
  {
    name: 'smuggling, observed: it passes, and is named',
    rules: { smuggling: 'observe' },
    turns: [HI, ...MAIL, ['C', 'a\nb\r\n.\r\n'], ['S', '250 taken\r\n']],
    server: `${MAILED}a\nb\r\n.\r\n`,
    client: '220 mta ESMTP\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n',
    reported: ['bare-line-end client'],
  },
  {
    name: 'smuggling: octets of BDAT are never changed',
    rules: { smuggling: 'enforce' },
    turns: [HI, ['C', 'BDAT 5 LAST\r\n\n.\r\nx'], ['S', '250 taken\r\n']],
    server: 'BDAT 5 LAST\r\n\n.\r\nx',
    client: '220 mta ESMTP\r\n250 taken\r\n',
  },
  {
    name: 'banner: in each line of the greeting',
    rules: { banner: 'mx.example ESMTP' },
    turns: [
      ['S', '220-mta Postfix 3.7\r\n220 ready\r\n'],
      ['C', 'NOOP\r\n'],
      ['S', '250 mta\r\n'],
    ],
    server: 'NOOP\r\n',
    client: '220-mx.example ESMTP\r\n220 mx.example ESMTP\r\n250 mta\r\n',
  },
  {
    name: 'banner: a refusal stays',
    rules: { banner: 'mx.example ESMTP' },
    turns: [['S', '554 no service\r\n']],
    server: '',
    client: '554 no service\r\n',
  },
  {
    name: 'what the reply to DATA decides is held: a message that was pipelined',
    rules: { commands: 'enforce', refusedCommands: refused },
    turns: [
      HI,
      ...EHLO,
      ['C', 'MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nVRFY x\r\n.\r\n'],
      ['S', '250 ok\r\n250 ok\r\n354 go\r\n'],
      ['S', '250 taken\r\n'],
    ],
    server: `EHLO vm\r\n${MAILED}VRFY x\r\n.\r\n`,
    client: `${HELLO}250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n`,
    reported: ['improper-pipelining client'],
  },
  {
    name: 'lines of an AUTH exchange are no commands',
    rules: { commands: 'enforce', refusedCommands: refused, nul: 'enforce', lines: 'enforce' },
    turns: [
      HI,
      ...EHLO,
      ['C', 'AUTH LOGIN\r\n'],
      ['S', '334 VXNlcg==\r\n'],
      ['C', 'VRFY\r\n'],
      ['S', '334 UGFzcw==\r\n'],
      ['C', `${'x'.repeat(600)}\r\n`],
      ['S', '235 ok\r\n'],
    ],
    server: `EHLO vm\r\nAUTH LOGIN\r\nVRFY\r\n${'x'.repeat(600)}\r\n`,
    client: `${HELLO}334 VXNlcg==\r\n334 UGFzcw==\r\n235 ok\r\n`,
  },
];
