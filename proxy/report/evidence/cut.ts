// The cut: what of each recorded frame goes into a file that is sent to other people.

import type { Direction, VerdictEvent } from '../../../inspect/events';
import type { PcapngPacket } from './pcapng';
import type { RecordedFrame, Recording } from './recording';
import { firstWithin } from './spans';
import type { Visible } from './visible';

/** The frames as they may be written: their headers, and their payload up to the first hidden octet. */
export function cutFrames({ frames, notHeld }: Recording, visible: Visible): PcapngPacket[] {
  const kept = frames.map(({ from, start, octets, payloadAt }) => {
    const end = start + octets.length - payloadAt;
    // The events may be of a copy that is not held, and then say nothing of this one.
    return visible.shown(from, { start, end: Math.min(end, firstWithin(notHeld[from], start)) });
  });
  const unsure = { client: new Set<number>(), server: new Set<number>() };
  findDisagreement(frames, kept, unsure);
  return frames.map((frame, i) => {
    const { linkType, at, octets, payloadAt, length, captured, payloadLength, comments } = frame;
    const shown = shownOf(frame, kept[i] ?? 0, unsure[frame.from]);
    // What the capture had cut stays cut: it is not known what that was.
    const elided = frame.elided || (captured === payloadLength && shown < captured);
    return { linkType, at, octets: octets.subarray(0, payloadAt + shown), length, elided, comments };
  });
}

/**
 * Up to the first octet of which copies disagree. Of the first such of a side that octet is shown too: it proves that
 * they do, and one octet says nothing.
 */
function shownOf({ start }: RecordedFrame, kept: number, unsure: ReadonlySet<number>): number {
  if (unsure.size === 0) return kept;
  const proof = Math.min(...unsure);
  for (let n = 0; n < kept; n += 1) {
    if (unsure.has(start + n)) return start + n === proof ? n + 1 : n;
  }
  return kept;
}

/**
 * The events tell of the copy that was read. Another copy of the same octets may hold anything: where copies
 * differ, neither is shown, unless all that one has for it is the mask of a middlebox.
 */
function findDisagreement(
  frames: readonly RecordedFrame[],
  kept: readonly number[],
  unsure: Record<Direction, Set<number>>,
): void {
  const seen = { client: new Map<number, number>(), server: new Map<number, number>() };
  frames.forEach(({ from, start, octets, payloadAt }, i) => {
    for (let n = 0; n < (kept[i] ?? 0); n += 1) {
      const octet = octets[payloadAt + n] ?? 0;
      if (octet === MASK_WORD || octet === MASK_GREETING) continue;
      const before = seen[from].get(start + n);
      if (before === undefined) seen[from].set(start + n, octet);
      else if (before !== octet) unsure[from].add(start + n);
    }
  });
}

/** `X` over words, `*` over greetings (Cisco). */
const MASK_WORD = 0x58;
const MASK_GREETING = 0x2a;

/** What a capture says of itself: its verdicts, a line each. */
export function commentOf(verdicts: readonly VerdictEvent[]): string {
  return verdicts
    .map(({ verdict, certainty, summary }) => `${verdict} (${certainty}): ${withoutNames(summary)}`)
    .join('\n');
}

/** Summaries may quote a masked line or an address: what leaves the house names neither people nor secrets. */
export function withoutNames(text: string): string {
  return text
    .replace(/"(X{4,}[A-Z]?)[^"]*"/g, '"$1"')
    .replace(/<[^<>\s]*>/g, '<…>')
    .replace(/[^\s"<>@]+@[^\s"<>@]+/g, '…@…')
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
