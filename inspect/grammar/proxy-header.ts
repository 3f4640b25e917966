// The PROXY protocol's header, versions 1 and 2: octets to addresses and back.
//
// Source: haproxy.org/download/2.6/doc/proxy-protocol.txt ("the specification" below).

import {
  addressOctets,
  ipv4Octets,
  ipv6Octets,
  ipv6Text,
  mapped,
  plainText,
  type Endpoint,
} from '../address';
import type { ProxyFacts } from '../events';
import { fromLatin1, latin1 } from '../text';

export interface ProxyHeader extends ProxyFacts {
  readonly kind: 'header';
  /** Type, length and value of each extension, as they came. Those of `local` belong to no client, and are not kept. */
  readonly extensions: Uint8Array;
  /** Octets of the header; what follows is the connection's own. */
  readonly length: number;
}

export type ProxyParse =
  | ProxyHeader
  /** With fewer than `needed` octets nothing more can be said. */
  | { readonly kind: 'incomplete'; readonly needed: number }
  /** `why` says what is there instead, and never quotes it. */
  | { readonly kind: 'invalid'; readonly why: string };

/**
 * Reads the header at the start of a connection. `incomplete` only while the octets can still become a valid
 * header, so a stranger is found out by his first wrong octet. Never throws.
 */
export function parseProxyHeader(bytes: Uint8Array): ProxyParse {
  if (bytes.length === 0) return incomplete(1);
  if (agrees(bytes, SIGNATURE_1)) return parseText(bytes);
  if (agrees(bytes, SIGNATURE_2)) return parseBinary(bytes);
  return invalid(NO_HEADER);
}

/**
 * The header that says a connection came from `source` to `destination`. Two families are brought to one by mapping
 * IPv4 into IPv6. `extensions` go behind version 2's addresses, a checksum among them made anew; version 1 has none.
 */
export function formatProxyHeader(
  version: 1 | 2,
  source: Endpoint,
  destination: Endpoint,
  extensions: Uint8Array = NONE,
): Uint8Array {
  const [from, to] = sameFamily(octetsOf(source), octetsOf(destination));
  const four = from.length === 4;
  if (version === 1) {
    const family = four ? 'TCP4' : 'TCP6';
    // What was mapped has to be written so: a reader of TCP6 takes no dotted address.
    const [a, b] = four ? [source.address, destination.address] : [ipv6Text(from, 0), ipv6Text(to, 0)];
    return fromLatin1(`PROXY ${family} ${a} ${b} ${source.port} ${destination.port}\r\n`);
  }
  const ports = [source.port >> 8, source.port & 0xff, destination.port >> 8, destination.port & 0xff];
  const block = [...from, ...to, ...ports];
  const length = block.length + extensions.length;
  const head = [...SIGNATURE_2, PROXY_2, four ? TCP4 : TCP6, length >> 8, length & 0xff, ...block];
  const header = new Uint8Array(head.length + extensions.length);
  header.set(head);
  header.set(extensions, head.length);
  const checksum = findExtension(header.subarray(head.length), CRC32C);
  if (checksum >= 0) writeChecksum(header, head.length + checksum);
  return header;
}

/** Version 2's "LOCAL": the sender speaks for itself. Version 1 has no such word that servers take: see `formatProxyHeader`. */
export function formatLocalHeader(): Uint8Array {
  return Uint8Array.from([...SIGNATURE_2, LOCAL, 0, 0, 0]);
}

/** Takes a header that comes in pieces off a stream, at a cost that is linear in its octets. */
export interface ProxyReader {
  /** Adds octets; of what is there by now, the first. Nothing is to be added after `header` or `invalid`. */
  take(bytes: Uint8Array): ProxyParse;
  /** All octets that were added; behind a header also what follows it. */
  held(): Uint8Array;
}

export function createProxyReader(): ProxyReader {
  let held: Uint8Array = NONE;
  let length = 0;
  let needed = 0;
  return {
    take(bytes) {
      if (length === 0) {
        // Nearly always all of it comes at once, and nothing has to be copied.
        const parsed = parseProxyHeader(bytes);
        // A copy, and not by `slice`: that of a Buffer is none.
        held = parsed.kind === 'incomplete' ? new Uint8Array(bytes) : bytes;
        length = bytes.length;
        if (parsed.kind === 'incomplete') needed = parsed.needed;
        return parsed;
      }
      if (length + bytes.length > held.length) {
        const more = new Uint8Array(Math.max(2 * held.length, length + bytes.length));
        more.set(held.subarray(0, length));
        held = more;
      }
      held.set(bytes, length);
      length += bytes.length;
      if (length < needed) return incomplete(needed);
      const parsed = parseProxyHeader(held.subarray(0, length));
      if (parsed.kind === 'incomplete') needed = parsed.needed;
      return parsed;
    },
    held: () => held.subarray(0, length),
  };
}

