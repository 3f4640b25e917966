// The grammar of one line: commands (RFC 5321 §4.1) and reply lines (RFC 5321 §4.2, RFC 2034).

import type { Phase } from '../events';
import { NOTHING_SAID, type Quotable } from '../quotable';
import { latin1 } from '../text';
import { quoteArgument, type Redaction } from './argument';

/** What a reply makes of the client's next octets, where they are not commands. */
export type Next =
  /** A message, up to CRLF . CRLF. */
  | 'body'
  /** As many octets as the command said; where it said none, all until the server speaks again. */
  | 'blob'
  | 'tls'
  /** None: the two change places, and the other one gives the commands (RFC 2645 §5). */
  | 'turned';

/** What a command means for the dialogue. This table is the only place that knows one verb from another. */
export interface Verb {
  readonly phase: Phase;
  /** RFC 2920 §3.1: must be the last of a pipelined group, since its reply decides what follows. */
  readonly endsGroup?: true;
  /**
   * What the client's next octets are, by the code of the reply; behind any other code they are commands. Octets
   * behind such a command are not read before its reply is there.
   */
  readonly next?: Readonly<Record<number, Next>>;
  /** The 2xx and 3xx that it can have, where they are few: they distinguish its reply from another command's. */
  readonly codes?: readonly number[];
  /** What a 2xx makes of the transaction (RFC 5321 §3.3): its recipients are forgotten, or one is added. */
  readonly recipients?: 'none' | 'one more';
}

const HELLO: Verb = { phase: 'hello', endsGroup: true, codes: [250], recipients: 'none' };
const UPGRADE: Verb = { phase: 'starttls', endsGroup: true, codes: [220], next: { 220: 'tls' } };
// Its 334 asks for a line that is a secret, as any 334 does.
const LOGIN: Verb = { phase: 'auth', endsGroup: true, codes: [235, 334], next: {} };
const SENDER: Verb = { phase: 'mail', recipients: 'none' };
const TURN: Verb = { phase: 'other', endsGroup: true, next: { 250: 'turned' } };
const ALONE: Verb = { phase: 'other', endsGroup: true };
// Behind an unknown verb its reply shows what follows.
const UNKNOWN: Verb = { phase: 'other', next: { 353: 'blob', 354: 'blob' } };

/** The verbs that are known by name: RFC 5321 §4.1.1, its extensions, and what Postfix and Exchange add. */
export const VERBS: Readonly<Record<string, Verb>> = {
  EHLO: HELLO,
  HELO: HELLO,
  LHLO: HELLO,
  STARTTLS: UPGRADE,
  'X-ANONYMOUSTLS': UPGRADE,
  AUTH: LOGIN,
  'X-EXPS': LOGIN,
  MAIL: SENDER,
  SEND: SENDER,
  SOML: SENDER,
  SAML: SENDER,
  RCPT: { phase: 'rcpt', recipients: 'one more' },
  DATA: { phase: 'data', endsGroup: true, codes: [353, 354], next: { 353: 'body', 354: 'body' } },
  BDAT: { phase: 'message' },
  BURL: { phase: 'message', endsGroup: true },
  RSET: { phase: 'reset', recipients: 'none' },
  QUIT: { phase: 'quit', endsGroup: true, codes: [221] },
  NOOP: ALONE,
  VRFY: ALONE,
  EXPN: ALONE,
  HELP: ALONE,
  TURN,
  ATRN: TURN,
  ETRN: { phase: 'other' },
  // Its 220 is a greeting: the session begins anew, as another client's.
  XCLIENT: { phase: 'other', endsGroup: true, codes: [220], recipients: 'none' },
  XFORWARD: { phase: 'other' },
  XEXCH50: { phase: 'other', endsGroup: true, codes: [250, 353, 354], next: { 353: 'blob', 354: 'blob' } },
  'X-LINK2STATE': ALONE,
  XPROXY: ALONE,
  XPROXYFROM: ALONE,
  XPROXYTO: ALONE,
  XSESSIONPARAMS: ALONE,
  XSHADOW: ALONE,
  XSHADOWREQUEST: ALONE,
  XQDISCARD: ALONE,
  XRDST: ALONE,
};

