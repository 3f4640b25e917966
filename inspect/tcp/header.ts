// The TCP header and its options (RFC 9293 §3.1, RFC 7323, RFC 2018).

import type { Micros, Span } from '../events';
import { type Packet, type TcpOptions, type Tunnel } from './segment';
import { NO_OCTETS } from '../octets';

/** What the IP layer hands over. */
interface IpPayload {
  readonly at: Micros;
  readonly vlans: readonly number[];
  readonly tunnels: readonly Tunnel[] | undefined;
  readonly source: string;
  readonly destination: string;
  /** Where in the frame both addresses stand, for the checksum's pseudo-header. */
  readonly addresses: Span;
  readonly ttl: number;
  readonly ipId: number | undefined;
  readonly frame: Uint8Array;
  /** Where in the frame the TCP header begins, and where the octets end that were captured of the packet. */
  readonly start: number;
  readonly end: number;
  /** Octets on the wire, from the TCP header on. */
  readonly length: number;
}

export function parseTcp(ip: IpPayload): Packet {
  const { frame, start, end, length, at, source, destination, ttl, ipId, vlans, tunnels } = ip;
  if (end - start < HEADER) return cutShort(ip);
  const headerLength = ((frame[start + 12] ?? 0) >> 4) * 4;
  if (headerLength < HEADER || headerLength > length) {
    return { kind: 'malformed', why: `TCP data offset ${headerLength}` };
  }
  const data = start + headerLength;
  return {
    kind: 'segment',
    segment: {
      at,
      source,
      sourcePort: be16(frame, start),
      destination,
      destinationPort: be16(frame, start + 2),
      seq: be32(frame, start + 4),
      ack: be32(frame, start + 8),
      flags: frame[start + 13] ?? 0,
      window: be16(frame, start + 14),
      options: optionsOf(frame, start + HEADER, data, end),
      payload: data < end ? frame.subarray(data, end) : NO_OCTETS,
      length: length - headerLength,
      dataAt: Math.min(data, end),
      ttl,
      ipId,
      vlans,
      tunnels,
      checksum: end - start < length ? 'unchecked' : isGood(ip) ? 'good' : 'bad',
    },
  };
}

function optionsOf(frame: Uint8Array, start: number, data: number, end: number): TcpOptions {
  if (data === start) return NO_OPTIONS;
  const options = parseOptions(frame, start, Math.min(data, end));
  return data <= end ? options : { ...options, cut: true };
}

/** The ports are the first that it has. */
function cutShort({ frame, start, end, source, destination }: IpPayload): Packet {
  const why = 'TCP header cut short';
  if (end - start < 4) return { kind: 'malformed', why };
  const of = { source, sourcePort: be16(frame, start), destination, destinationPort: be16(frame, start + 2) };
  return { kind: 'malformed', why, of };
}

/** Reads options up to the first that makes no sense; nothing behind that one can be trusted. */
export function parseOptions(frame: Uint8Array, start: number, end: number): TcpOptions {
  // What nearly every segment has: timestamps, and two NOPs before them (RFC 7323 appendix A) or behind.
  if (end - start === 12) {
    if (be32(frame, start) === ALIGNED_TIMESTAMPS)
      return stamped(be32(frame, start + 4), be32(frame, start + 8));
    if (be16(frame, start) === STAMPS_FIRST && be16(frame, start + 10) === TWO_NOPS) {
      return stamped(be32(frame, start + 2), be32(frame, start + 6));
    }
  }
  const kinds: number[] = [];
  const sack: (readonly [number, number])[] = [];
  const options: Writable<TcpOptions> = { sackPermitted: false, sack, kinds };
  for (let i = start; i < end;) {
    const kind = frame[i] ?? 0;
    if (kind === END) break;
    if (kind === NOP) {
      i += 1;
      continue;
    }
    const length = i + 1 < end ? (frame[i + 1] ?? 0) : 0;
    if (length < 2 || i + length > end) break;
    kinds.push(kind);
    if (kind === MSS && length === 4) options.mss = be16(frame, i + 2);
    else if (kind === WINDOW_SCALE && length === 3) options.windowScale = frame[i + 2] ?? 0;
    else if (kind === SACK_PERMITTED) options.sackPermitted = true;
    else if (kind === TIMESTAMPS && length === 10)
      options.timestamps = [be32(frame, i + 2), be32(frame, i + 6)];
    else if (kind === SACK) {
      for (let j = i + 2; j + 8 <= i + length; j += 8) sack.push([be32(frame, j), be32(frame, j + 4)]);
    }
    i += length;
  }
  return options;
}

function stamped(value: number, echo: number): TcpOptions {
  return { timestamps: [value, echo], sackPermitted: false, sack: NO_SACK, kinds: STAMPED };
}

/** RFC 9293 §3.1: the one's complement sum over pseudo-header, header and data is all ones. */
function isGood({ frame, addresses, start, end, length }: IpPayload): boolean {
  let sum = TCP + length;
  for (let i = addresses.start; i < addresses.end; i += 2) sum += be16(frame, i);
  for (let i = start; i + 1 < end; i += 2) sum += be16(frame, i);
  // An odd last octet is padded with zero.
  if ((end - start) % 2 === 1) sum += (frame[end - 1] ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum === 0xffff;
}

function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function be32(bytes: Uint8Array, at: number): number {
  return be16(bytes, at) * 0x1_0000 + be16(bytes, at + 2);
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

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
const STAMPS_FIRST = 0x080a;
const TWO_NOPS = 0x0101;
const STAMPED: readonly number[] = [TIMESTAMPS];
const NO_SACK: TcpOptions['sack'] = [];
const NO_OPTIONS: TcpOptions = { sackPermitted: false, sack: NO_SACK, kinds: [] };
