// The TCP header and its options (RFC 9293 §3.1, RFC 7323, RFC 2018).

import type { Micros } from '../events';
import type { Packet, TcpOptions } from './segment';

/** What the IP layer hands over. */
export interface IpPayload {
  readonly at: Micros;
  readonly vlans: readonly number[];
  readonly source: string;
  readonly destination: string;
  /** Both addresses' octets, for the checksum's pseudo-header. */
  readonly addresses: Uint8Array;
  readonly ttl: number;
  readonly ipId: number | undefined;
  /** The octets that were captured, from the TCP header on. */
  readonly octets: Uint8Array;
  /** Octets on the wire, from the TCP header on. */
  readonly length: number;
}

export function parseTcp(ip: IpPayload): Packet {
  const { octets, length, at, source, destination, ttl, ipId, vlans } = ip;
  if (octets.length < HEADER) return { kind: 'malformed', why: 'TCP header cut short' };
  const headerLength = ((octets[12] ?? 0) >> 4) * 4;
  if (headerLength < HEADER || headerLength > length) {
    return { kind: 'malformed', why: `TCP data offset ${headerLength}` };
  }
  return {
    kind: 'segment',
    segment: {
      at,
      source,
      sourcePort: be16(octets, 0),
      destination,
      destinationPort: be16(octets, 2),
      seq: be32(octets, 4),
      ack: be32(octets, 8),
      flags: octets[13] ?? 0,
      window: be16(octets, 14),
      options: headerLength === HEADER ? NO_OPTIONS : parseOptions(octets.subarray(HEADER, headerLength)),
      payload: octets.subarray(Math.min(headerLength, octets.length)),
      length: length - headerLength,
      ttl,
      ipId,
      vlans,
      checksum: octets.length < length ? 'unchecked' : isGood(ip) ? 'good' : 'bad',
    },
  };
}

/** Reads options up to the first that makes no sense; nothing behind that one can be trusted. */
function parseOptions(bytes: Uint8Array): TcpOptions {
  // What nearly every segment has: NOP NOP timestamps (RFC 7323 appendix A).
  if (bytes.length === 12 && be32(bytes, 0) === ALIGNED_TIMESTAMPS) {
    return {
      timestamps: [be32(bytes, 4), be32(bytes, 8)],
      sackPermitted: false,
      sack: NO_SACK,
      kinds: STAMPED,
    };
  }
  const kinds: number[] = [];
  const found: { mss?: number; windowScale?: number; timestamps?: readonly [number, number] } = {};
  const sack: (readonly [number, number])[] = [];
  let sackPermitted = false;
  for (let i = 0; i < bytes.length;) {
    const kind = bytes[i] ?? 0;
    if (kind === END) break;
    if (kind === NOP) {
      i += 1;
      continue;
    }
    const length = bytes[i + 1] ?? 0;
    if (length < 2 || i + length > bytes.length) break;
    kinds.push(kind);
    if (kind === MSS && length === 4) found.mss = be16(bytes, i + 2);
    else if (kind === WINDOW_SCALE && length === 3) found.windowScale = bytes[i + 2] ?? 0;
    else if (kind === SACK_PERMITTED) sackPermitted = true;
    else if (kind === TIMESTAMPS && length === 10)
      found.timestamps = [be32(bytes, i + 2), be32(bytes, i + 6)];
    else if (kind === SACK) {
      for (let j = i + 2; j + 8 <= i + length; j += 8) sack.push([be32(bytes, j), be32(bytes, j + 4)]);
    }
    i += length;
  }
  return { ...found, sackPermitted, sack, kinds };
}

/** RFC 9293 §3.1: the one's complement sum over pseudo-header, header and data is all ones. */
function isGood({ addresses, octets, length }: IpPayload): boolean {
  let sum = TCP + length;
  for (let i = 0; i < addresses.length; i += 2) sum += be16(addresses, i);
  // An odd last octet is padded with zero: `be16` reads zero beyond the end.
  for (let i = 0; i < octets.length; i += 2) sum += be16(octets, i);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum === 0xffff;
}

function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function be32(bytes: Uint8Array, at: number): number {
  return be16(bytes, at) * 0x1_0000 + be16(bytes, at + 2);
}

const HEADER = 20;
const TCP = 6;
const END = 0;
const NOP = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
const SACK = 5;
const TIMESTAMPS = 8;
const ALIGNED_TIMESTAMPS = 0x0101_080a;
const STAMPED: readonly number[] = [TIMESTAMPS];
const NO_SACK: TcpOptions['sack'] = [];
const NO_OPTIONS: TcpOptions = { sackPermitted: false, sack: NO_SACK, kinds: [] };
