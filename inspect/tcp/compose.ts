// Packets that ehlowire itself sends: IPv4 or IPv6 with TCP or ICMP, checksums included.

import { joinOctets } from '../octets';
import type { Seq } from './seq';

/** What of an IP header is not the same in all packets of ours; addresses of 4 or 16 octets. */
export interface IpParts {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Time to live, or hop limit. */
  readonly ttl: number;
  /** IPv4 only; without one it is 0, as nothing is fragmented (RFC 6864 §4.1). */
  readonly ipId?: number;
  /** IPv6 only: of one connection all packets have the same, and so go the same way (RFC 6437 §2). */
  readonly flowLabel?: number;
}

export interface TcpParts {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: Seq;
  readonly ack: Seq;
  readonly flags: number;
  readonly window: number;
  /** The octets of the options, filled up to a multiple of four. */
  readonly options: readonly number[];
  readonly payload: Uint8Array;
}

/** RFC 9293 §3.1. */
export function composeTcp(ip: IpParts, tcp: TcpParts): Uint8Array {
  const header = new Uint8Array(TCP_HEADER + tcp.options.length);
  const fields = new DataView(header.buffer);
  fields.setUint16(0, tcp.sourcePort);
  fields.setUint16(2, tcp.destinationPort);
  fields.setUint32(4, tcp.seq);
  fields.setUint32(8, tcp.ack);
  fields.setUint8(12, (header.length / 4) << 4);
  fields.setUint8(13, tcp.flags);
  fields.setUint16(14, tcp.window);
  header.set(tcp.options, TCP_HEADER);
  const segment = joinOctets([header, tcp.payload]);
  new DataView(segment.buffer, segment.byteOffset).setUint16(16, transportChecksum(ip, TCP, segment));
  return composeIp(ip, TCP, segment);
}

/** An echo request (RFC 792, RFC 4443 §4.1). */
export function composeEcho(ip: IpParts, identifier: number, number: number): Uint8Array {
  const four = ip.source.length === 4;
  const message = new Uint8Array(ECHO_LENGTH);
  const fields = new DataView(message.buffer);
  fields.setUint8(0, four ? 8 : 128);
  fields.setUint16(4, identifier);
  fields.setUint16(6, number);
  // Only ICMPv6 has a pseudo-header (RFC 4443 §2.3).
  fields.setUint16(2, four ? fold(sumOf(message)) : transportChecksum(ip, ICMP6, message));
  return composeIp(ip, four ? ICMP : ICMP6, message);
}

/** RFC 7323 §3.2, with two NOPs in front for alignment, as every stack sends it (appendix A). */
export function timestampOption(value: number, echo: number): number[] {
  const field = new DataView(new ArrayBuffer(12));
  field.setUint32(0, 0x0101_080a);
  field.setUint32(4, value);
  field.setUint32(8, echo);
  return [...new Uint8Array(field.buffer)];
}

function composeIp(ip: IpParts, protocol: number, content: Uint8Array): Uint8Array {
  return ip.source.length === 4 ? ipv4(ip, protocol, content) : ipv6(ip, protocol, content);
}

/** RFC 791 §3.1; DF is set. */
function ipv4(
  { source, destination, ttl, ipId = 0 }: IpParts,
  protocol: number,
  content: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(20 + content.length);
  const fields = new DataView(packet.buffer);
  fields.setUint8(0, 0x45);
  fields.setUint16(2, packet.length);
  fields.setUint16(4, ipId);
  fields.setUint16(6, 0x4000);
  fields.setUint8(8, ttl);
  fields.setUint8(9, protocol);
  packet.set(source, 12);
  packet.set(destination, 16);
  fields.setUint16(10, fold(sumOf(packet.subarray(0, 20))));
  packet.set(content, 20);
  return packet;
}

/** RFC 8200 §3. */
function ipv6(
  { source, destination, ttl, flowLabel = 0 }: IpParts,
  protocol: number,
  content: Uint8Array,
): Uint8Array {
  const packet = new Uint8Array(40 + content.length);
  const fields = new DataView(packet.buffer);
  fields.setUint32(0, 0x6000_0000 + flowLabel);
  fields.setUint16(4, content.length);
  fields.setUint8(6, protocol);
  fields.setUint8(7, ttl);
  packet.set(source, 8);
  packet.set(destination, 24);
  packet.set(content, 40);
  return packet;
}

/** With the pseudo-header of RFC 9293 §3.1, or RFC 8200 §8.1. */
function transportChecksum({ source, destination }: IpParts, protocol: number, content: Uint8Array): number {
  return fold(sumOf(source) + sumOf(destination) + protocol + content.length + sumOf(content));
}

function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, octet, i) => sum + (i % 2 === 0 ? octet << 8 : octet), 0);
}

function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return ~folded & 0xffff;
}

const TCP = 6;
const ICMP = 1;
const ICMP6 = 58;
const TCP_HEADER = 20;
const ECHO_LENGTH = 32;
