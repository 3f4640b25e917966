// Every threshold that evidence must reach, in one place, each with its reason.

import type { Micros } from '../events';

/** Segments overtake one another within a few ms; a retransmission takes an RTO, 200 ms at the least (Linux). */
export const REORDERING: Micros = 100_000;

/**
 * How late a segment may come and still have been overtaken only. RFC 8985 §6.2 step 4 lets a sender wait a quarter of the
 * round trip, and up to all of it on paths that reorder much: all of it here. At least 50 ms: parallel links of a near
 * path differ by a few ms, and a near server's handshake knows nothing of them. At most 1 s: a handshake that lost a
 * segment looks like a long round trip.
 */
export function reorderingTime(roundTrip: Micros | undefined): Micros {
  return roundTrip === undefined ? REORDERING : Math.min(Math.max(roundTrip, 50_000), 1_000_000);
}

/**
 * Isolated loss that TCP recovers sooner is not reported: fast retransmit fills the hole within one round trip, or two where a loss is seen
 * late (RFC 8985 §7.2), and no delay is noticed. What takes longer cost an RTO: the round trip and 200 ms at the
 * least (Linux).
 */
export function recoveryTime(roundTrip: Micros | undefined): Micros {
  return Math.min(Math.max(2 * (roundTrip ?? 0), REORDERING), 1_000_000);
}

/** The least RTO of a stack that counts its packets, Linux: 200 ms; a timer's tick may be missing from it. Each further one doubles. */
export const RESENT: Micros = 190_000;

/** Steps by one that show a counter: by chance one number in 65,536 is the next, so what they show is whose counter it is. */
export const COUNTING = 4;

/**
 * Stacks that count each connection's packets by themselves start at a TTL of 64. Others start higher (Windows: 128,
 * network gear: 255), and one counter of Windows counts what all of the machine sends.
 */
export const TTL_OF_COUNTERS = 64;

/** What happens by chance more often than this is not reported: so many lost in a row, on a path that loses so much. */
export const CHANCE = 0.01;

/** How long a hole may wait for its octets before the verdict comes without them: several RTOs. */
export const HOLE_PATIENCE: Micros = 2_000_000;

/** The longest that a receiver may wait before it acknowledges (RFC 9293 §3.8.6.3). */
export const DELAYED_ACK: Micros = 500_000;

/** A delay that no queue on a working path gives to 9 octets, and that a radio link does not take to wake up. */
export const HELD: Micros = 400_000;

/** A delay between two points below which no judge finds anything, with what two clocks may run apart within a connection. */
export const REMARKABLE: Micros = HELD / 2;

/** A greeting later than this makes clients give up: the shortest common time-out is 30 s (nodemailer). */
export const GREETING_SLOW: Micros = 20_000_000;

/** A client that was greeted and says nothing: legitimate ones speak within the second; DNS can take a few. */
export const CLIENT_SILENT: Micros = 10_000_000;

/** Hops may change by one or two when a route changes; a machine that answers for another is farther off. */
export const TTL_JUMP = 3;

/** Segments listed in a verdict: enough to see it, few enough to read it. */
export const EVIDENCE = 12;

/** Seconds that a timestamp clock may be off what its rate allows: drift, and a tick or two. */
export const CLOCK_LEAP = 2;

/**
 * Copies and probes in a row, each of which brought no answer that is here: a capture that lost frames now and then, and
 * does not say so, has not lost every answer and nothing else.
 */
export const UNANSWERED = 4;

/** A living TCP answers a probe within its round trip; this allows for satellites and for one loss. */
export const PROBE_ANSWER: Micros = 3_000_000;

/** Ticks by which an echo may be ahead of the last stamp that was seen, where the capture missed some: 10 s of microseconds. */
export const ECHO_AHEAD = 10_000_000;

/** A path that makes every segment late by a third of this delay has not held this one (radio, a full queue). */
export const JITTER = 3;

/** Segments of a connection that are compared between two points: some ten times a plain dialogue. */
export const TRACE_PASSAGES = 400;

/** Octets of a segment whose content is compared; longer ones are bulk, of which only the numbers are. */
export const TRACE_PAYLOAD = 1_024;

/** How long a segment may take between two points before it counts as not come: several RTOs, as for holes. */
export const PASSING: Micros = 2_000_000;

/** How fast two clocks may run apart: 250 ppm, more than twice what a bad quartz does. */
export const DRIFT = 250e-6;

/** Times are cut to microseconds at best, and a machine may stamp in bursts. */
export const STAMPING: Micros = 1_000;

/** Handshakes of two points that may be one connection's begin this close together, by the corrected clock. */
export const HANDSHAKES_APART: Micros = 3_000_000;
