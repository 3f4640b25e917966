// The pcapng file format (draft-ietf-opsawg-pcapng), as far as evidence needs it: values in, blocks out.

import type { Micros } from '../../../inspect/events';
import { ELIDED_INTERFACE } from '../../sources/pcapng';

/** One packet of the file. */
export interface PcapngPacket {
  /** LINKTYPE_ of its frame (tcpdump.org/linktypes.html). */
  readonly linkType: number;
  readonly at: Micros;
  /** What is kept of the frame: its first octets. */
  readonly octets: Uint8Array;
  /** Octets of the frame on the wire. */
  readonly length: number;
  /** What is missing was left out when the file was written: message, secret or TLS. */
  readonly elided?: boolean;
  readonly comments: readonly string[];
}

export interface PcapngFacts {
  readonly application: string;
  readonly comment: string;
  /** From when to when the capture ran that the packets are of, and how many frames it missed: `undefined` where it did not say. */
  readonly ran?: { readonly from: Micros; readonly to: Micros; readonly dropped: number | undefined };
  readonly packets: readonly PcapngPacket[];
}

/**
 * One section: a header with the writer's name and a comment, the interfaces, the packets in order, and how long the
 * capture ran. A packet does not say why it is cut; its interface does: those of each link type whose octets were left
 * out on purpose have one of their own, so that a reader takes them for no loss.
 */
export function pcapngOf({ application, comment, ran, packets }: PcapngFacts): Uint8Array {
  const keys = [...new Set(packets.map(keyOf))];
  return Buffer.concat([
    sectionHeader(application, comment),
    ...keys.map(interfaceDescription),
    ...packets.map((packet) => enhancedPacket(keys.indexOf(keyOf(packet)), packet)),
    ...(ran && keys.length > 0 ? [interfaceStatistics(ran)] : []),
  ]);
}

/** The link type, and one bit more. */
function keyOf({ linkType, elided = false }: PcapngPacket): number {
  return linkType * 2 + (elided ? 1 : 0);
}

/** §4.1. The section's length is not given (-1): readers go block by block. */
function sectionHeader(application: string, comment: string): Buffer {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt32LE(BYTE_ORDER, 0);
  fixed.writeUInt16LE(1, 4);
  fixed.writeBigInt64LE(-1n, 8);
  return block(SECTION_HEADER, fixed, [
    option(COMMENT, text(comment)),
    option(APPLICATION, text(application)),
  ]);
}

/** §4.2. No snapshot limit: every packet says how much of it is there. */
function interfaceDescription(key: number): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(Math.floor(key / 2), 0);
  return block(INTERFACE, fixed, [
    ...(key % 2 === 1 ? [option(DESCRIPTION, text(ELIDED_INTERFACE))] : []),
    option(RESOLUTION, Buffer.of(MICROSECONDS)),
  ]);
}

/** §4.6. */
function interfaceStatistics({ from, to, dropped }: NonNullable<PcapngFacts['ran']>): Buffer {
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(dropped ?? 0));
  return block(STATISTICS, Buffer.concat([Buffer.alloc(4), stamp(to)]), [
    option(START_TIME, stamp(from)),
    option(END_TIME, stamp(to)),
    // A reader takes a count of 0 as "no frame was lost"; no count says nothing.
    ...(dropped === undefined ? [] : [option(DROPPED, count)]),
  ]);
}

/** Microseconds as two words, the high one first. */
function stamp(at: Micros): Buffer {
  const micros = Math.max(0, Math.round(at));
  const octets = Buffer.alloc(8);
  octets.writeUInt32LE(Math.floor(micros / 2 ** 32), 0);
  octets.writeUInt32LE(micros % 2 ** 32, 4);
  return octets;
}

/** §4.3. */
function enhancedPacket(interfaceId: number, { at, octets, length, comments }: PcapngPacket): Buffer {
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(interfaceId, 0);
  stamp(at).copy(fixed, 4);
  fixed.writeUInt32LE(octets.length, 12);
  fixed.writeUInt32LE(Math.max(length, octets.length), 16);
  const body = Buffer.concat([fixed, padded(octets)]);
  return block(
    ENHANCED_PACKET,
    body,
    comments.map((comment) => option(COMMENT, text(comment))),
  );
}

/** §3.1: the length in front and behind, so that a file can be read backwards. */
function block(type: number, body: Buffer, options: readonly Buffer[]): Buffer {
  const end = options.length > 0 ? [Buffer.alloc(4)] : [];
  const content = Buffer.concat([body, ...options, ...end]);
  const total = content.length + 12;
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(total, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt32LE(total, 0);
  return Buffer.concat([head, content, tail]);
}

/** §3.5. */
function option(code: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

/** Every field ends at a multiple of 32 bits. */
function padded(octets: Uint8Array): Buffer {
  return Buffer.concat([octets, Buffer.alloc((4 - (octets.length % 4)) % 4)]);
}

/** UTF-8, of a length that any reader shows. */
function text(value: string): Buffer {
  return Buffer.from(value.length > LONGEST ? `${value.slice(0, LONGEST - 1)}…` : value, 'utf8');
}

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
const COMMENT = 1;
const APPLICATION = 4;
const START_TIME = 2;
const END_TIME = 3;
const DESCRIPTION = 3;
const DROPPED = 5;
const RESOLUTION = 9;
/** Power of ten, negated. */
const MICROSECONDS = 6;
/** Characters; the format allows 65,535 octets. */
const LONGEST = 4_000;
