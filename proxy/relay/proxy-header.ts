// The PROXY protocol's header, versions 1 and 2: octets to addresses and back. Pure.
//
// Source: haproxy.org/download/2.6/doc/proxy-protocol.txt ("the specification" below).

import ipaddr from 'ipaddr.js';
import type { Endpoint } from '../sinks/record';

export type ProxyVersion = 1 | 2;

/** Addresses are absent where the sender did not know them (UNKNOWN, UNSPEC, AF_UNIX, datagrams). */
export interface ProxyHeader {
  readonly kind: 'header';
  readonly source?: Endpoint;
  readonly destination?: Endpoint;
  /** The sender speaks for itself, as in a health check: the connection's own addresses hold. */
  readonly local: boolean;
  /** Octets of the header; what follows is the connection's own. */
  readonly length: number;
}

export type ProxyParse =
  ProxyHeader | { readonly kind: 'incomplete' } | { readonly kind: 'invalid'; readonly why: string };

/**
 * Reads the header at the start of a connection. `incomplete` only while the octets can still become a valid
 * header, so a stranger is found out by his first wrong octet. Never throws.
 */
export function parseProxyHeader(bytes: Uint8Array): ProxyParse {
  if (bytes.length === 0) return INCOMPLETE;
  if (agrees(bytes, SIGNATURE_1)) return parseText(bytes);
  if (agrees(bytes, SIGNATURE_2)) return parseBinary(bytes);
  return invalid('no signature');
}

/**
 * The header that says a connection came from `source` to `destination`. Without both of them it says that
 * the sender speaks for itself (UNKNOWN, LOCAL). Two families are brought to one by mapping IPv4 into IPv6.
 */
export function formatProxyHeader(
  version: ProxyVersion,
  source: Endpoint | undefined,
  destination: Endpoint | undefined,
): Uint8Array {
  if (source === undefined || destination === undefined) return version === 1 ? UNKNOWN_1 : LOCAL_2;
  const [from, to] = sameFamily(ipOf(source), ipOf(destination));
  const four = from.kind() === 'ipv4';
  if (version === 1) {
    const family = four ? 'TCP4' : 'TCP6';
    return octets(`PROXY ${family} ${text(from)} ${text(to)} ${source.port} ${destination.port}\r\n`);
  }
  const addresses = [...from.toByteArray(), ...to.toByteArray()];
  const ports = [source.port >> 8, source.port & 0xff, destination.port >> 8, destination.port & 0xff];
  const block = [...addresses, ...ports];
  return Uint8Array.from([...SIGNATURE_2, PROXY_2, four ? TCP4 : TCP6, 0, block.length, ...block]);
}

/** Specification §2.1: one line of at most 107 octets with its CRLF, single spaces, no leading zeros. */
function parseText(bytes: Uint8Array): ProxyParse {
  const end = bytes.subarray(0, LINE_1).indexOf(LF);
  if (end < 0) return bytes.length < LINE_1 ? INCOMPLETE : invalid('line too long');
  if (bytes[end - 1] !== CR) return invalid('line ends without CR');
  const length = end + 1;
  const line = String.fromCharCode(...bytes.subarray(0, end - 1));
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { kind: 'header', local: false, length };
  const [, family, from = '', to = '', fromPort, toPort, ...rest] = line.split(' ');
  if (family !== 'TCP4' && family !== 'TCP6') return invalid('unknown protocol');
  if (rest.length > 0) return invalid('too many fields');
  const source = endpoint(family, from, fromPort);
  const destination = endpoint(family, to, toPort);
  if (source === undefined || destination === undefined) return invalid('bad address or port');
  return { kind: 'header', source, destination, local: false, length };
}

function endpoint(family: 'TCP4' | 'TCP6', address: string, port = ''): Endpoint | undefined {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) return undefined;
  if (family === 'TCP4') {
    return ipaddr.IPv4.isValidFourPartDecimal(address) ? { address, port: Number(port) } : undefined;
  }
  if (!/^[\da-f:.]+$/i.test(address) || !ipaddr.IPv6.isValid(address)) return undefined;
  return { address: text(ipaddr.IPv6.parse(address)), port: Number(port) };
}

