// Frames in, segments out: link layers, IPv4, IPv6 and TCP headers. Every length is checked before it is used.

import type { Micros } from '../events';
import { ipv4Text, ipv6Text } from './address';
import { parseTcp } from './header';
import { parseLink } from './link';
import type { Packet } from './segment';

/** Link types that are read, by their LINKTYPE_ number (tcpdump.org/linktypes.html). */
export function parsePacket(linkType: number, frame: Uint8Array, at: Micros): Packet {
  const link = parseLink(linkType, frame);
  if (link.kind !== 'ip') return link;
  return parseIpAt(frame, link.offset, at, link.vlans);
}

/** Reads a packet that begins with its IP header. */
export function parseIp(packet: Uint8Array, at: Micros, vlans: readonly number[] = UNTAGGED): Packet {
  return parseIpAt(packet, 0, at, vlans);
}

/** The packet begins at octet `start` of the frame: a view of its own for every layer would be most of the work. */
function parseIpAt(frame: Uint8Array, start: number, at: Micros, vlans: readonly number[]): Packet {
  const version = (frame[start] ?? 0) >> 4;
  if (version === 4) return parseIpv4(frame, start, at, vlans);
  if (version === 6) return parseIpv6(frame, start, at, vlans);
  return malformed(frame.length === start ? 'empty packet' : `IP version ${version}`);
}

/** RFC 791 §3.1. */
function parseIpv4(frame: Uint8Array, start: number, at: Micros, vlans: readonly number[]): Packet {
  const captured = frame.length - start;
  const headerLength = ((frame[start] ?? 0) & 0x0f) * 4;
  if (headerLength < IPV4_HEADER || captured < headerLength) return malformed('IPv4 header cut short');
  if (frame[start + 9] !== TCP) return OTHER;
  // More-fragments flag, or an offset: only where there is none is a TCP header where we look for it.
  const fragment = be16(frame, start + 6);
  if ((fragment & 0x1fff) !== 0) return FRAGMENTED;
  const total = be16(frame, start + 2);
  // A total of 0: the card cut the datagram later (TSO), and all that was captured is its content.
  const end = total === 0 ? captured : total;
  if (end < headerLength) return malformed('IPv4 total length below the header');
  const packet = parseTcp({
    at,
    vlans,
    source: ipv4Text(frame, start + 12),
    destination: ipv4Text(frame, start + 16),
    addresses: { start: start + 12, end: start + 20 },
    ttl: frame[start + 8] ?? 0,
    ipId: be16(frame, start + 4),
    frame,
    start: start + headerLength,
    end: start + Math.min(end, captured),
    length: end - headerLength,
  });
  return (fragment & 0x2000) === 0 ? packet : firstOf(packet);
}

/** RFC 8200 §3, §4. */
function parseIpv6(frame: Uint8Array, start: number, at: Micros, vlans: readonly number[]): Packet {
  const captured = frame.length - start;
  if (captured < IPV6_HEADER) return malformed('IPv6 header cut short');
  const payload = be16(frame, start + 4);
  const end = payload === 0 ? captured : IPV6_HEADER + payload;
  let next = frame[start + 6] ?? 0;
  let offset = IPV6_HEADER;
  let more = 0;
  // Extension headers: each at least 8 octets, so their number is bounded by the packet.
  while (EXTENSIONS.has(next)) {
    if (offset + 8 > captured) return malformed('IPv6 extension header cut short');
    const header = start + offset;
    if (next === FRAGMENT) {
      const field = be16(frame, header + 2);
      if ((field & 0xfff8) !== 0) return FRAGMENTED;
      more |= field & 1;
    }
    offset += extensionLength(next, frame[header + 1] ?? 0);
    next = frame[header] ?? 0;
  }
  if (next !== TCP) return OTHER;
  if (offset > Math.min(end, captured)) return malformed('IPv6 extension headers beyond the packet');
  const packet = parseTcp({
    at,
    vlans,
    source: ipv6Text(frame, start + 8),
    destination: ipv6Text(frame, start + 24),
    addresses: { start: start + 8, end: start + 40 },
    ttl: frame[start + 7] ?? 0,
    ipId: undefined,
    frame,
    start: start + offset,
    end: start + Math.min(end, captured),
    length: end - offset,
  });
  return more === 0 ? packet : firstOf(packet);
}

/** The first piece of a datagram: its TCP header tells between whom it goes, and no more. */
function firstOf(packet: Packet): Packet {
  if (packet.kind !== 'segment') return FRAGMENTED;
  const { source, sourcePort, destination, destinationPort } = packet.segment;
  return { kind: 'fragment', of: { source, sourcePort, destination, destinationPort } };
}

/** RFC 8200 §4.2: units of 8 octets without the first; RFC 4302 §2.2: units of 4 without the first two. */
function extensionLength(kind: number, field: number): number {
  if (kind === FRAGMENT) return 8;
  return kind === AUTHENTICATION ? field * 4 + 8 : field * 8 + 8;
}

function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function malformed(why: string): Packet {
  return { kind: 'malformed', why };
}

const UNTAGGED: readonly number[] = [];
const OTHER: Packet = { kind: 'other' };
const FRAGMENTED: Packet = { kind: 'fragment' };
const TCP = 6;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** Hop-by-hop, routing, fragment, authentication, destination options. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, FRAGMENT, AUTHENTICATION, 60]);
