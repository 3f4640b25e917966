// Frames in, segments out: link layers, IPv4, IPv6 and TCP headers. Every length is checked before it is used.

import type { Micros } from '../events';
import { ipv4Text, ipv6Text } from '../address';
import { parseTcp } from './header';
import { follow, has, octet, word, type Found, type Layer, type Walk } from './layer';
import { linkLayer } from './link';
import type { Packet } from './segment';
import { insideOf } from './tunnel';

/**
 * The innermost TCP segment of a frame of a LINKTYPE_ (tcpdump.org/linktypes.html), whatever tunnels it is in. `wire`:
 * octets that the frame had on the wire, more than its own where the capture cut it.
 */
export function parsePacket(
  linkType: number,
  frame: Uint8Array,
  at: Micros,
  wire: number = frame.length,
): Packet {
  const first = linkLayer(linkType);
  if (first === undefined) return malformed(`link type ${linkType} is not known`);
  return innermost(first, frame, at, wire);
}

/** Reads a packet that begins with its IP header. */
export function parseIp(packet: Uint8Array, at: Micros): Packet {
  return innermost('ip', packet, at, packet.length);
}

function innermost(first: Layer | Found, frame: Uint8Array, at: Micros, wire: number): Packet {
  walk.frame = frame;
  walk.at = 0;
  walk.end = frame.length;
  walk.beyond = Math.max(0, wire - frame.length);
  walk.vlans = UNTAGGED;
  walk.tunnels = undefined;
  let next = first;
  for (let packets = 0; packets < NESTED; packets += 1) {
    const found = follow(walk, next);
    if (found !== 'ip') return OUTCOMES[found];
    const inner = readIp(at);
    if (typeof inner === 'object') return inner;
    next = inner;
  }
  return OTHER;
}

function readIp(at: Micros): Packet | Layer | Found {
  if (!has(walk, 1)) return malformed('empty packet');
  const version = octet(walk, 0) >> 4;
  if (version === 4) return readIpv4(at);
  return version === 6 ? readIpv6(at) : malformed(`IP version ${version}`);
}

/** RFC 791 §3.1. */
function readIpv4(at: Micros): Packet | Layer | Found {
  const { frame, at: start, end: limit } = walk;
  const captured = limit - start;
  let headerLength = (octet(walk, 0) & 0x0f) * 4;
  if (headerLength < IPV4_HEADER || captured < headerLength) return malformed('IPv4 header cut short');
  let protocol = octet(walk, 9);
  const inside = insideOf(protocol);
  if (protocol !== TCP && protocol !== AUTHENTICATION && inside === 'other') return OTHER;
  const fragment = word(walk, 6);
  // Only where there is no offset is a header where we look for it.
  if ((fragment & 0x1fff) !== 0) return protocol === UDP ? OTHER : FRAGMENTED;
  const more = (fragment & 0x2000) !== 0;
  // A total of 0: the card cut the datagram later (TSO), and all that is there is its content.
  const length = word(walk, 2) || captured + walk.beyond;
  if (length < headerLength) return malformed('IPv4 total length below the header');
  narrow(length, more);
  if (protocol === AUTHENTICATION) {
    if (!has(walk, headerLength + 8)) return malformed('IPv4 authentication header cut short');
    protocol = octet(walk, headerLength);
    headerLength += extensionLength(AUTHENTICATION, octet(walk, headerLength + 1));
  }
  if (protocol !== TCP) return into(headerLength, insideOf(protocol));
  const packet = parseTcp({
    at,
    vlans: walk.vlans,
    tunnels: walk.tunnels,
    source: ipv4Text(frame, start + 12),
    destination: ipv4Text(frame, start + 16),
    addresses: { start: start + 12, end: start + 20 },
    ttl: octet(walk, 8),
    ipId: word(walk, 4),
    frame,
    start: start + headerLength,
    end: walk.end,
    length: length - headerLength,
  });
  return more ? firstOf(packet) : packet;
}

/** RFC 8200 §3, §4. */
function readIpv6(at: Micros): Packet | Layer | Found {
  const { frame, at: start } = walk;
  const captured = walk.end - start;
  if (captured < IPV6_HEADER) return malformed('IPv6 header cut short');
  const payload = word(walk, 4);
  const length = payload === 0 ? captured + walk.beyond : IPV6_HEADER + payload;
  let next = octet(walk, 6);
  let offset = IPV6_HEADER;
  let more = false;
  // Extension headers: each at least 8 octets, so their number is bounded by the packet.
  while (EXTENSIONS.has(next)) {
    if (offset + 8 > captured) return malformed('IPv6 extension header cut short');
    if (next === FRAGMENT) {
      const field = word(walk, offset + 2);
      if ((field & 0xfff8) !== 0) return FRAGMENTED;
      more ||= (field & 1) !== 0;
    }
    const kind = next;
    next = octet(walk, offset);
    offset += extensionLength(kind, octet(walk, offset + 1));
  }
  const inside = insideOf(next);
  if (next !== TCP && inside === 'other') return OTHER;
  if (offset > Math.min(length, captured)) return malformed('IPv6 extension headers beyond the packet');
  narrow(length, more);
  if (next !== TCP) return into(offset, inside);
  const packet = parseTcp({
    at,
    vlans: walk.vlans,
    tunnels: walk.tunnels,
    source: ipv6Text(frame, start + 8),
    destination: ipv6Text(frame, start + 24),
    addresses: { start: start + 8, end: start + 40 },
    ttl: octet(walk, 7),
    ipId: undefined,
    frame,
    start: start + offset,
    end: walk.end,
    length: length - offset,
  });
  return more ? firstOf(packet) : packet;
}

/** The walk goes no further than the packet, which has so many octets. */
function narrow(length: number, more: boolean): void {
  const end = walk.at + length;
  walk.beyond = Math.max(0, end - walk.end) + (more ? 1 : 0);
  walk.end = Math.min(walk.end, end);
}

function into(offset: number, inside: Layer | Found): Layer | Found {
  walk.at += offset;
  return walk.at > walk.end ? 'cut' : inside;
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

function malformed(why: string): Packet {
  return { kind: 'malformed', why };
}

const UNTAGGED: readonly number[] = [];
const OTHER: Packet = { kind: 'other' };
const FRAGMENTED: Packet = { kind: 'fragment' };
/** A frame ends within a header. */
const CUT: Packet = { kind: 'malformed', why: 'frame cut short' };
const OUTCOMES: Readonly<Record<Exclude<Found, 'ip'>, Packet>> = { other: OTHER, cut: CUT };
/** One walk after the other. */
const walk: Walk = {
  ...{ frame: new Uint8Array(0), at: 0, end: 0, beyond: 0 },
  ...{ vlans: UNTAGGED, tunnels: undefined },
};
/** IP packets in one another. */
const NESTED = 8;
const TCP = 6;
const UDP = 17;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/** Hop-by-hop, routing, fragment, authentication, destination options. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, FRAGMENT, AUTHENTICATION, 60]);
