// Dialogues that are more than RFC 5321, said octet for octet to a server that knows them.

import { join } from 'node:path';
import type { LogLine } from '../kit/ehlowire';
import { RECIPIENT, SENDER } from '../kit/message';

/** What says the steps. */
export const PLAYER = join(__dirname, 'peers/dialogue.py');

export interface DialogueRow {
  readonly name: string;
  readonly server: 'exchange' | 'postfix';
  /** Of `PLAYER`. */
  readonly steps: readonly string[];
  /** `greeting 220`, `close`: the phases and the codes of their last replies. */
  readonly phases: readonly string[];
  /** Absent: TLS hides them. */
  readonly messages: number | undefined;
  /** What is odd about it all the same. */
  readonly anomalies?: readonly string[];
  /** What the server says of it in its own log. */
  readonly served: readonly (string | RegExp)[];
}

/** What the lines of a connection tell beside its dialogue: an anomaly's name, or that of another event. */
export function complaintsOf(story: readonly LogLine[]): readonly unknown[] {
  const all = story.filter(({ event }) => !TOLD.has(event)).map((line) => line['anomaly'] ?? line.event);
  return all.filter((each) => !OF_RULES.has(each));
}

/** What rules of policy report of these dialogues while they only observe, and where there is a relay. */
const OF_RULES: ReadonlySet<unknown> = new Set(['auth-before-tls', 'refused-command']);

const TOLD: ReadonlySet<string> = new Set(['phase', 'session', 'learned']);

/** In nothing that is written. */
export const SECRETS = ['c2VjcmV0dXNlcg==', 'c2VjcmV0cGFzcw==', 'hidden in a blob'] as const;
const [USER, PASSWORD, HIDDEN] = SECRETS;

/** 60 octets, as the command says, and lines among them. */
const BLOB = `${HIDDEN}\\r\\nQUIT\\r\\n.\\r\\n${'x'.repeat(33)}`;
const BLOB_HASH = '424991708c36104a49116ca83e4e80976b3b87d8946236377e8e9ea51d8920d1';

const say = (line: string): readonly [string, string] => [`say:${line}\\r\\n`, 'reply'];
const HELLO = ['reply', ...say('EHLO client.example')] as const;
const MAIL = [...say(`MAIL FROM:<${SENDER}>`), ...say(`RCPT TO:<${RECIPIENT}>`)] as const;
const DATA = [...say('DATA'), ...say('Subject: one\\r\\n\\r\\nbody\\r\\n.')] as const;
const BYE = [...say('QUIT'), 'close'] as const;

const GREETED = ['connect', 'greeting 220', 'hello 250'] as const;
const TAKEN = ['mail 250', 'rcpt 250', 'data 354', 'message 250'] as const;
const ENDED = ['quit 221', 'close'] as const;

