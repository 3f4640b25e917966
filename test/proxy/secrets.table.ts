// Dialogues with a secret in them, and what is written of each: the secret never.

import type { Turn } from '../inspect/smtp/transcript';

/** Stands wherever a credential or a message's text is. */
export const SECRET = 'S3CR3T';
const BASE64 = `${SECRET}dXNlcg==`;

interface SecretRow {
  readonly name: string;
  readonly turns: readonly Turn[];
  /** Pieces of the log's JSON that are wanted all the same: honest texts stay useful. */
  readonly want?: readonly string[];
}

const OPENING: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO vm.example\r\n'],
  ['S', '250-mx.example\r\n250-AUTH LOGIN PLAIN\r\n250 STARTTLS\r\n'],
];
const ENVELOPE: readonly Turn[] = [
  ['C', 'MAIL FROM:<a@client.example> SIZE=10\r\n'],
  ['S', '250 2.1.0 Ok\r\n'],
  ['C', 'RCPT TO:<b@mx.example>\r\n'],
  ['S', '550 5.1.1 <b@mx.example>: Recipient address rejected: User unknown in table\r\n'],
];
const BODY = `Help desk password is ${SECRET}\r\nSend ${SECRET} to\r\nMail ${SECRET}\r\nMAIL FROM:<${SECRET}@x>\r\nRSET\r\n.\r\n`;

export const SECRET_ROWS: readonly SecretRow[] = [
  {
    name: 'X-EXPS LOGIN: both lines behind a 334',
    turns: [
      ...OPENING,
      ['C', 'X-EXPS LOGIN\r\n'],
      ['S', '334 VXNlcm5hbWU6\r\n'],
      ['C', `${BASE64}\r\n`],
      ['S', '334 UGFzc3dvcmQ6\r\n'],
      ['C', `${BASE64}\r\n`],
      ['S', `235 2.7.0 welcome ${SECRET}\r\n`],
      ...ENVELOPE,
    ],
    want: [
      'FROM:<a@client.example> SIZE=10',
      '<b@mx.example>: Recipient address rejected: User unknown in table',
    ],
  },
  {
    name: 'AUTH LOGIN refused, the client sends both lines all the same, and the server repeats them',
    turns: [
      ...OPENING,
      ['C', 'AUTH LOGIN\r\n'],
      ['S', '503 5.5.1 AUTH not available\r\n'],
      ['C', `${BASE64}\r\n`],
      ['S', `500 5.5.1 unknown command "${BASE64}"\r\n`],
      ['C', `${BASE64}\r\n`],
      ['S', `500 5.5.1 unknown command "${BASE64}"\r\n`],
      ['C', 'RSET\r\n'],
      ['S', '250 2.0.0 Ok\r\n'],
      ...ENVELOPE,
    ],
    want: ['"reply.text":"AUTH not available"', 'unknown command', 'FROM:<a@client.example>'],
  },
  ...[
    `XXXX PLAIN ${BASE64}`,
    `AUTH PLAIN\t${BASE64}`,
    `auth\tplain\t${BASE64}`,
    `AUTH PLAIN\r${BASE64}`,
    `AUTH\0PLAIN ${BASE64}`,
    `AUTH:PLAIN ${BASE64}`,
    `AUTH ${BASE64}`,
    `AUTH PLAIN ${BASE64} ${BASE64}`,
    ` AUTH PLAIN ${BASE64}`,
    `X-EXPS PLAIN ${BASE64}`,
    `XOAUTH ${BASE64}`,
    `GET /${SECRET} HTTP/1.1`,
    `PROXY ${SECRET}`,
    `MAIL FROM:<a@b.example> AUTH=${SECRET}@x`,
    `MAIL FROM:<a@b.example> ${SECRET}`,
    `MAIL FROM:<a@b.example> ENVID=${SECRET}`,
    `MAIL FROM:<${SECRET}> ${SECRET}`,
    `RCPT TO:<a@b.example> ORCPT=rfc822;${SECRET}`,
    `RCPT TO:${SECRET}`,
    `BDAT ${SECRET}`,
    `EHLO vm.example ${SECRET}`,
    `EHLO <${SECRET}>`,
    `QUIT ${SECRET}`,
    `NOOP ${SECRET}`,
    `VRFY ${SECRET}`,
    `HELP ${SECRET}`,
    `ETRN ${SECRET}`,
    `XCLIENT LOGIN=${SECRET}`,
    `DATA ${SECRET}`,
    `STARTTLS ${SECRET}`,
    SECRET,
  ].map((line): SecretRow => ({
    name: `${JSON.stringify(line)}, and the server repeats it`,
    turns: [
      ...OPENING,
      ['C', `${line}\r\n`],
      ['S', `500 5.5.1 what is ${line}\r\n`],
      ['C', 'QUIT\r\n'],
      ['S', `221 bye ${SECRET}\r\n`],
    ],
    want: ['"reply.code":221'],
  })),
  {
    name: 'STARTTLS, AUTH LOGIN, user and password in one write, agreed',
    turns: [
      ...OPENING,
      ['C', `STARTTLS\r\nAUTH LOGIN\r\n${BASE64}\r\n${BASE64}\r\n`],
      ['S', '220 go\r\n'],
      ['C', `${SECRET}\r\n`],
    ],
    want: ['"anomaly":"starttls-injection"'],
  },
  {
    name: 'STARTTLS, AUTH LOGIN, user and password in one write, refused',
    turns: [
      ...OPENING,
      ['C', `STARTTLS\r\nAUTH LOGIN\r\n${BASE64}\r\n${BASE64}\r\n`],
      ['S', `454 4.7.0 later\r\n503 no\r\n500 what is ${BASE64}\r\n500 ${SECRET}\r\n`],
    ],
  },
  {
    name: 'DATA refused, the message sent all the same',
    turns: [
      ...OPENING,
      ['C', 'DATA\r\n'],
      ['S', '503 5.5.1 RCPT first\r\n'],
      ['C', BODY],
      [
        'S',
        `214 Help desk ${SECRET}\r\n500 Send ${SECRET}\r\n501 Mail\r\n250 2.1.0 <${SECRET}@x>\r\n250 ok\r\n500 .\r\n`,
      ],
      ['C', 'RSET\r\n'],
      ['S', '250 2.0.0 Ok\r\n'],
      ...ENVELOPE,
    ],
    want: ['FROM:<a@client.example>'],
  },
  {
    name: 'DATA and the message in one write, refused',
    turns: [...OPENING, ['C', `DATA\r\n${BODY}`], ['S', `503 5.5.1 RCPT first\r\n500 ${SECRET}\r\n`]],
  },
  {
    name: 'BDAT refused, a chunk without a size',
    turns: [...OPENING, ['C', `BDAT x\r\n${BODY}`], ['S', `501 5.5.4 ${SECRET}\r\n`]],
  },
  {
    name: 'XEXCH50: a blob behind 354, and what follows',
    turns: [
      ...OPENING,
      ['C', 'XEXCH50 60 2\r\n'],
      ['S', '354 Send binary data\r\n'],
      ['C', `${SECRET}\nMAIL FROM:<${SECRET}@x>\r\nRCPT TO:<${SECRET}@x>\r\n012345678`],
      ['S', `250 ${SECRET}\r\n`],
    ],
  },
  ...['ATRN example.org', 'TURN', 'XTURN'].map((line): SecretRow => ({
    name: `${line}: the sides change, and what comes is nobody's command`,
    turns: [
      ...OPENING,
      ['C', `${line}\r\n`],
      ['S', '250 ok\r\n'],
      ['C', `220 ${SECRET}\r\n`],
      ['S', `EHLO ${SECRET}\r\n`],
      ['C', `250 ${SECRET}\r\n`],
      ['S', `MAIL FROM:<${SECRET}@x>\r\n`],
      ['C', `250 ${SECRET}\r\n`],
    ],
  })),
  {
    name: 'a message that is taken: nothing of it, also where the reply repeats it',
    turns: [
      ...OPENING,
      ['C', 'MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n'],
      ['S', '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n'],
      ['C', `Subject: ${SECRET}\r\n\r\n${BODY}`],
      ['S', `554 5.7.1 message rejected: it says ${SECRET}\r\n`],
      ['C', 'QUIT\r\n'],
      ['S', '221 2.0.0 Bye\r\n'],
    ],
    want: ['message rejected', '"reply.text":"Bye"'],
  },
  ...[
    ...['Ok: queued as 4XyZ3k1qHkz1mQ', 'Ok: queued as A1B2C3D4E5', 'OK id=1abcDE-0001Xy-2Z'],
    ...['id=1abcDE-0001Xy-2Z message accepted', 'id=1abcDE-0001Xy-2Z message accepted for some recipients'],
  ].map((text): SecretRow => ({
    name: `a message that is taken keeps the name that its server gave it: ${text}`,
    turns: [
      ...OPENING,
      ['C', 'MAIL FROM:<a@client.example>\r\nRCPT TO:<b@mx.example> ORCPT=rfc822;b@mx.example\r\nDATA\r\n'],
      ['S', '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n'],
      ['C', `Subject: ${SECRET}\r\n\r\n.\r\n`],
      ['S', `250 ${text}\r\n`],
    ],
    want: [`"reply.text":"${text}"`, 'TO:<b@mx.example> ORCPT=rfc822;b@mx.example'],
  })),
];

