// Whether a receiver lacks octets that are not here either: then the path lost them, whatever the capture missed.

import type { Micros } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { distance } from '../tcp/seq';
import type { Stream } from '../tcp/stream';
import { DELAYED_ACK } from './thresholds';

/** Octets that were sent and are not here, and what their receiver has shown since. */
export interface Missing {
  /** Offset of the first of them. */
  readonly start: number;
  readonly since: Micros;
  /** The timestamp of the segment that showed that they were sent. */
  readonly stamp: number | undefined;
  /** That of the last segment before. */
  readonly before: number | undefined;
  /** Nothing whole of their side had come before: they are its first words. */
  readonly first: boolean;
  /** Segments that came behind them and ask for an ACK: with octets, or FIN. */
  ackEliciting: number;
  /** RSTs that came behind them: a receiver that lacks what is before may answer with an ACK (RFC 5961 §3.2). */
  resets: number;
  /** The receiver's segments since, and among them its bare ACKs. */
  receiverSegments: number;
  duplicateAcks: number;
  /** The receiver, alive, has still not acknowledged them: they did not come to it either, by whatever way. */
  notReceived: boolean;
}

/**
 * A segment of the receiver's that acknowledges none of them. An ACK may be delayed by 500 ms (RFC 9293 §3.8.6.3). A SACK
 * block behind them says at once that they are missing there; so do duplicate ACKs, one for each segment that came behind
 * them (RFC 5681 §2), and the echo of a stamp that was sent behind them.
 */
export function addFromReceiver(
  missing: Missing,
  stream: Stream,
  segment: Segment,
  rtt: Micros | undefined,
): void {
  const { start, since, first, ackEliciting, resets } = missing;
  const { at, options } = segment;
  missing.receiverSegments += 1;
  if (isBareAck(segment)) missing.duplicateAcks += 1;
  const late = at - since >= DELAYED_ACK + (rtt ?? 0);
  const sacked = options.sack.some(([left]) => (stream.offsetOf(left) ?? 0) > start);
  const answers = Math.min(missing.duplicateAcks, ackEliciting + resets) >= (first ? 1 : DUPLICATES);
  missing.notReceived ||= late || sacked || answers || echoesLater(missing, segment);
}

export function isBareAck({ flags, length }: Segment): boolean {
  return length === 0 && (flags & (FLAG.ack | FLAG.syn | FLAG.fin | FLAG.rst)) === FLAG.ack;
}

/** It echoes a stamp that was later than all before them: its sender had got what showed that they were sent. */
function echoesLater({ stamp, before }: Missing, { options }: Segment): boolean {
  const echo = options.timestamps?.[1];
  // 0 is no echo (RFC 7323 §3.2).
  if (!echo || stamp === undefined || before === undefined) return false;
  return distance(before, stamp) > 0 && distance(stamp, echo) >= 0;
}

/** One may have been sent for another reason, in bulk: a larger window say. Before the first words there is none. */
const DUPLICATES = 2;