/** Specification §2.1: one line of at most 107 octets with its CRLF, single spaces, no leading zeros. */
function parseText(bytes: Uint8Array): ProxyParse {
  const end = bytes.subarray(0, LINE_1).indexOf(LF);
  if (end < 0)
    return bytes.length < LINE_1 ? incomplete(bytes.length + 1) : invalid('PROXY v1: line too long');
  if (bytes[end - 1] !== CR) return invalid('PROXY v1: line ends without CR');
  const found = { kind: 'header', version: 1, command: 'proxy', extensions: NONE, length: end + 1 } as const;
  const line = latin1(bytes.subarray(0, end - 1));
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return found;
  const [, family, from = '', to = '', fromPort, toPort, ...rest] = line.split(' ');
  if (family !== 'TCP4' && family !== 'TCP6') return invalid('PROXY v1: unknown protocol');
  if (rest.length > 0) return invalid('PROXY v1: too many fields');
  const source = endOf(family, from, fromPort);
  const destination = endOf(family, to, toPort);
  if (source === undefined || destination === undefined) return invalid('PROXY v1: bad address or port');
  return { ...found, source, destination };
}

function endOf(family: 'TCP4' | 'TCP6', text: string, port = ''): Endpoint | undefined {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) return undefined;
  const found = family === 'TCP4' ? ipv4Octets(text) : ipv6Octets(text);
  return found && { address: plainText(found, 0, found.length), port: Number(port) };
}

/** Specification §2.2: 16 octets, an address block by family, then extensions (TLVs) up to the length. */
function parseBinary(bytes: Uint8Array): ProxyParse {
  const [command = LOCAL, family = 0] = bytes.subarray(SIGNATURE_2.length);
  if (command >> 4 !== 2) return invalid(`PROXY v2 with wrong version ${command >> 4}`);
  if (command !== PROXY_2 && command !== LOCAL)
    return invalid(`PROXY v2 with unknown command ${command & 15}`);
  // "The receiver must accept this connection as valid and must use the real connection endpoints and discard
  // the protocol block including the family which is ignored."
  const size = command === LOCAL ? 0 : ADDRESS_BLOCK[family];
  if (size === undefined)
    return invalid(`PROXY v2 with unknown family or transport 0x${family.toString(16)}`);
  if (bytes.length < HEAD_2) return incomplete(bytes.length < HEAD_2 - 2 ? bytes.length + 1 : HEAD_2);
  const declared = ((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0);
  if (declared < size) return invalid('PROXY v2 shorter than its addresses');
  const length = HEAD_2 + declared;
  if (bytes.length < length) return incomplete(length);
  const found = { kind: 'header', version: 2, extensions: NONE, length } as const;
  if (command === LOCAL) return { ...found, command: 'local' };
  const extensions = wholeOf(new Uint8Array(bytes.subarray(HEAD_2 + size, length)));
  const checksum = findExtension(extensions, CRC32C);
  if (checksum >= 0 && !isChecked(new Uint8Array(bytes.subarray(0, length)), HEAD_2 + size + checksum)) {
    return invalid('PROXY v2 whose checksum does not match');
  }
  const ends = family === TCP4 || family === TCP6 ? readPair(bytes, family === TCP4 ? 4 : 16) : {};
  return { ...found, command: 'proxy', extensions, ...ends };
}

function readPair(bytes: Uint8Array, width: number): Required<Pick<ProxyFacts, 'source' | 'destination'>> {
  const end = (nth: number): Endpoint => {
    const port = HEAD_2 + 2 * width + 2 * nth;
    return {
      address: plainText(bytes, HEAD_2 + nth * width, width),
      port: ((bytes[port] ?? 0) << 8) | (bytes[port + 1] ?? 0),
    };
  };
  return { source: end(0), destination: end(1) };
}

/** None where their lengths do not add up: they would spoil a header that is made of them. */
function wholeOf(extensions: Uint8Array): Uint8Array {
  let at = 0;
  while (at + 3 <= extensions.length) at += 3 + sizeAt(extensions, at);
  return at === extensions.length ? extensions : NONE;
}

function sizeAt(extensions: Uint8Array, at: number): number {
  return ((extensions[at + 1] ?? 0) << 8) | (extensions[at + 2] ?? 0);
}

/** Where the value of the first one of this type begins; -1: there is none. */
function findExtension(extensions: Uint8Array, type: number): number {
  for (let at = 0; at + 3 <= extensions.length; at += 3 + sizeAt(extensions, at)) {
    if (extensions[at] === type) return sizeAt(extensions, at) === 4 ? at + 3 : -1;
  }
  return -1;
}

/** §2.2.4: over the whole header, the checksum itself taken as zeros. */
function writeChecksum(header: Uint8Array, at: number): void {
  header.fill(0, at, at + 4);
  new DataView(header.buffer, header.byteOffset).setUint32(at, crc32c(header));
}

function isChecked(header: Uint8Array, at: number): boolean {
  const view = new DataView(header.buffer, header.byteOffset);
  const said = view.getUint32(at);
  writeChecksum(header, at);
  return view.getUint32(at) === said;
}

/** RFC 3720 appendix B.4. */
function crc32c(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (const octet of bytes) {
    sum ^= octet;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? CASTAGNOLI : 0);
  }
  return ~sum >>> 0;
}

