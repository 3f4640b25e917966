// What judges look at: one connection's two sides, and what has just happened on it.

import type { Direction, Evidence, Micros, SmtpEvent } from '../events';
import { OPEN_WINDOW } from '../limits';
import type { Clock } from './clock';
import { FLAG, type Segment } from './segment';
import { advance, type Seq } from './seq';
import type { Stream, StreamNews } from './stream';

/** One side of a connection, as its own segments show it. */
export interface SideView {
  readonly stream: Stream;
  /** Its SYN or SYN-ACK; absent where the capture began later. */
  readonly syn: Segment | undefined;
  readonly clock: Clock;
  readonly segments: number;
  readonly retransmits: number;
  /** Segments that were captured before what they acknowledge. */
  readonly disordered: number;
  /** Its last segment, without octets. */
  readonly last: Segment | undefined;
  /** The highest offset of this side that the other side has acknowledged. */
  readonly acked: number;
  readonly finAt: Micros | undefined;
  /** The other side has acknowledged its FIN, and with it all that it sent. */
  readonly finAcked: boolean;
  readonly rstAt: Micros | undefined;
}

export interface ConnectionView {
  readonly client: SideView;
  readonly server: SideView;
  readonly started: Micros;
  /** When the client acknowledged the server's SYN; absent where the capture has not the whole handshake. */
  readonly connectedAt: Micros | undefined;
  /** SYN to SYN-ACK to ACK: the round trip that this point saw; absent without a handshake, or where it was sent again. */
  readonly rtt: Micros | undefined;
}

/** One step: a segment and all that followed from it; a probe of ours; time that passed; the end. */
export interface JudgeInput {
  readonly kind: 'segment' | 'probe' | 'idle' | 'end';
  readonly at: Micros;
  readonly connection: ConnectionView;
  /** The segment's sender, or the side that was probed. */
  readonly from: Direction | undefined;
  /** Without its octets: judges may keep it. */
  readonly segment: Segment | undefined;
  /** The side that this is about was probed: a bare ACK of it may be the answer. */
  readonly probed: boolean;
  readonly news: readonly StreamNews[];
  readonly smtp: readonly SmtpEvent[];
}

/** A segment as evidence. Numbers are relative to each side's first octet. */
export function evidenceOf(
  connection: ConnectionView,
  from: Direction,
  segment: Segment,
  note: string,
): Evidence {
  const other = from === 'client' ? connection.server : connection.client;
  const seq = connection[from].stream.offsetOf(segment.seq) ?? 0;
  const ack = segment.flags & FLAG.ack ? other.stream.offsetOf(segment.ack) : undefined;
  const [tsval] = segment.options.timestamps ?? [];
  return {
    at: segment.at,
    from,
    seq,
    ...(ack !== undefined && { ack }),
    length: segment.length,
    flags: flagNames(segment.flags),
    ttl: segment.ttl,
    ...(tsval !== undefined && { tsval }),
    note,
  };
}

/** A side's initial sequence number; without its SYN by its first octet, as the SYN may have been captured behind that. */
export function isnOf({ syn, stream }: SideView): Seq | undefined {
  const first = stream.seqOf(0);
  return syn ? syn.seq : first === undefined ? undefined : advance(first, -1);
}

/** A server whose client has no room for the next line has not failed to send it (RFC 9293 §3.8.6). */
export function leavesRoom(connection: ConnectionView, segment: Segment): boolean {
  if (segment.flags & (FLAG.rst | FLAG.syn)) return (segment.flags & FLAG.rst) === 0;
  return windowOf(connection, 'client', segment) >= OPEN_WINDOW;
}

/** The octets that the sender of a segment behind the SYNs has room for. */
export function windowOf(connection: ConnectionView, from: Direction, { window }: Segment): number {
  const ours = connection[from].syn?.options.windowScale;
  const theirs = connection[from === 'client' ? 'server' : 'client'].syn?.options.windowScale;
  // RFC 7323 §2.2: both must have offered it.
  return ours === undefined || theirs === undefined ? window : window * (1 << Math.min(ours, LARGEST_SHIFT));
}

/** `SYN ACK`, `PSH ACK`, in the order of the header. */
export function flagNames(flags: number): string {
  return NAMES.filter(([bit]) => flags & bit)
    .map(([, name]) => name)
    .join(' ');
}

const NAMES: readonly (readonly [bit: number, name: string])[] = [
  [FLAG.syn, 'SYN'],
  [FLAG.fin, 'FIN'],
  [FLAG.rst, 'RST'],
  [FLAG.psh, 'PSH'],
  [FLAG.ack, 'ACK'],
  [FLAG.urg, 'URG'],
];

/** RFC 7323 §2.3. */
const LARGEST_SHIFT = 14;