/** Specification §2.2: 16 octets, an address block by family, then TLVs up to the length, which are skipped. */
function parseBinary(bytes: Uint8Array): ProxyParse {
  const [command, family] = [bytes[12], bytes[13]];
  if (command === undefined) return INCOMPLETE;
  if (command !== PROXY_2 && command !== LOCAL) return invalid('unknown version or command');
  if (family === undefined) return INCOMPLETE;
  // "The receiver must accept this connection as valid and must use the real connection endpoints and discard
  // the protocol block including the family which is ignored."
  const size = command === LOCAL ? 0 : ADDRESS_BLOCK[family];
  if (size === undefined) return invalid('unknown family or transport');
  if (bytes.length < HEAD_2) return INCOMPLETE;
  const declared = ((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0);
  if (declared < size) return invalid('shorter than its addresses');
  const length = HEAD_2 + declared;
  if (bytes.length < length) return INCOMPLETE;
  if (command === LOCAL) return { kind: 'header', local: true, length };
  if (family !== TCP4 && family !== TCP6) return { kind: 'header', local: false, length };
  const [source, destination] = readPair(bytes.subarray(HEAD_2, HEAD_2 + size), family === TCP4 ? 4 : 16);
  return { kind: 'header', source, destination, local: false, length };
}

function readPair(block: Uint8Array, width: 4 | 16): [source: Endpoint, destination: Endpoint] {
  const address = (at: number): string => text(ipaddr.fromByteArray([...block.subarray(at, at + width)]));
  const port = (at: number): number => ((block[at] ?? 0) << 8) | (block[at + 1] ?? 0);
  return [
    { address: address(0), port: port(2 * width) },
    { address: address(width), port: port(2 * width + 2) },
  ];
}

/** As far as both go, they are the same. */
function agrees(bytes: Uint8Array, signature: Uint8Array): boolean {
  const shared = Math.min(bytes.length, signature.length);
  for (let i = 0; i < shared; i++) if (bytes[i] !== signature[i]) return false;
  return true;
}

function ipOf({ address }: Endpoint): ipaddr.IPv4 | ipaddr.IPv6 {
  return ipaddr.parse(address.replace(/%.*$/, ''));
}

function sameFamily<A extends ipaddr.IPv4 | ipaddr.IPv6>(from: A, to: A): [A | ipaddr.IPv6, A | ipaddr.IPv6] {
  return from.kind() === to.kind() ? [from, to] : [mapped(from), mapped(to)];
}

function mapped(ip: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv6 {
  return ip instanceof ipaddr.IPv4 ? ip.toIPv4MappedAddress() : ip;
}

function text(ip: ipaddr.IPv4 | ipaddr.IPv6): string {
  return ip instanceof ipaddr.IPv6 ? ip.toRFC5952String() : ip.toString();
}

function octets(line: string): Uint8Array {
  return Uint8Array.from(line, (char) => char.charCodeAt(0));
}

function invalid(why: string): ProxyParse {
  return { kind: 'invalid', why };
}

const INCOMPLETE: ProxyParse = { kind: 'incomplete' };
const CR = 0x0d;
const LF = 0x0a;

const SIGNATURE_1 = octets('PROXY ');
const UNKNOWN_1 = octets('PROXY UNKNOWN\r\n');
// §2.1: "a 108-byte buffer is always enough to store all the line and a trailing zero".
const LINE_1 = 107;

const SIGNATURE_2 = octets('\r\n\r\n\0\r\nQUIT\n');
const HEAD_2 = 16;
const LOCAL = 0x20;
const PROXY_2 = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
const LOCAL_2 = Uint8Array.from([...SIGNATURE_2, LOCAL, 0, 0, 0]);

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

/** The longest header: a version 2 one with all the TLVs its length can declare. */
export const LONGEST_HEADER = HEAD_2 + 65_535;
