// What mail servers say of a connection: a dialect a program, a rule a kind of line.

/** Commands of a `disconnect` line: accepted, and tried (postfix: `rcpt=1/2`, `ehlo=1`). */
export type Tally = Readonly<Record<string, readonly [accepted: number, tried: number]>>;

/** What a line says of a connection. */
export type Saying =
  | { readonly kind: 'connect' }
  /** `after`: the last command, `CONNECT` where there was none; empty where the log does not say it. */
  | { readonly kind: 'timeout' | 'lost'; readonly after: string }
  | { readonly kind: 'disconnect'; readonly tally: Tally }
  /** `NOQUEUE: reject: RCPT …: 554 5.7.1`: the command and the code. */
  | { readonly kind: 'reject'; readonly stage: string; readonly code: number }
  | { readonly kind: 'pipelining'; readonly after: string }
  /** postscreen: the client talked `after` seconds, before its turn. */
  | { readonly kind: 'pregreet'; readonly octets: number; readonly after: number }
  | { readonly kind: 'pass'; readonly how: 'NEW' | 'OLD' }
  | { readonly kind: 'hangup'; readonly after: number }
  /** A message came: sendmail has no line of the connection itself. */
  | { readonly kind: 'mail' };

export type Daemon = 'smtpd' | 'postscreen' | 'exim' | 'sendmail';

interface Dialect {
  readonly daemon: Daemon;
  /** Its name before the message. */
  readonly program: RegExp;
  readonly rules: readonly Rule[];
}

/** `groups` may have `client`, `port`, and `lasted`: how long the connection was open. */
type Rule = readonly [pattern: RegExp, make: (groups: Groups, message: string) => Saying];

type Groups = Readonly<Record<string, string>>;

// smtpd.c, `client->namaddr`: `name[address]`, or with the port `name[address]:port`. A name is the peer's own choice.
const CLIENT = String.raw`[^\s[\]]{1,255}\[(?<client>[0-9A-Fa-f.:]+)\](?::(?<port>\d+))?`;
// postscreen.h: `[address]:port`.
const SCREENED = String.raw`\[(?<client>[0-9A-Fa-f.:]+)\]:(?<port>\d+)`;

const SMTPD: readonly Rule[] = [
  [new RegExp(`^connect from ${CLIENT}$`), () => ({ kind: 'connect' })],
  [
    new RegExp(
      String.raw`^(?<what>timeout|lost connection) after (?<after>[A-Z]+)(?: \(\d+ bytes\))? from ${CLIENT}$`,
    ),
    ({ what, after = '' }) => ({ kind: what === 'timeout' ? 'timeout' : 'lost', after }),
  ],
  // The tally may run on behind what was cut.
  [
    new RegExp(String.raw`^disconnect from ${CLIENT}(?: |$)`),
    (_groups, message) => ({ kind: 'disconnect', tally: tallyOf(message) }),
  ],
  [
    new RegExp(
      String.raw`^(?:NOQUEUE|[0-9A-Za-z]{6,20}): reject: (?<stage>[A-Z-]+) from ${CLIENT}: (?<code>\d{3}) `,
    ),
    ({ stage = '', code }) => ({ kind: 'reject', stage, code: Number(code) }),
  ],
  [
    new RegExp(String.raw`^improper command pipelining after (?<after>[A-Z]+) from ${CLIENT}(?::|$)`),
    ({ after = '' }) => ({ kind: 'pipelining', after }),
  ],
];

const POSTSCREEN: readonly Rule[] = [
  [new RegExp(String.raw`^CONNECT from ${SCREENED}(?: to |$)`), () => ({ kind: 'connect' })],
  [
    new RegExp(String.raw`^PREGREET (?<octets>\d+) after (?<after>[\d.]+) from ${SCREENED}(?::|$)`),
    ({ octets, after }) => ({ kind: 'pregreet', octets: Number(octets), after: Number(after) }),
  ],
  [
    new RegExp(String.raw`^PASS (?<how>NEW|OLD) ${SCREENED}$`),
    ({ how }) => ({ kind: 'pass', how: how === 'OLD' ? 'OLD' : 'NEW' }),
  ],
  [
    new RegExp(String.raw`^HANGUP after (?<after>[\d.]+) from ${SCREENED}(?: in |$)`),
    ({ after }) => ({ kind: 'hangup', after: Number(after) }),
  ],
  [
    new RegExp(String.raw`^COMMAND TIME LIMIT from ${SCREENED}(?: after (?<after>[A-Z]+))?`),
    ({ after = '' }) => ({ kind: 'timeout', after: after === '' ? 'CONNECT' : after }),
  ],
  [new RegExp(String.raw`^DISCONNECT ${SCREENED}$`), () => ({ kind: 'disconnect', tally: {} })],
  [
    new RegExp(String.raw`^NOQUEUE: reject: (?<stage>[A-Z-]+) from ${SCREENED}: (?<code>\d{3}) `),
    ({ stage = '', code }) => ({ kind: 'reject', stage, code: Number(code) }),
  ],
];

// host_and_ident() of Exim: name, `(name that it gave)`, `[address]`, and with log_selectors port and own address.
const PEER = String.raw`(?:[^\s()[\]]{1,255} )?(?:\([^()\s]{0,255}\) )?\[(?<client>[0-9A-Fa-f.:]+)\](?::(?<port>\d+))?`;
/** D= is there from Exim 4.91 on; what stands before it is left alone. */
const LASTED = String.raw`(?:.{0,400}? D=(?<lasted>[\d.wdhms]+))?`;