/** The message behind a 354. Of BDAT and BURL its 353 (PRDR) too is one of theirs. */
export const MESSAGE: Verb = { phase: 'message' };

/** Commands that were missed: any number of them, none included. */
export const UNSEEN: Verb = { phase: 'other' };

/** Whether a command can have this reply. A server may refuse anything. */
export function canHave(rule: Verb, code: number): boolean {
  if (code >= 400 || rule === UNKNOWN) return true;
  if (rule.codes) return rule.codes.includes(code);
  return rule.phase === 'message' ? code < 300 || code === 353 : !OWNED.has(code);
}

/** Why a command line looks wrong; the names are those of `Anomaly`. */
type CommandAnomaly = 'unknown-command' | 'bad-syntax' | 'masked' | 'http' | 'proxy-header';

export interface Command {
  /** Upper case, a key of `VERBS`, or `?`. */
  readonly verb: string;
  readonly rule: Verb;
  /** As far as it may be quoted; of an unknown command nothing: it may be a password. */
  readonly argument: Quotable;
  /** All of the argument is quoted. */
  readonly whole: boolean;
  /** The line is this verb's beyond doubt. */
  readonly parses: boolean;
  readonly anomaly?: CommandAnomaly;
  /** Of a well-formed BDAT: its octets (RFC 3030 §2). */
  readonly chunk?: number;
  /** Its 2xx is that of a message: `BDAT n LAST`, `BURL url LAST` (RFC 4468 §3.2). */
  readonly last?: true;
  /** Octets of the blob that the server will ask for. */
  readonly blob?: number;
}

/** Reads a command line without its terminator. Verbs are case-insensitive (RFC 5321 §2.4). */
export function parseCommand(line: Uint8Array, redact?: Redaction): Command {
  const text = latin1(line.subarray(0, MAX_VERB_LINE));
  const word = /^[A-Za-z][A-Za-z0-9-]*/.exec(text)?.[0] ?? '';
  const verb = word.toUpperCase();
  const rule = Object.hasOwn(VERBS, verb) && isBoundary(text[word.length]) ? VERBS[verb] : undefined;
  if (!rule) return parseLeniently(line, redact) ?? unknown(anomalyOf(text));
  const rest = trim(line.subarray(word.length));
  const words = latin1(rest);
  const { text: argument, whole, parses } = quoteArgument(verb, rest, words, redact);
  const command = { verb, rule, argument, whole, parses };
  const size = SIZES[verb];
  if (size) return { ...command, ...size(words) };
  const wanted = SYNTAX[verb];
  return wanted && !wanted.test(words) ? { ...command, anomaly: 'bad-syntax' } : command;
}

/** A verb as lenient servers find it: behind blanks and control characters, or before a CR. */
function parseLeniently(line: Uint8Array, redact?: Redaction): Command | undefined {
  let [start, end] = [0, line.length];
  while (start < end && isIgnored(line[start])) start += 1;
  while (end > start && isIgnored(line[end - 1])) end -= 1;
  if (start === end || end - start === line.length) return undefined;
  const command = parseCommand(line.subarray(start, end), redact);
  return command.verb === '?'
    ? undefined
    : { ...command, whole: false, parses: false, anomaly: 'bad-syntax' };
}

/** Octets before a verb that some server leaves out: blanks, control characters, what is no ASCII. */
export function isIgnored(octet = 0): boolean {
  return octet <= SPACE || octet >= DELETE;
}

function unknown(anomaly: CommandAnomaly): Command {
  return { verb: '?', rule: UNKNOWN, argument: NOTHING_SAID, whole: false, parses: false, anomaly };
}

/** A line of a reply. */
export interface ReplyLine {
  readonly code: number;
  /** A continuation follows: `250-`. */
  readonly more: boolean;
  /** Code and separator as RFC 5321 §4.2 wants them; a bare `250` counts as well formed (§4.2.1). */
  readonly wellFormed: boolean;
  readonly enhanced?: string;
  /** Behind code, separator and enhanced code. */
  readonly text: Uint8Array;
}

/**
 * Reads a reply line without its terminator, as tolerantly as clients do: three digits make a reply line,
 * and it is the last one unless a hyphen follows. `undefined`: not a reply line.
 */
