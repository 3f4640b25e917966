// Sessions of real clients with real servers, good ones and failed ones.

import { join } from 'node:path';
import type { Need } from '../../../kit/lab';
import { RECIPIENT, SENDER } from '../../../kit/message';
import { USER, type SERVERS } from './mta';

interface SessionRow {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly server: keyof typeof SERVERS;
  /** The server closes, and resets if the client then says that it closes as well (close_notify of TLS). */
  readonly mayReset?: true;
  /** The client's command line; `message` is a file of some kilobytes. */
  command(host: string, message: string): readonly [string, ...(readonly string[])];
}

const FROM_TO = ['--helo', 'client.example', '--from', SENDER, '--to', RECIPIENT] as const;

const swaks = (name: string, server: SessionRow['server'], ...more: readonly string[]): SessionRow => ({
  name,
  needs: ['swaks'],
  server,
  command: (host) => ['swaks', '--server', host, '--port', '25', ...FROM_TO, '--body', 'hello', ...more],
});

const curl = (name: string, server: SessionRow['server'], ...more: readonly string[]): SessionRow => ({
  name,
  needs: ['curl'],
  server,
  command: (host, message) => [
    ...(['curl', '--silent', '--url', `smtp://${host}:25/client.example`, '--mail-from', SENDER] as const),
    ...['--mail-rcpt', RECIPIENT, '--upload-file', message, ...more],
  ],
});

const smtplib = (name: string, server: SessionRow['server'], ...wishes: readonly string[]): SessionRow => ({
  name,
  needs: ['python3'],
  server,
  command: (host, message) => [
    ...([
      'python3',
      join(__dirname, '../../peers/smtplib_client.py'),
      host,
      '25',
      SENDER,
      RECIPIENT,
    ] as const),
    ...[message, '30', ...wishes],
  ],
});

const script = (name: string, server: SessionRow['server'], ...steps: readonly string[]): SessionRow => ({
  name,
  needs: ['python3'],
  server,
  command: (host) => ['python3', join(__dirname, '../../peers/dialogue.py'), host, ...steps],
});

const HELLO = ['reply', 'say:EHLO client.example\\r\\n', 'reply'] as const;
const ENVELOPE = `MAIL FROM:<${SENDER}>\\r\\nRCPT TO:<${RECIPIENT}>\\r\\n`;
const BYE = ['say:QUIT\\r\\n', 'reply', 'close'] as const;

export const SESSIONS: readonly SessionRow[] = [
  swaks('swaks', 'postfix'),
  swaks('swaks, STARTTLS', 'postfix', '--tls'),
  swaks('swaks, pipelining', 'postfix', '--pipeline'),
  swaks('swaks, Exim', 'exim'),
  swaks('swaks, Exim, STARTTLS', 'exim', '--tls'),
  swaks(
    'swaks, AUTH PLAIN',
    'exim',
    '--auth',
    'PLAIN',
    '--auth-user',
    USER.name,
    '--auth-password',
    USER.password,
  ),
  swaks(
    'swaks, AUTH LOGIN',
    'exim',
    '--auth',
    'LOGIN',
    '--auth-user',
    USER.name,
    '--auth-password',
    USER.password,
  ),
  swaks(
    'swaks, AUTH refused',
    'exim',
    '--auth',
    'PLAIN',
    '--auth-user',
    USER.name,
    '--auth-password',
    'wrong',
  ),
  swaks('swaks, a recipient refused', 'postfix', '--to', 'nobody@elsewhere.example'),
  swaks('swaks, no EHLO but HELO', 'postfix', '--protocol', 'SMTP'),
  curl('curl', 'postfix'),
  { ...curl('curl, STARTTLS', 'postfix', '--ssl-reqd', '--insecure'), mayReset: true },
  curl('curl, Exim, STARTTLS', 'exim', '--ssl-reqd', '--insecure'),
  smtplib('smtplib', 'postfix'),
  smtplib('smtplib, STARTTLS', 'postfix', 'starttls'),
  smtplib('smtplib, BDAT', 'postfix', 'bdat'),
  smtplib('smtplib, BDAT, Exim', 'exim', 'bdat'),
  script(
    'three messages, RSET and other commands between',
    'postfix',
    ...HELLO,
    ...[1, 2].flatMap((n) => [
      `say:${ENVELOPE}DATA\\r\\n`,
      ...['reply', 'reply', 'reply', `say:Subject: ${n}\\r\\n\\r\\n..a\\r\\n.\\r\\n`, 'reply'],
    ]),
    ...[
      'say:NOOP\\r\\n',
      'reply',
      'say:VRFY <a@dest.example>\\r\\n',
      'reply',
      'say:WHAT is this\\r\\n',
      'reply',
    ],
    ...[`say:MAIL FROM:<${SENDER}>\\r\\n`, 'reply', 'say:RSET\\r\\n', 'reply'],
    ...[`say:${ENVELOPE}DATA\\r\\n`, 'reply', 'reply', 'reply', 'bulk:400000', 'say:.\\r\\n', 'reply'],
    ...BYE,
  ),
  script(
    'everything pipelined, the next message behind the dot',
    'postfix',
    ...HELLO,
    ...[`say:${ENVELOPE}DATA\\r\\n`, 'reply', 'reply', 'reply'],
    ...[
      `say:one\\r\\n.\\r\\n${ENVELOPE}DATA\\r\\n`,
      'reply',
      'reply',
      'reply',
      'reply',
      'say:two\\r\\n.\\r\\nQUIT\\r\\n',
    ],
    ...['reply', 'reply', 'close'],
  ),
  script(
    'BDAT: chunks of bulk, one without octets, RSET behind one',
    'postfix',
    ...HELLO,
    ...[
      `say:${ENVELOPE}BDAT 72000\\r\\n`,
      'bulk:72000',
      'reply',
      'reply',
      'reply',
      'say:BDAT 0 LAST\\r\\n',
      'reply',
    ],
    ...[`say:${ENVELOPE}BDAT 3\\r\\nabcRSET\\r\\n`, 'reply', 'reply', 'reply', 'reply'],
    ...BYE,
  ),
  script(
    'no recipient is taken, and DATA neither',
    'postfix',
    ...HELLO,
    ...[
      `say:MAIL FROM:<${SENDER}>\\r\\nRCPT TO:<x@elsewhere.example>\\r\\nDATA\\r\\n`,
      'reply',
      'reply',
      'reply',
    ],
    ...BYE,
  ),
  script('closed behind the greeting', 'postfix', 'reply', 'close'),
  script(
    'closed within a message',
    'postfix',
    ...HELLO,
    `say:${ENVELOPE}DATA\\r\\n`,
    'reply',
    'reply',
    'reply',
    'bulk:10000',
    'close',
  ),
  script(
    'reset within a message',
    'postfix',
    ...HELLO,
    `say:${ENVELOPE}DATA\\r\\n`,
    'reply',
    'reply',
    'reply',
    'bulk:10000',
    'abort',
  ),
  script('reset behind EHLO', 'exim', ...HELLO, 'abort'),
  script(
    'a syntax error, and QUIT without EHLO',
    'exim',
    'reply',
    'say:MAIL FROM:nonsense\\r\\n',
    'reply',
    ...BYE,
  ),
];
