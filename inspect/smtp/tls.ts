// TLS seen from outside: records (RFC 8446 §5.1), the hellos, and where the handshake ends. Nothing is decrypted.

import type { Direction, TlsFacts } from '../events';
import { TLS_HELLO, TLS_RECORD } from '../limits';
import type { Quotable } from '../quotable';
import { type Hello, parseHello, versionName } from './tls-hello';

/** What a stretch of TLS told; `index` is just behind the octet that told it. */
export type TlsNews =
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
          side.header.push(bytes[i] ?? 0);
          i += 1;
          if (!couldBeHeader(side.header, side.first)) {
            const begun = side.header.length > 1 || !sides.client.first || !sides.server.first;
            return [...news, { kind: 'not-tls', index: i, begun }];
          }
          if (side.header.length === HEADER) beginRecord(side);
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
  header: number[];
  /** Octets of the current record's payload to come. */
  left: number;
  type: number;
  first: boolean;
  alert: number[];
  /** The handshake message that is being put together, while it may still be the hello. */
  message: Uint8Array | undefined;
  /** The hello was read. */
  said: boolean;
  changedCipher: boolean;
  /** Records under the agreed keys: after ChangeCipherSpec, or application data after the ServerHello. */
  protectedRecords: number;
}

function createSide(): Side {
  return {
    header: [],
    left: 0,
    type: 0,
    first: true,
    alert: [],
    message: NOTHING,
    said: false,
    changedCipher: false,
    protectedRecords: 0,
  };
}

/** A record header begins with a content type and major version 3; the first record is a hello or an alert. */
function couldBeHeader(header: readonly number[], first: boolean): boolean {
  const [type, major] = header;
  if (type === undefined || type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA) return false;
  if (first && type !== HANDSHAKE && type !== ALERT) return false;
  if (major !== undefined && major !== MAJOR) return false;
  return header.length < HEADER || recordLength(header) <= TLS_RECORD;
}

function recordLength(header: readonly number[]): number {
  return (header[3] ?? 0) * 256 + (header[4] ?? 0);
}

function beginRecord(side: Side): void {
  side.type = side.header[0] ?? 0;
  side.left = recordLength(side.header);
  side.header = [];
  side.first = false;
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
  const message = new Uint8Array(side.message.length + piece.length);
  message.set(side.message);
  message.set(piece, side.message.length);
  const wanted = message.length < MESSAGE_HEADER ? undefined : MESSAGE_HEADER + messageLength(message);
  if (wanted === undefined || message.length < wanted) {
    side.message = message.length > TLS_HELLO || (wanted ?? 0) > TLS_HELLO ? undefined : message;
    return undefined;
  }
  const hello = parseHello(message.subarray(0, wanted));
  side.message = undefined;
  side.said = hello !== undefined;
  return hello;
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
const HEADER = 5;
const MESSAGE_HEADER = 4;
const CHANGE_CIPHER_SPEC = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;
const MAJOR = 3;
