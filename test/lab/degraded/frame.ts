// Frames as a capture has them, and what a capture or a path may do to one of them.

import type { Direction, Micros } from '../../../inspect/events';
import { parsePacket } from '../../../inspect/tcp/packet';

export interface Frame {
  readonly at: Micros;
  /** LINKTYPE_ (tcpdump.org/linktypes.html). */
  readonly link: number;
  /** What was captured of it. */
  readonly octets: Uint8Array;
  /** Octets on the wire. */
  readonly length: number;
  /** Who sent it, by the ports. */
  readonly from: Direction;
}

/** `undefined`: it is no TCP segment to or from one of the ports. */
export function frameOf(
  link: number,
  octets: Uint8Array,
  at: Micros,
  length: number,
  ports: readonly number[],
): Frame | undefined {
  const packet = parsePacket(link, octets, at, length);
  const ends = packet.kind === 'segment' ? packet.segment : 'of' in packet ? packet.of : undefined;
  if (!ends) return undefined;
  const toServer = ports.includes(ends.destinationPort);
  if (!toServer && !ports.includes(ends.sourcePort)) return undefined;
  return { at, link, octets, length, from: toServer ? 'client' : 'server' };
}

/** As a capture with this snaplen has it. */
export function cut(frame: Frame, snaplen: number): Frame {
  return frame.octets.length <= snaplen ? frame : { ...frame, octets: frame.octets.subarray(0, snaplen) };
}

export function later(frame: Frame, by: Micros): Frame {
  return { ...frame, at: frame.at + by };
}

/** As the next router sends it on: one hop less (RFC 791 §3.2, RFC 8200 §3). */
export function routed(frame: Frame): Frame {
  const start = packetAt(frame);
  if (start === undefined) return frame;
  const octets = frame.octets.slice();
  const view = new DataView(octets.buffer);
  if ((octets[start] ?? 0) >> 4 === 6) {
    octets[start + 7] = (octets[start + 7] ?? 1) - 1;
    return { ...frame, octets };
  }
  octets[start + 8] = (octets[start + 8] ?? 1) - 1;
  // RFC 1624: the sum of the header grows by what was taken from it.
  const sum = view.getUint16(start + 10) + 0x100;
  view.setUint16(start + 10, (sum & 0xffff) + (sum >>> 16));
  return { ...frame, octets };
}

/** With an 802.1Q tag more, as a mirror of another VLAN has it. */
export function tagged(frame: Frame, vlan: number): Frame {
  if (frame.link !== ETHERNET) return frame;
  const octets = new Uint8Array(frame.octets.length + 4);
  octets.set(frame.octets.subarray(0, 12));
  octets.set([0x81, 0x00, vlan >> 8, vlan & 255], 12);
  octets.set(frame.octets.subarray(12), 16);
  return { ...frame, octets, length: frame.length + 4 };
}

/** Stable: frames of one time stay as they were. */
export function byTime(frames: readonly Frame[]): Frame[] {
  return [...frames].sort((a, b) => a.at - b.at);
}

/** Where the IP header begins, behind plain links and VLAN tags. */
function packetAt({ link, octets }: Frame): number | undefined {
  const head = HEADS[link];
  if (head === undefined) return undefined;
  let start = head;
  while (link === ETHERNET && octets[start - 2] === 0x81 && octets[start - 1] === 0) start += 4;
  const version = (octets[start] ?? 0) >> 4;
  return (version === 4 || version === 6) && octets.length > start + 20 ? start : undefined;
}

const ETHERNET = 1;
/** Octets before the packet. */
const HEADS: Readonly<Record<number, number>> = { [ETHERNET]: 14, 101: 0, 113: 16, 276: 20 };