export function parseReplyLine(line: Uint8Array): ReplyLine | undefined {
  const [first, second, third] = [digit(line[0]), digit(line[1]), digit(line[2])];
  if (first < 1 || first > 5 || second < 0 || third < 0) return undefined;
  const code = first * 100 + second * 10 + third;
  const separator = line[3];
  const more = separator === HYPHEN;
  const wellFormed = more || separator === SPACE || separator === undefined;
  const text = line.subarray(wellFormed ? 4 : 3);
  // RFC 2034 §4: its class must be that of the code.
  const enhanced = text[0] === line[0] && text[1] === DOT ? enhancedOf(text) : undefined;
  if (enhanced === undefined) return { code, more, wellFormed, text };
  return { code, more, wellFormed, enhanced, text: text.subarray(enhanced.length + 1) };
}

function enhancedOf(text: Uint8Array): string | undefined {
  return /^([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)/.exec(latin1(text.subarray(0, 12)))?.[1];
}

/** -1 where it is none. */
function digit(octet: number | undefined): number {
  return octet !== undefined && octet >= ZERO && octet <= NINE ? octet - ZERO : -1;
}

function chunkOf(argument: string): Pick<Command, 'chunk' | 'last' | 'anomaly'> {
  const match = /^([0-9]{1,15})([ \t]+LAST)?$/i.exec(argument);
  if (!match) return { anomaly: 'bad-syntax' };
  return { chunk: Number(match[1]), ...(match[2] !== undefined && { last: true }) };
}

/** `BURL url LAST` */
function referenceOf(argument: string): Pick<Command, 'last'> {
  return / LAST$/i.test(argument) ? { last: true } : {};
}

/** `XEXCH50 60 2`: 60 octets. */
function blobOf(argument: string): Pick<Command, 'blob'> {
  const size = /^[0-9]{1,15}(?= |$)/.exec(argument)?.[0];
  return size === undefined ? {} : { blob: Number(size) };
}

/** A word that a middlebox wrote over, octet for octet: `XXXX`, or `XXXXXXXA` where one octet was left. */
export function isMasked(text: string): boolean {
  return /^X{4,}[A-Z]?(?:[ \t]|$)/.test(text);
}

/** A request line (RFC 9112 §3). */
export function isHttp(text: string): boolean {
  return /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|PATCH|TRACE) \S+ HTTP\//.test(text);
}

function anomalyOf(text: string): CommandAnomaly {
  if (isMasked(text)) return 'masked';
  if (isHttp(text)) return 'http';
  if (text.startsWith('PROXY ') || text.startsWith('\0\r\nQUIT\n')) return 'proxy-header';
  return 'unknown-command';
}

function isBoundary(character: string | undefined): boolean {
  return character === undefined || character === ' ' || character === '\t';
}

function trim(bytes: Uint8Array): Uint8Array {
  let start = 0;
  let end = bytes.length;
  while (start < end && isBlank(bytes[start])) start += 1;
  while (end > start && isBlank(bytes[end - 1])) end -= 1;
  return bytes.subarray(start, end);
}

function isBlank(octet: number | undefined): boolean {
  return octet === SPACE || octet === TAB;
}

const TAB = 0x09;
const SPACE = 0x20;
const DELETE = 0x7f;
const HYPHEN = 0x2d;
const DOT = 0x2e;
const [ZERO, NINE] = [0x30, 0x39] as const;

/** Codes that few verbs have. */
const OWNED: ReadonlySet<number> = new Set(
  Object.values(VERBS).flatMap(({ codes = [] }) => codes.filter((code) => code !== 250)),
);

/** What an argument says of the octets behind the line. */
const SIZES: Readonly<Record<string, (argument: string) => Partial<Command>>> = {
  BDAT: chunkOf,
  BURL: referenceOf,
  XEXCH50: blobOf,
};

// What must follow these verbs at the least; servers are lenient about the rest, and so are we.
const SYNTAX: Readonly<Record<string, RegExp>> = {
  EHLO: /^\S/,
  HELO: /^\S/,
  LHLO: /^\S/,
  MAIL: /^FROM:/i,
  RCPT: /^TO:/i,
};

// Enough to recognise any verb and an HTTP request line.
const MAX_VERB_LINE = 2_048;
