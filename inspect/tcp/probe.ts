// The probe: an empty segment with an old number, to which every living TCP answers with SEQ = SND.NXT.

import type { Direction, Micros } from '../events';
import { addressOctets } from '../address';
import { advance } from './seq';
import { FLAG } from './segment';
import type { ConnectionView } from './view';

/** When a silent client is asked, after it was greeted: RTOs have run by then, and people do not wait yet. */
export const PROBE_AFTER: readonly Micros[] = [3_000_000, 10_000_000, 30_000_000];

/** When the next probe is due: `sent` were sent. `undefined`: no more. */
export function nextProbe(greetedAt: Micros, sent: number): Micros | undefined {
  const after = PROBE_AFTER[sent];
  return after === undefined ? undefined : greetedAt + after;
}

/**
 * The probe for one side as an IP packet, in the other side's name: ACK, no data, SEQ one below what that side
 * sends next (RFC 9293 §3.8.4). Such a number lies outside the window, so the answer is an ACK with the probed
 * side's SND.NXT (§3.10.7.4). The last TSval is repeated: an old one is answered too. `undefined` before both
 * sides were heard.
 */
export function probePacket(view: ConnectionView, to: Direction): Uint8Array | undefined {
  const speaker = view[to === 'client' ? 'server' : 'client'];
  const probed = view[to];
  const { last } = speaker;
  const next = speaker.stream.seqOf(speaker.stream.next);
  const ack = probed.stream.seqOf(probed.stream.next);
  if (!last || next === undefined || ack === undefined) return undefined;
  const stamps = last.options.timestamps && probed.last?.options.timestamps;
  const options = stamps && last.options.timestamps ? timestamps(last.options.timestamps[0], stamps[0]) : [];
  const tcp = new Uint8Array(TCP_HEADER + options.length);
  const fields = new DataView(tcp.buffer);
  fields.setUint16(0, last.sourcePort);
  fields.setUint16(2, last.destinationPort);
  fields.setUint32(4, advance(next, -1));
  fields.setUint32(8, ack);
  fields.setUint8(12, (tcp.length / 4) << 4);
  fields.setUint8(13, FLAG.ack);
  fields.setUint16(14, last.window);
  tcp.set(options, TCP_HEADER);
  const source = addressOctets(last.source);
  const destination = addressOctets(last.destination);
  if (!source || !destination) return undefined;
  fields.setUint16(16, checksum(source, destination, tcp));
  return source.length === 4 ? ipv4(source, destination, tcp) : ipv6(source, destination, tcp);
}

function timestamps(value: number, echo: number): number[] {
  const field = new DataView(new ArrayBuffer(12));
  // NOP NOP in front, for alignment, as every stack sends it (RFC 7323 appendix A).
  field.setUint32(0, 0x0101_080a);
  field.setUint32(4, value);
  field.setUint32(8, echo);
  return [...new Uint8Array(field.buffer)];
}

/** RFC 791 §3.1; DF, and no identification where nothing is fragmented (RFC 6864 §4.1). */
function ipv4(source: Uint8Array, destination: Uint8Array, tcp: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + tcp.length);
  const fields = new DataView(packet.buffer);
  fields.setUint8(0, 0x45);
  fields.setUint16(2, packet.length);
  fields.setUint16(6, 0x4000);
  fields.setUint8(8, TTL);
  fields.setUint8(9, TCP);
  packet.set(source, 12);
  packet.set(destination, 16);
  fields.setUint16(10, fold(sumOf(packet.subarray(0, 20))));
  packet.set(tcp, 20);
  return packet;
}

function ipv6(source: Uint8Array, destination: Uint8Array, tcp: Uint8Array): Uint8Array {
  const packet = new Uint8Array(40 + tcp.length);
  const fields = new DataView(packet.buffer);
  fields.setUint8(0, 0x60);
  fields.setUint16(4, tcp.length);
  fields.setUint8(6, TCP);
  fields.setUint8(7, TTL);
  packet.set(source, 8);
  packet.set(destination, 24);
  packet.set(tcp, 40);
  return packet;
}

/** RFC 9293 §3.1, with the pseudo-header. */
function checksum(source: Uint8Array, destination: Uint8Array, tcp: Uint8Array): number {
  return fold(sumOf(source) + sumOf(destination) + TCP + tcp.length + sumOf(tcp));
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
const TCP_HEADER = 20;
const TTL = 64;