/** `PROXY v1, 198.51.100.7 port 4321 to 203.0.113.25 port 25`. */
export function describeProxy({ version, command, source, destination }: ProxyFacts): string {
  const name = `PROXY v${version}`;
  if (command === 'local') return `${name} LOCAL`;
  if (!source || !destination) return `${name} without addresses`;
  return `${name}, ${source.address} port ${source.port} to ${destination.address} port ${destination.port}`;
}

/** As far as both go, they are the same. */
function agrees(bytes: Uint8Array, signature: Uint8Array): boolean {
  const shared = Math.min(bytes.length, signature.length);
  for (let i = 0; i < shared; i++) if (bytes[i] !== signature[i]) return false;
  return true;
}

function octetsOf({ address }: Endpoint): Uint8Array {
  const plain = address.replace(/%.*$/, '');
  return addressOctets(plain) ?? new Uint8Array(16);
}

function sameFamily(from: Uint8Array, to: Uint8Array): [Uint8Array, Uint8Array] {
  if (from.length === to.length) return [from, to];
  return [from.length === 4 ? mapped(from) : from, to.length === 4 ? mapped(to) : to];
}

function incomplete(needed: number): ProxyParse {
  return { kind: 'incomplete', needed };
}

function invalid(why: string): ProxyParse {
  return { kind: 'invalid', why };
}

/** Why of octets that are not even the beginning of one. */
export const NO_HEADER = 'no PROXY header';

const NONE = new Uint8Array(0);
const CR = 0x0d;
const LF = 0x0a;

const SIGNATURE_1 = fromLatin1('PROXY ');
// §2.1: "a 108-byte buffer is always enough to store all the line and a trailing zero".
const LINE_1 = 107;

const SIGNATURE_2 = fromLatin1('\r\n\r\n\0\r\nQUIT\n');
const HEAD_2 = 16;
const LOCAL = 0x20;
const PROXY_2 = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;

// By family and transport (§2.2). What is valid but no TCP falls back to "unspecified", as the text asks.
const ADDRESS_BLOCK: Readonly<Record<number, number>> = {
  0x00: 0,
  [TCP4]: 12,
  0x12: 12,
  [TCP6]: 36,
  0x22: 36,
  0x31: 216,
  0x32: 216,
};

/** PP2_TYPE_CRC32C. */
const CRC32C = 0x03;
const CASTAGNOLI = 0x82f6_3b78;

/** Of what a client sends, what is said behind a PROXY header: nothing while it may still be one. */
export function createHeaderSkip(): (bytes: Uint8Array) => Uint8Array {
  let reader: ProxyReader | undefined = createProxyReader();
  return (bytes) => {
    if (reader === undefined) return bytes;
    const parsed = reader.take(bytes);
    if (parsed.kind === 'incomplete') return SILENT;
    const held = reader.held();
    reader = undefined;
    return parsed.kind === 'header' ? held.subarray(parsed.length) : held;
  };
}

const SILENT = new Uint8Array(0);
