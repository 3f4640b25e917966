// One TCP segment as it passed, with what its IP header says about where it came from.

import { NO_OCTETS } from '../octets';
import type { Micros } from '../events';
import type { Seq } from './seq';

/** Options of RFC 9293 §3.1, RFC 7323, RFC 2018. */
export interface TcpOptions {
  readonly mss?: number;
  /** Shift count of the window scale (RFC 7323 §2). */
  readonly windowScale?: number;
  readonly sackPermitted: boolean;
  /** SACK blocks, [left, right) edges (RFC 2018 §3). */
  readonly sack: readonly (readonly [left: Seq, right: Seq])[];
  /** TSval and TSecr (RFC 7323 §3.2). */
  readonly timestamps?: readonly [value: number, echo: number];
  /** All option kinds in their order, padding left out: a stack's handwriting. */
  readonly kinds: readonly number[];
  /** The capture cut them off (snaplen): what is not here may have been there. */
  readonly cut?: true;
}

export interface Segment {
  /** When it was captured. */
  readonly at: Micros;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly seq: Seq;
  readonly ack: Seq;
  /** The flag octet: see `FLAG`. */
  readonly flags: number;
  /** The window field, not scaled. */
  readonly window: number;
  readonly options: TcpOptions;
  /** The octets that were captured; fewer than `length` where the capture was cut. */
  readonly payload: Uint8Array;
  /** Octets of payload on the wire. */
  readonly length: number;
  /** Where in its frame the headers end, as far as they were captured; absent where it came without its frame. */
  readonly dataAt?: number;
  /** What is not in `payload` was left out on purpose: it is known to be message or TLS. */
  readonly elided?: boolean;
  /** So many octets before those of `payload` were left out, for the same reason. */
  readonly lead?: number;
  /** Time to live, or hop limit. */
  readonly ttl: number;
  /** IPv4 identification; IPv6 has none. */
  readonly ipId: number | undefined;
  /** 802.1Q and 802.1ad tags, outermost first: VLAN identifiers. */
  readonly vlans: readonly number[];
  /** What the packet was carried in, the outermost first; absent where it came as it is. */
  readonly tunnels?: readonly Tunnel[] | undefined;
  /** `bad` may be the sender's own machine: checksums are filled in by its card (offload). */
  readonly checksum: 'good' | 'bad' | 'unchecked';
}

/** Where in a frame one packet is carried by another protocol than that of its own network. */
export type Tunnel =
  | 'erspan'
  | 'ethernet in IP'
  | 'geneve'
  | 'gre'
  | 'gtp'
  | 'ip in ip'
  | 'l2tp'
  | 'mpls'
  | 'pbb'
  | 'pppoe'
  | 'tzsp'
  | 'vxlan';

/** The side by which a frame came to a point that has two: that of the clients, or that of the protected servers. */
export type Leg = 'wan' | 'lan';

/** Between whom it goes. */
export type Ends = Pick<Segment, 'source' | 'sourcePort' | 'destination' | 'destinationPort'>;

/** What a frame is to us. */
export type Packet =
  | { readonly kind: 'segment'; readonly segment: Segment }
  /** A piece of a fragmented datagram: recognised, not put together. The first one tells between whom. */
  | { readonly kind: 'fragment'; readonly of?: Ends }
  /** Not TCP over IP. */
  | { readonly kind: 'other' }
  /** A header that contradicts itself, or that the capture cut; `of` where both ports came before the cut. */
  | { readonly kind: 'malformed'; readonly why: string; readonly of?: Ends };

export const FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;

/**
 * The segment without its octets: what may be kept. A payload is a view into the capture's buffer, and would
 * keep all of that alive.
 */
export function headerOf(segment: Segment): Segment {
  return segment.payload === NO_OCTETS ? segment : { ...segment, payload: NO_OCTETS };
}
