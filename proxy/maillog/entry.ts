// One line of Postfix's log: who, when, what. Nothing of envelopes, queue files or message headers is kept.

import type { Micros } from '../../inspect/events';

/** Commands of a `disconnect` line: accepted, and tried (postfix: `rcpt=1/2`, `ehlo=1`). */
export type Tally = Readonly<Record<string, readonly [accepted: number, tried: number]>>;

/** What a line says of a connection. */
export type Saying =
  | { readonly kind: 'connect' }
  /** `after`: the last command, `CONNECT` where there was none. */
  | { readonly kind: 'timeout' | 'lost'; readonly after: string }
  | { readonly kind: 'disconnect'; readonly tally: Tally }
  /** `NOQUEUE: reject: RCPT …: 554 5.7.1`: the command and the code. */
  | { readonly kind: 'reject'; readonly stage: string; readonly code: number }
  | { readonly kind: 'pipelining'; readonly after: string }
  /** postscreen: the client talked `after` seconds, before its turn. */
  | { readonly kind: 'pregreet'; readonly octets: number; readonly after: number }
  | { readonly kind: 'pass'; readonly how: 'NEW' | 'OLD' }
  | { readonly kind: 'hangup'; readonly after: number };

export interface Entry {
  /** When it was written; where the line has no zone, its local time taken as UTC. */
  readonly at: Micros;
  readonly zoned: boolean;
  readonly daemon: 'smtpd' | 'postscreen';
  /** Program and process: `postfix/smtpd[4]`; one smtpd serves one connection at a time. */
  readonly process: string;
  readonly client: string;
  /** postscreen always logs it; smtpd with `smtpd_client_port_logging = yes`. */
  readonly port?: number;
  readonly says: Saying;
}

/** What a log line is made of, whatever its format. */
export interface Line {
  readonly at: Micros;
  readonly zoned: boolean;
  /** `postfix/smtpd[4]` */
  readonly process: string;
  readonly message: string;
}

/** Reads one line's message; `undefined`: nothing that is about a connection. */
export function parseMessage({ at, zoned, process, message }: Line): Entry | undefined {
  const daemon = /(smtpd|postscreen)\[\d+\]$/.exec(process)?.[1];
  if (daemon !== 'smtpd' && daemon !== 'postscreen') return undefined;
  const head = message.slice(0, LONGEST);
  for (const [pattern, make] of daemon === 'smtpd' ? SMTPD : POSTSCREEN) {
    const groups = pattern.exec(head)?.groups;
    if (!groups) continue;
    const { client = '', port } = groups;
    return {
      ...{ at, zoned, daemon, process },
      client: client.toLowerCase(),
      ...(port !== undefined && { port: Number(port) }),
      says: make(groups, message),
    };
  }
  return undefined;
}

type Groups = Readonly<Record<string, string>>;
type Rule = readonly [pattern: RegExp, make: (groups: Groups, message: string) => Saying];

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

function tallyOf(message: string): Tally {
  const tally: Record<string, readonly [number, number]> = {};
  for (const [, name = '', accepted = '', tried = accepted] of message.matchAll(
    / ([a-z]+)=(\d+)(?:\/(\d+))?/g,
  )) {
    if (Object.keys(tally).length < VERBS) tally[name] = [Number(accepted), Number(tried)];
  }
  return tally;
}

/** Characters that are looked at: names have 255, addresses 39, the words between them few. */
const LONGEST = 600;
const VERBS = 40;
