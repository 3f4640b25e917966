// TLS seen from outside: records (RFC 8446 §5.1), the hellos, and where the handshake ends. Nothing is decrypted.

import type { Direction, TlsFacts } from '../events';
import { TLS_HELLO, TLS_RECORD } from '../limits';
import type { Quotable } from '../quotable';
import { type Hello, parseHello, versionName } from '../grammar/tls-hello';

/** What a part of TLS showed; `index` is just behind the octet that showed it. */
type TlsNews =
  | { readonly kind: 'hello'; readonly index: number }
  /** Both sides have finished: application data follows. */
  | { readonly kind: 'established'; readonly index: number }
  /** An alert in the clear (RFC 8446 §6): the handshake failed, and this says why. */
  | { readonly kind: 'alert'; readonly index: number; readonly level: number; readonly description: number }
  /** These octets do not begin a TLS record; `begun`: there was TLS before, of either side. */
  | { readonly kind: 'not-tls'; readonly index: number; readonly begun: boolean };

export interface Tls {
  /** Reads `bytes[from…]` of one side; stops early only at `established` and `not-tls`. */
  feed(from: Direction, bytes: Uint8Array, index: number): TlsNews[];
  facts(): TlsFacts;
}

export function createTls(): Tls {
  const sides = { client: createSide(), server: createSide() };
  const facts: { version?: string; sni?: Quotable } = {};
  const learn = (hello: Hello): void => {
    if (hello.from === 'server') facts.version = versionName(hello.version);
    else if (hello.sni !== undefined) facts.sni = hello.sni;
  };
  const established = (): boolean =>
    facts.version === 'TLSv1.3'
      ? sides.client.protectedRecords > 0
      : sides.client.protectedRecords > 0 && sides.server.protectedRecords > 0;

  return {
    feed(from, bytes, index) {
      const side = sides[from];
      const news: TlsNews[] = [];
      let i = index;
      while (i < bytes.length) {
        if (side.left === 0) {
          const fits = takeHeader(side, bytes[i] ?? 0);
          i += 1;
          if (!fits) {
            const begun = side.header > 1 || !sides.client.first || !sides.server.first;
            return [...news, { kind: 'not-tls', index: i, begun }];
          }
          continue;
        }
        const piece = bytes.subarray(i, i + side.left);
        side.left -= piece.length;
        i += piece.length;
        const alert = collectAlert(side, piece);
        if (alert) news.push({ kind: 'alert', index: i, level: alert[0], description: alert[1] });
        const hello = collect(side, piece);
        // Each side says one hello; what the other side's stream carries is not its word.
        if (hello?.from === from) {
          learn(hello);
          news.push({ kind: 'hello', index: i });
        }
        if (side.left > 0) continue;
        endRecord(side, sides.server.said, facts.version);
        if (established()) return [...news, { kind: 'established', index: i }];
      }
      return news;
    },
    facts: () => ({ ...facts }),
  };
}

interface Side {
  /** Octets of the current record's header so far, and the length that they declare. */
  header: number;
  declared: number;
  /** Octets of the current record's payload to come. */
  left: number;
  type: number;
  first: boolean;
  alert: number[];
  /** The handshake message that is being put together, while it may still be the hello; `filled` octets of it. */
  message: Uint8Array | undefined;
  filled: number;
  /** The hello was read. */
  said: boolean;
  changedCipher: boolean;
  /** Records under the agreed keys: after ChangeCipherSpec, or application data after the ServerHello. */
  protectedRecords: number;
}

function createSide(): Side {
  return {
    header: 0,
    declared: 0,
    left: 0,
    type: 0,
    first: true,
    alert: [],
    message: NOTHING,
    filled: 0,
    said: false,
    changedCipher: false,
    protectedRecords: 0,
  };
}

/**
 * One more octet of a record header, which begins with a content type and major version 3; the first record is a
 * hello or an alert. False where it is none.
 */
function takeHeader(side: Side, octet: number): boolean {
  side.header += 1;
  switch (side.header) {
    case 1:
      side.type = octet;
      if (octet < CHANGE_CIPHER_SPEC || octet > APPLICATION_DATA) return false;
      return !side.first || octet === HANDSHAKE || octet === ALERT;
    case 2:
      return octet === MAJOR;
    case 3:
      return true;
    case 4:
      side.declared = octet * 256;
      return true;
    default:
      side.left = side.declared + octet;
      side.header = 0;
      side.first = false;
      return side.left <= TLS_RECORD;
  }
}

function endRecord(side: Side, serverSaid: boolean, version: string | undefined): void {
  if (side.type === CHANGE_CIPHER_SPEC) side.changedCipher = true;
  else if (version === 'TLSv1.3')
    side.protectedRecords += side.type === APPLICATION_DATA && serverSaid ? 1 : 0;
  else if (side.changedCipher) side.protectedRecords += 1;
}

/** Adds to the handshake message; the hello, once it is whole. */
function collect(side: Side, piece: Uint8Array): Hello | undefined {
  if (!side.message || side.type !== HANDSHAKE) return undefined;
  const message = withRoom(side.message, side.filled, piece.length);
  message.set(piece, side.filled);
  side.filled += piece.length;
  const wanted = side.filled < MESSAGE_HEADER ? undefined : MESSAGE_HEADER + messageLength(message);
  if (wanted === undefined || side.filled < wanted) {
    side.message = Math.max(side.filled, wanted ?? 0) > TLS_HELLO ? undefined : message;
    return undefined;
  }
  const hello = parseHello(message.subarray(0, wanted));
  side.message = undefined;
  side.said = hello !== undefined;
  return hello;
}

/** Twice as large each time: octets that come one by one are copied a few times, and not once for each other. */
function withRoom(message: Uint8Array, filled: number, more: number): Uint8Array {
  if (filled + more <= message.length) return message;
  const larger = new Uint8Array(Math.max(FLIGHT, 2 * message.length, filled + more));
  larger.set(message.subarray(0, filled));
  return larger;
}

/** Level and description of an alert in the clear, once both octets are here. */
function collectAlert(side: Side, piece: Uint8Array): [number, number] | undefined {
  if (side.type !== ALERT || side.changedCipher) return undefined;
  // A protected alert is longer than its two octets.
  if (side.alert.length + piece.length + side.left !== 2) return undefined;
  side.alert.push(...piece);
  const [level, description] = side.alert;
  if (level === undefined || description === undefined) return undefined;
  side.alert = [];
  return [level, description];
}

function messageLength(message: Uint8Array): number {
  return (message[1] ?? 0) * 65_536 + (message[2] ?? 0) * 256 + (message[3] ?? 0);
}

const NOTHING = new Uint8Array(0);
/** Most hellos. */
const FLIGHT = 1_024;
const MESSAGE_HEADER = 4;
const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const MAJOR = 3;
