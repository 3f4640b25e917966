// What a tracker counts: what came, and what of it was not followed and why.

import type { Frame } from './half-open';
import type { Segment, Tunnel } from '../tcp/segment';

/** Totals. */
export interface TrackerCounts {
  readonly frames: number;
  readonly segments: number;
  readonly fragments: number;
  readonly malformed: number;
  /** Not TCP over IP, or not one of the ports. */
  readonly others: number;
  readonly connections: number;
  /** Connections whose handshake did not complete: refused, reset, or without a further segment. */
  readonly halfOpen: number;
  /** Those of them that were only counted. */
  readonly unreported: number;
  /** Segments that the capture cut; `cutAt`: the most octets that it kept of any of their frames. */
  readonly cut: number;
  readonly cutAt: number;
  /** Segments that came in a tunnel, by the innermost. */
  readonly tunnels: ReadonlyMap<Tunnel, number>;
  /** Segments that begin as a greeting does and came from a port that is not followed, by that port. */
  readonly greeters: ReadonlyMap<number, number>;
}

export type CountsState = { -readonly [K in keyof TrackerCounts]: TrackerCounts[K] } & {
  readonly tunnels: Map<Tunnel, number>;
  readonly greeters: Map<number, number>;
};

export function createCounts(): CountsState {
  return {
    ...{ frames: 0, segments: 0, fragments: 0, malformed: 0, others: 0, connections: 0 },
    ...{ halfOpen: 0, unreported: 0, cut: 0, cutAt: 0 },
    ...{ tunnels: new Map(), greeters: new Map() },
  };
}

/** One of our ports. */
export function countSegment(counts: CountsState, { elided, tunnels }: Segment, frame?: Frame): void {
  counts.segments += 1;
  if (frame && frame.octets.length < frame.length && !elided) {
    counts.cut += 1;
    counts.cutAt = Math.max(counts.cutAt, frame.octets.length);
  }
  const tunnel = tunnels?.at(-1);
  if (tunnel) counts.tunnels.set(tunnel, (counts.tunnels.get(tunnel) ?? 0) + 1);
}

/** One of other ports. */
export function countOther(counts: CountsState, segment: Segment): void {
  const { greeters } = counts;
  counts.others += 1;
  if (!isGreeting(segment)) return;
  const before = greeters.get(segment.sourcePort);
  if (before !== undefined || greeters.size < GREETERS) greeters.set(segment.sourcePort, (before ?? 0) + 1);
}

/** RFC 5321 §4.2: `220` and a space or a hyphen. FTP greets with the same code, and has its port. */
function isGreeting({ payload, sourcePort }: Segment): boolean {
  return (
    payload.length > 4 &&
    payload[0] === 0x32 &&
    payload[1] === 0x32 &&
    payload[2] === 0x30 &&
    (payload[3] === 0x20 || payload[3] === 0x2d) &&
    sourcePort !== FTP
  );
}

const FTP = 21;
/** Ports that greeted, at most. */
const GREETERS = 64;