/** Lines of a client that hold a secret, put anywhere into any dialogue. */
export const SECRET_LINES: readonly string[] = [
  `${BASE64}\r\n`,
  `${SECRET}\n`,
  `AUTH PLAIN ${BASE64}\r\n`,
  `AUTH LOGIN\r\n${BASE64}\r\n${BASE64}\r\n`,
  `X-EXPS LOGIN\r\n${BASE64}\r\n`,
  `auth\tplain\t${BASE64}\r\n`,
  `HELP ${SECRET}\r\n`,
  `EHLO ${SECRET}@x\r\n`,
  `MAIL FROM:<a@b> AUTH=${SECRET}\r\n`,
  `RCPT TO:<${SECRET}\r\n`,
  `DATA\r\n${SECRET}\r\nMAIL FROM:<${SECRET}@x>\r\n.\r\n`,
  `BDAT 5 ${SECRET}\r\n`,
  `BDAT 12 LAST\r\n${SECRET}\r\nNOOP`,
  `STARTTLS\r\nMAIL FROM:<${SECRET}@x>\r\n`,
  SECRET,
];

/** What a server says to it. */
export const ECHOES: readonly string[] = [
  `500 5.5.1 what is "${BASE64}"\r\n`,
  `250 2.0.0 ${SECRET}\r\n`,
  `250-mx.example\r\n250 ${SECRET}\r\n`,
  `354 ${SECRET}\r\n`,
  `334 ${SECRET}\r\n`,
  `220 ${SECRET}\r\n`,
  `421 4.4.2 ${SECRET}\r\n`,
  `${SECRET}\r\n`,
  `500\t${SECRET}\n`,
];
