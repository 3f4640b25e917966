// First octets that no SMTP program sends: another protocol at the port of one.

import { latin1 } from '../text';
import { isOdd } from './lines';

/**
 * TLS from the first octet on: a record of a hello or an alert (RFC 8446 §5.1), or an SSLv2 hello with a header of
 * two octets. No SMTP text begins like this, so the first octet decides.
 */
export function beginsTls(start: Uint8Array): boolean {
  const [first] = start;
  return first === HANDSHAKE || first === ALERT || first === SSL2;
}

/** An SSLv2 hello (RFC 5246 appendix E.2): it is no record, and nothing is read of it. */
export function beginsSsl2(start: Uint8Array): boolean {
  return start[0] === SSL2;
}

/** A client's first octet that begins no command: a binary protocol. Blanks may stand before a command. */
export function isForeignClient([first]: Uint8Array): boolean {
  return isOdd(first) && !BLANKS.has(first ?? 0);
}

/** The beginning of a server's stream, as much as there is of it, is no SMTP greeting whatever follows. */
export function isForeignServer(start: Uint8Array): boolean {
  if (beginsTls(start)) return true;
  // Telnet (RFC 854): IAC and WILL, WONT or DO; 0xff 0xfe may be a byte order mark.
  if (start[0] === IAC && (start[1] ?? 0) >= WILL && (start[1] ?? 0) <= DO) return true;
  // MySQL: a packet of under 64 KiB, the first of its connection, with protocol version 10 or an error.
  if (start[2] === 0 && start[3] === 0 && (start[4] === PROTOCOL_10 || start[4] === 0xff)) return true;
  const text = latin1(start.subarray(0, LONGEST));
  return GREETINGS.some((word) => text.startsWith(word));
}

/** Octets that no line of text has: NUL and controls other than blanks and ESC. */
export function isBinary(octets: Uint8Array): boolean {
  return octets.some((octet) => octet < SPACE && octet !== ESC && !BLANKS.has(octet));
}

const HANDSHAKE = 0x16;
const ALERT = 0x15;
const SSL2 = 0x80;
const [IAC, WILL, DO] = [0xff, 0xfb, 0xfd] as const;
const PROTOCOL_10 = 0x0a;
const ESC = 0x1b;
const SPACE = 0x20;
const BLANKS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, SPACE]);

/** RFC 4253 §4.2, RFC 3501 §7.1, RFC 1939 §3, RFC 9112 §4, RFC 6143 §7.1.1, rsync, RFC 5804 §1.7, RFC 1459. */
const GREETINGS: readonly string[] = [
  'SSH-',
  '* OK',
  '* PREAUTH',
  '* BYE',
  '+OK',
  '-ERR',
  'HTTP/',
  'RFB ',
  '@RSYNCD:',
  '"IMPLEMENTATION"',
  ':',
  'NOTICE ',
];
const LONGEST = Math.max(...GREETINGS.map((word) => word.length));