export const DIALOGUES: readonly DialogueRow[] = [
  {
    name: 'X-EXPS, XEXCH50, BDAT',
    server: 'exchange',
    steps: [
      ...HELLO,
      ...[...say('X-EXPS LOGIN'), ...say(USER), ...say(PASSWORD), ...MAIL],
      ...['say:XEXCH50 60 2\\r\\n', 'reply', `say:${BLOB}`, 'reply'],
      ...['say:BDAT 5\\r\\nbody\\n', 'reply', 'say:BDAT 2 LAST\\r\\n\\r\\n', 'reply', ...BYE],
    ],
    phases: [
      ...[...GREETED, 'auth 235', 'mail 250', 'rcpt 250', 'other 250'],
      ...['message 250', 'message 250', ...ENDED],
    ],
    messages: 1,
    served: [`auth ${USER} ${PASSWORD}`, `blob ${BLOB_HASH}`, 'mail 7'],
  },
  {
    name: 'XEXCH50, the blob in one piece with its command, DATA',
    server: 'exchange',
    steps: [...[...HELLO, ...MAIL, `say:XEXCH50 60 2\\r\\n${BLOB}`, 'reply', 'reply', ...DATA, ...BYE]],
    phases: [...GREETED, 'mail 250', 'rcpt 250', 'other 250', ...TAKEN.slice(2), ...ENDED],
    messages: 1,
    // Nobody has asked for the blob yet.
    anomalies: ['improper-pipelining'],
    served: [`blob ${BLOB_HASH}`, 'mail 22'],
  },
  {
    name: 'X-ANONYMOUSTLS, a handshake, 400 kB',
    server: 'exchange',
    steps: [
      ...[...HELLO, ...say('X-ANONYMOUSTLS'), 'tls', ...say('EHLO client.example'), ...MAIL],
      ...[...say('DATA'), 'bulk:400000', ...say('.'), ...say('QUIT')],
    ],
    phases: [...GREETED, 'starttls 220', 'tls', 'close'],
    messages: undefined,
    served: ['tls TLSv1.3', /mail 39\d{4}/],
  },
  {
    name: 'XCLIENT, whose 220 begins anew',
    server: 'postfix',
    steps: [
      ...[...HELLO, ...say('XCLIENT NAME=spike.porcupine.example ADDR=192.0.2.7 PROTO=ESMTP')],
      ...[...say('EHLO spike.porcupine.example'), ...MAIL, ...DATA, ...BYE],
    ],
    phases: [...GREETED, 'other 220', 'hello 250', ...TAKEN, ...ENDED],
    messages: 1,
    served: [/client=spike\.porcupine\.example\[192\.0\.2\.7\]/],
  },
  {
    name: 'XCLIENT that is refused',
    server: 'postfix',
    steps: [...HELLO, ...say('XCLIENT NONSENSE=1'), ...MAIL, ...DATA, ...BYE],
    phases: [...GREETED, 'other 501', ...TAKEN, ...ENDED],
    messages: 1,
    served: [],
  },
  {
    name: 'XFORWARD, twice',
    server: 'postfix',
    steps: [
      ...[...HELLO, ...say('XFORWARD NAME=spike.porcupine.example ADDR=192.0.2.7 PROTO=ESMTP')],
      ...[...say('XFORWARD HELO=spike.porcupine.example IDENT=12345'), ...MAIL, ...DATA, ...BYE],
    ],
    phases: [...GREETED, 'other 250', 'other 250', ...TAKEN, ...ENDED],
    messages: 1,
    served: [],
  },
  {
    name: 'XFORWARD pipelined with the envelope',
    server: 'postfix',
    steps: [
      ...HELLO,
      `say:XFORWARD ADDR=192.0.2.7 PROTO=ESMTP\\r\\nMAIL FROM:<${SENDER}>\\r\\nRCPT TO:<${RECIPIENT}>\\r\\nDATA\\r\\n`,
      ...['reply', 'reply', 'reply', 'reply', ...DATA.slice(2), ...BYE],
    ],
    phases: [...GREETED, 'other 250', ...TAKEN, ...ENDED],
    messages: 1,
    served: [],
  },
  {
    name: 'ETRN, taken and refused',
    server: 'postfix',
    steps: [...HELLO, ...say('ETRN dest.example'), ...say('ETRN other.example'), ...MAIL, ...DATA, ...BYE],
    phases: [...GREETED, 'other 250', 'other 459', ...TAKEN, ...ENDED],
    messages: 1,
    served: [],
  },
];

const TWO_RECIPIENTS = [
  ...['reply', ...say('LHLO client.example'), ...say(`MAIL FROM:<${SENDER}>`)],
  ...[...say('RCPT TO:<one@dest.example>'), ...say('RCPT TO:<two@dest.example>')],
] as const;
const TAKEN_BY_TWO = ['mail 250', 'rcpt 250', 'rcpt 250', 'data 354', 'message 250'] as const;

/** By LMTP, of which the end of a message has a reply for each recipient that was taken (RFC 2033 section 4.2). */
export const LMTP: readonly Pick<DialogueRow, 'name' | 'steps' | 'phases' | 'messages'>[] = [
  {
    name: 'DATA to two recipients, and another message',
    steps: [...TWO_RECIPIENTS, ...DATA, 'reply', ...MAIL, ...DATA, ...BYE],
    phases: [...GREETED, ...TAKEN_BY_TWO, ...TAKEN, ...ENDED],
    messages: 2,
  },
  {
    name: 'BDAT in two pieces, RSET behind it',
    steps: [
      ...[...TWO_RECIPIENTS, 'say:BDAT 9\\r\\nSubject: ', 'reply'],
      ...['say:BDAT 11 LAST\\r\\nx\\r\\n\\r\\nbody\\r\\n', 'reply', 'reply', ...say('RSET'), ...BYE],
    ],
    phases: [
      ...[...GREETED, ...TAKEN_BY_TWO.slice(0, 3), 'message 250', 'message 250', 'reset 250'],
      ...ENDED,
    ],
    messages: 1,
  },
  {
    name: 'pipelined, a recipient refused',
    steps: [
      ...['reply', ...say('LHLO client.example')],
      `say:MAIL FROM:<${SENDER}>\\r\\nRCPT TO:<one@dest.example>\\r\\nRCPT TO:nonsense\\r\\nDATA\\r\\n`,
      ...['reply', 'reply', 'reply', 'reply', ...DATA.slice(2), ...BYE],
    ],
    phases: [...GREETED, 'mail 250', 'rcpt 250', 'rcpt 501', ...TAKEN.slice(2), ...ENDED],
    messages: 1,
  },
];

/** What Postfix must be told to understand them of these networks. */
export function postfixSettings(networks: string): readonly string[] {
  return [
    `smtpd_authorized_xclient_hosts = ${networks}`,
    `smtpd_authorized_xforward_hosts = ${networks}`,
    'fast_flush_domains = dest.example',
  ];
}
