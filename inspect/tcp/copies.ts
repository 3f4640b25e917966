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
  const facts: number[] = [];
  keepRecent(facts, a, 0);
  return isCopyOfRecent(facts, b);
}

/**
 * A side's last segments, in a ring: of each `FACTS` numbers, one behind the other, since a segment kept for each frame of each
 * connection is most of what the memory has to be searched for.
 */
export type Recent = number[];

/** `count` were kept before. */
export function keepRecent(recent: Recent, segment: Segment, count: number): void {
  const { at, seq, length, flags, ack, ipId = ABSENT, window, options } = segment;
  const [value, echo] = options.timestamps ?? NO_STAMPS;
  const i = (count % RECENT) * FACTS;
  recent[i] = seq;
  recent[i + 1] = length;
  recent[i + 2] = flags;
  recent[i + 3] = ack;
  recent[i + 4] = ipId;
  recent[i + 5] = window;
  recent[i + 6] = value;
  recent[i + 7] = echo;
  recent[i + 8] = at;
}

/** Whether the segment may be one of these once more. */
export function isCopyOfRecent(recent: Recent, segment: Segment): boolean {
  const { at, seq, length, flags, ack, ipId = ABSENT, window, options } = segment;
  const [value, echo] = options.timestamps ?? NO_STAMPS;
  const within = value !== ABSENT || ipId > 0 ? COPY_WITHIN : UNNAMED_COPY_WITHIN;
  for (let i = 0; i < recent.length; i += FACTS) {
    if (
      recent[i] === seq &&
      recent[i + 1] === length &&
      recent[i + 2] === flags &&
      recent[i + 3] === ack &&
      recent[i + 4] === ipId &&
      recent[i + 5] === window &&
      recent[i + 6] === value &&
      recent[i + 7] === echo &&
      Math.abs(at - (recent[i + 8] ?? 0)) < within
    )
      return true;
  }
  return false;
}

/** Segments of a side by which its copies are known: what a dialogue sends within the time below. */
const RECENT = 24;
/** Numbers of each. */
const FACTS = 9;
/** In the place of a number that a segment does not have; none of them is negative. */
const ABSENT = -1;
const NO_STAMPS = [ABSENT, ABSENT] as const;
/** The longest way between two places that one capture sees: a queue in between. The least RTO of Linux is 200 ms, with jiffies less. */
const COPY_WITHIN: Micros = 500_000;
/** A packet without a name of its own: the least RTO, so that what is sent again is not taken for a copy. */
const UNNAMED_COPY_WITHIN: Micros = 100_000;
