// The fields of a packet, as far as its octets go: of what was sent, and of what a hop quotes of it.

import { plainText } from '../address';
import { parseOptions } from '../tcp/header';
import type { TcpOptions } from '../tcp/segment';

/** RFC 792 promises eight octets behind the IP header; each field may be absent. */
export interface Fields {
  readonly source: string;
  readonly destination: string;
  /** The octet with DSCP and ECN. */
  readonly trafficClass: number;
  readonly ttl: number;
  /** IPv4 only. */
  readonly ipId: number | undefined;
  readonly protocol: number;
  /** Where the IP header ends. */
  readonly headerLength: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  /** Where all of them are there. */
  readonly options?: TcpOptions;
  /** Octets of the segment that are there. */
  readonly payload: Uint8Array;
}

/** `undefined`: no IP packet of ours, or not even its addresses. */
export function readFields(packet: Uint8Array): Fields | undefined {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4) return readFour(packet);
  return version === 6 ? readSix(packet) : undefined;
}

function readFour(packet: Uint8Array): Fields | undefined {
  const headerLength = ((packet[0] ?? 0) & 0x0f) * 4;
  if (headerLength < 20 || packet.length < headerLength) return undefined;
  return {
    source: plainText(packet, 12, 4),
    destination: plainText(packet, 16, 4),
    trafficClass: packet[1] ?? 0,
    ttl: packet[8] ?? 0,
    ipId: be16(packet, 4),
    protocol: packet[9] ?? 0,
    headerLength,
    ...transport(packet, headerLength, packet[9] ?? 0),
  };
}

/** Ours have no extension headers. */
function readSix(packet: Uint8Array): Fields | undefined {
  if (packet.length < 40) return undefined;
  return {
    source: plainText(packet, 8, 16),
    destination: plainText(packet, 24, 16),
    trafficClass: (be16(packet, 0) >> 4) & 0xff,
    ttl: packet[7] ?? 0,
    ipId: undefined,
    protocol: packet[6] ?? 0,
    headerLength: 40,
    ...transport(packet, 40, packet[6] ?? 0),
  };
}

/** An echo request has its identifier and number where TCP has the sequence number. */
function transport(packet: Uint8Array, at: number, protocol: number): Pick<Fields, 'payload'> {
  const length = packet.length - at;
  if (protocol !== TCP) return { payload: packet.subarray(at) };
  const headerLength = length > 12 ? ((packet[at + 12] ?? 0) >> 4) * 4 : 20;
  const whole = headerLength >= 20 && length >= headerLength;
  return {
    ...(length >= 4 && { sourcePort: be16(packet, at), destinationPort: be16(packet, at + 2) }),
    ...(length >= 8 && { seq: be32(packet, at + 4) }),
    ...(length >= 12 && { ack: be32(packet, at + 8) }),
    ...(length >= 16 && { flags: packet[at + 13] ?? 0, window: be16(packet, at + 14) }),
    ...(whole && { options: parseOptions(packet, at + 20, at + headerLength) }),
    payload: whole ? packet.subarray(at + headerLength) : packet.subarray(0, 0),
  };
}

export function be16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

function be32(octets: Uint8Array, at: number): number {
  return be16(octets, at) * 0x1_0000 + be16(octets, at + 2);
}

const TCP = 6;
