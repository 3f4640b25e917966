// The same frame seen twice: before and behind a bridge, at two interfaces of one machine, by a mirror port of a switch.
// A copy says nothing new, and it is no retransmission.

import type { Micros } from '../events';
import type { Segment } from './segment';

/**
 * Whether `b`, of the same side and seen later, may be the packet `a` once more. Tags, hops and the checksum may differ: a
 * router counts the one down, and a network card fills in the other. Who sends a segment again gives it a new IP
 * identification (RFC 6864) and a new timestamp (RFC 7323 §3.2); where a packet has neither, only the time is left.
 */
export function isCopyOf(a: Segment, b: Segment): boolean {
  const [mine, theirs] = [a.options.timestamps, b.options.timestamps];
  const named = mine !== undefined || (a.ipId ?? 0) !== 0;
  return (
    a.seq === b.seq &&
    a.length === b.length &&
    a.flags === b.flags &&
    a.ack === b.ack &&
    a.ipId === b.ipId &&
    a.window === b.window &&
    mine?.[0] === theirs?.[0] &&
    mine?.[1] === theirs?.[1] &&
    Math.abs(b.at - a.at) < (named ? COPY_WITHIN : UNNAMED_COPY_WITHIN)
  );
}

/** Keeps a side's last segments, in a ring, to know copies by: `count` were kept before. */
export function keepRecent(recent: Segment[], segment: Segment, count: number): void {
  recent[count % RECENT] = segment;
}

/** Segments of a side by which its copies are known: what a dialogue sends within the time below. */
const RECENT = 24;
/** The longest way between two places that one capture sees: a queue in between. The least RTO of Linux is 200 ms, with jiffies less. */
const COPY_WITHIN: Micros = 500_000;
/** A packet without a name of its own: the least RTO, so that what is sent again is not taken for a copy. */
const UNNAMED_COPY_WITHIN: Micros = 100_000;
