// Frames in, segments out: link layers, IPv4, IPv6 and TCP headers. Every length is checked before it is used.

import type { Micros } from '../events';
import { parseTcp } from './header';
import { parseLink } from './link';
import type { Packet } from './segment';

/** Link types that are read, by their LINKTYPE_ number (tcpdump.org/linktypes.html). */
export function parsePacket(linkType: number, frame: Uint8Array, at: Micros): Packet {
  const link = parseLink(linkType, frame);
  if (link.kind !== 'ip') return link;
  return parseIp(frame.subarray(link.offset), at, link.vlans);
}

/** Reads a packet that begins with its IP header. */
export function parseIp(packet: Uint8Array, at: Micros, vlans: readonly number[] = []): Packet {
  const version = (packet[0] ?? 0) >> 4;
  if (version === 4) return parseIpv4(packet, at, vlans);
  if (version === 6) return parseIpv6(packet, at, vlans);
  return malformed(packet.length === 0 ? 'empty packet' : `IP version ${version}`);
}

/** RFC 791 §3.1. */
function parseIpv4(packet: Uint8Array, at: Micros, vlans: readonly number[]): Packet {
  const headerLength = ((packet[0] ?? 0) & 0x0f) * 4;
  if (headerLength < IPV4_HEADER || packet.length < headerLength) return malformed('IPv4 header cut short');
  if (packet[9] !== TCP) return OTHER;
  // More-fragments flag or an offset: only a whole datagram has a TCP header where we look for it.
  if ((be16(packet, 6) & 0x3fff) !== 0) return { kind: 'fragment' };
  const total = be16(packet, 2);
  // A total of 0: the card cut the datagram later (TSO), and all that was captured is its content.
  const end = total === 0 ? packet.length : total;
  if (end < headerLength) return malformed('IPv4 total length below the header');
  return parseTcp({
    at,
    vlans,
    source: ipv4Text(packet, 12),
    destination: ipv4Text(packet, 16),
    addresses: packet.subarray(12, 20),
    ttl: packet[8] ?? 0,
    ipId: be16(packet, 4),
    octets: packet.subarray(headerLength, Math.min(end, packet.length)),
    length: end - headerLength,
  });
}

/** RFC 8200 §3, §4. */
function parseIpv6(packet: Uint8Array, at: Micros, vlans: readonly number[]): Packet {
  if (packet.length < IPV6_HEADER) return malformed('IPv6 header cut short');
  const payload = be16(packet, 4);
  const end = payload === 0 ? packet.length : IPV6_HEADER + payload;
  let next = packet[6] ?? 0;
  let offset = IPV6_HEADER;
  // Extension headers: each at least 8 octets, so their number is bounded by the packet.
  while (EXTENSIONS.has(next)) {
    if (offset + 8 > packet.length) return malformed('IPv6 extension header cut short');
    const length =
      next === FRAGMENT
        ? 8
        : next === AUTHENTICATION
          ? extension(packet, offset, 4, 8)
          : extension(packet, offset, 8, 8);
    if (next === FRAGMENT && (be16(packet, offset + 2) & 0xfff9) !== 0) return { kind: 'fragment' };
    next = packet[offset] ?? 0;
    offset += length;
  }
  if (next !== TCP) return OTHER;
  if (offset > Math.min(end, packet.length)) return malformed('IPv6 extension headers beyond the packet');
  return parseTcp({
    at,
    vlans,
    source: ipv6Text(packet, 8),
    destination: ipv6Text(packet, 24),
    addresses: packet.subarray(8, 40),
    ttl: packet[7] ?? 0,
    ipId: undefined,
    octets: packet.subarray(offset, Math.min(end, packet.length)),
    length: end - offset,
  });
}

/** RFC 8200 §4.2: units of 8 octets without the first; RFC 4302 §2.2: units of 4 without the first two. */
function extension(packet: Uint8Array, offset: number, unit: number, base: number): number {
  return (packet[offset + 1] ?? 0) * unit + base;
}

function ipv4Text(packet: Uint8Array, at: number): string {
  return `${packet[at]}.${packet[at + 1]}.${packet[at + 2]}.${packet[at + 3]}`;
}

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups as `::`. */
function ipv6Text(packet: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => be16(packet, at + 2 * i).toString(16));
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (groups[end] === '0') end += 1;
    if (end - start > best.length) best = { start, length: end - start };
  }
  if (best.length < 2) return groups.join(':');
  const head = groups.slice(0, best.start).join(':');
  return `${head}::${groups.slice(best.start + best.length).join(':')}`;
}

function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function malformed(why: string): Packet {
  return { kind: 'malformed', why };
}

const OTHER: Packet = { kind: 'other' };
const TCP = 6;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** Hop-by-hop, routing, fragment, authentication, destination options. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, FRAGMENT, AUTHENTICATION, 60]);
