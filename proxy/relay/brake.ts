// Why a sender is not read for a while: each reason has its own end, and only without any it is read.

import type { Socket } from 'node:net';

type Reason = 'receiver' | 'others' | 'judgement' | 'time' | 'replies';

export interface Brake {
  readonly from: Socket;
  readonly reasons: Record<Reason, boolean>;
  /** Of them those that hold. */
  count: number;
  /** Replies are awaited no longer than that. */
  patience: NodeJS.Timeout | undefined;
}

export function createBrake(from: Socket): Brake {
  const reasons = { receiver: false, others: false, judgement: false, time: false, replies: false };
  return { from, reasons, count: 0, patience: undefined };
}

export function engage(brake: Brake, reason: Reason): void {
  if (brake.reasons[reason]) return;
  brake.reasons[reason] = true;
  brake.count += 1;
  if (brake.count === 1) brake.from.pause();
}

export function release(brake: Brake, reason: Reason): void {
  if (!brake.reasons[reason]) return;
  brake.reasons[reason] = false;
  brake.count -= 1;
  if (brake.count === 0) brake.from.resume();
}

/** The sender is read again only when every other connection has had its turn, or after a time. */
export function rest(brake: Brake, ms?: number): void {
  const reason = ms === undefined ? 'others' : 'time';
  if (brake.reasons[reason]) return;
  engage(brake, reason);
  if (ms === undefined) setImmediate(release, brake, reason);
  else setTimeout(release, ms, brake, reason);
}

/** The sender is not read until `endWait`, or for so long: some servers do not answer everything. */
export function awaitReplies(brake: Brake, ms: number): void {
  if (brake.reasons.replies) return;
  engage(brake, 'replies');
  brake.patience = setTimeout(endWait, ms, brake);
}

export function endWait(brake: Brake): void {
  if (!brake.reasons.replies) return;
  clearTimeout(brake.patience);
  release(brake, 'replies');
}