const EXIM: readonly Rule[] = [
  // log_selector +smtp_connection.
  [
    new RegExp(String.raw`^(?:\[\d+\] )?SMTP connection from ${PEER}(?: I=\S+)? \(TCP/IP connection count`),
    () => ({ kind: 'connect' }),
  ],
  [
    new RegExp(String.raw`^(?:\[\d+\] )?SMTP connection from ${PEER}(?: I=\S+)?(?: Ci=\d+)? lost${LASTED}`),
    () => ({ kind: 'lost', after: '' }),
  ],
  [
    new RegExp(
      String.raw`^(?:\[\d+\] )?SMTP connection from ${PEER}(?: I=\S+)?(?: Ci=\d+)?(?: D=(?<lasted>[\d.wdhms]+))? (?:closed|\(deferred\))`,
    ),
    () => ({ kind: 'disconnect', tally: {} }),
  ],
  [
    new RegExp(
      String.raw`^(?:\[\d+\] )?(?:\S{16,23} )?SMTP (?<what>command|data) timeout (?:\(message abandoned\) )?on(?: TLS)? connection from ${PEER}${LASTED}`,
    ),
    ({ what }) => ({ kind: 'timeout', after: what === 'data' ? 'DATA' : '' }),
  ],
  [
    new RegExp(
      String.raw`^(?:\[\d+\] )?unexpected disconnection while reading SMTP command from ${PEER}${LASTED}`,
    ),
    () => ({ kind: 'lost', after: '' }),
  ],
  [
    new RegExp(
      String.raw`^(?:\[\d+\] )?SMTP protocol synchronization error \(input sent without waiting for greeting\): .{0,40}? from H=${PEER}`,
    ),
    () => ({ kind: 'pipelining', after: 'CONNECT' }),
  ],
  // log_selector +smtp_no_mail.
  [
    new RegExp(String.raw`^(?:\[\d+\] )?no MAIL in SMTP connection from ${PEER}${LASTED}`),
    () => ({ kind: 'disconnect', tally: {} }),
  ],
];

/** sendmail's own words: `name [address]`, or `[address]`, with `(may be forged)` behind it. */
const RELAY = String.raw`(?:[^\s[\]]{1,255} )?\[(?:IPv6:)?(?<client>[0-9A-Fa-f.:]+)\]`;
const QUEUED = String.raw`^(?:NOQUEUE|\w{8,20}): `;

const SENDMAIL: readonly Rule[] = [
  // LogLevel 12 and more.
  [new RegExp(String.raw`${QUEUED}(?:SMTP )?connect from ${RELAY}`), () => ({ kind: 'connect' })],
  [
    new RegExp(
      String.raw`${QUEUED}lost input channel from ${RELAY}(?: \(may be forged\))? to \S+ after (?<after>\w+)`,
    ),
    ({ after = '' }) => ({ kind: 'lost', after: commandOf(after) }),
  ],
  // It names the peer as it likes: the line behind it has the address.
  [
    new RegExp(
      String.raw`${QUEUED}timeout waiting for input from .{1,255} during (?<during>server cmd read|message collect)`,
    ),
    ({ during }) => ({ kind: 'timeout', after: during === 'message collect' ? 'DATA' : '' }),
  ],
  [
    new RegExp(
      String.raw`${QUEUED}rejecting commands from ${RELAY}.{0,40} due to pre-greeting traffic after (?<seconds>\d+) seconds`,
    ),
    () => ({ kind: 'pipelining', after: 'CONNECT' }),
  ],
  [
    new RegExp(
      String.raw`${QUEUED}${RELAY}(?: \(may be forged\))? did not issue MAIL/EXPN/VRFY/ETRN during connection`,
    ),
    () => ({ kind: 'disconnect', tally: {} }),
  ],
  [new RegExp(String.raw`${QUEUED}from=.{0,400}, relay=${RELAY}`), () => ({ kind: 'mail' })],
];

/** `startup` is what sendmail calls the time before the first command. */
function commandOf(word: string): string {
  return word === 'startup' ? 'CONNECT' : word.toUpperCase();
}

function tallyOf(message: string): Tally {
  const tally: Record<string, readonly [number, number]> = {};
  for (const [, name = '', accepted = '', tried = accepted] of message.matchAll(
    / ([a-z]+)=(\d+)(?:\/(\d+))?/g,
  )) {
    if (Object.keys(tally).length < VERBS) tally[name] = [Number(accepted), Number(tried)];
  }
  return tally;
}

const VERBS = 40;

export const DIALECTS: readonly Dialect[] = [
  { daemon: 'smtpd', program: /(?:^|\/)smtpd(?:\[\d+\])?$/, rules: SMTPD },
  { daemon: 'postscreen', program: /(?:^|\/)postscreen(?:\[\d+\])?$/, rules: POSTSCREEN },
  { daemon: 'exim', program: /^exim\d?(?:\[\d+\])?$/, rules: EXIM },
  {
    daemon: 'sendmail',
    program: /^(?:sendmail|sm-mta|sendmail-mta|MTA|sm-msp)(?:\[\d+\])?$/,
    rules: SENDMAIL,
  },
];
