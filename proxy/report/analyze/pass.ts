// One pass over capture files: every frame through a tracker, what it tells to an observer, in bounded memory.

import type { Micros } from '../../../inspect/events';
import type { Redaction } from '../../../inspect/grammar/argument';
import {
  createTracker,
  type Frame,
  type Observer,
  type TrackerCounts,
} from '../../../inspect/tracker/tracker';
import type { Fault } from '../../system/fault';
import { createMerge } from '../../sources/merge';
import { droppedIn } from '../../sources/pcapng-end';
import type { Disorder } from '../../sources/order';

interface PassOptions {
  readonly ports: readonly number[];
  readonly redact?: Redaction | undefined;
  readonly observer: Observer;
  /** Evidence is written: it begins with the handshake. */
  readonly keepFrames?: boolean;
  /** The user states that the capture lost no frames (`--no-drops`). */
  readonly noDrops?: boolean;
  /**
   * After every mebibyte: octets read in all, frames so far, the time of the first and the last of them. Resolves to
   * false where the pass should stop.
   */
  readonly turn: (
    position: number,
    counts: TrackerCounts,
    firstAt: Micros,
    lastAt: Micros,
  ) => Promise<boolean>;
}

/** What a capture holds, and what it says that it missed. */
export interface CaptureFacts {
  readonly counts: TrackerCounts;
  /** Frames that the capturing program, or we, missed. */
  readonly lost: number;
  /** They are counted. Else any frame may have passed and not be here. */
  readonly counted: boolean;
}

export interface PassResult extends CaptureFacts {
  /** Frames that were written late, and steps of a clock. */
  readonly disorder: Disorder;
  /** From when to when the captures ran: their first and last frame, or what a file says of itself. */
  readonly firstAt: Micros;
  readonly lastAt: Micros;
  /** Files that were read, in part at least. */
  readonly used: number;
  readonly faults: readonly Fault[];
}

/** Reads the files as one, by time: connections go on from one to another, and a direction may be in each. */
export async function runPass(files: readonly string[], options: PassOptions): Promise<PassResult> {
  const { ports, observer, noDrops = false } = options;
  const counted = noDrops || files.every((file) => droppedIn(file) === 0);
  const tracker = createTracker({
    redact: options.redact,
    ports,
    implicitTlsPorts: IMPLICIT_TLS,
    keepFrames: options.keepFrames ?? false,
    uncounted: !counted,
  });
  let firstAt = Infinity;
  let lastAt = 0;
  const frame: { -readonly [K in keyof Frame]: Frame[K] } = { ...NO_FRAME };
  const take = (linkType: number, octets: Uint8Array, at: Micros, length: number, elided?: boolean): void => {
    if (at > lastAt) lastAt = at;
    if (at < firstAt) firstAt = at;
    const news = tracker.frame(linkType, octets, at, length, elided);
    if (news.length === 0) return;
    frame.linkType = linkType;
    frame.octets = octets;
    frame.length = length;
    observer.observe(news, frame);
  };
  const merge = await createMerge(files);
  try {
    for (;;) {
      const got = await merge.read(take);
      if (!(await options.turn(merge.position, tracker.counts, firstAt, lastAt)) || got === 'end') break;
    }
    firstAt = Math.min(firstAt, merge.ran.from);
    lastAt = Math.max(lastAt, merge.ran.to);
    // The capture may have run on when nothing passed any more: that nothing did, is known.
    observer.observe(tracker.idle(lastAt));
    observer.observe(tracker.end(lastAt));
    const { lost, disorder, used, faults } = merge;
    return { counts: tracker.counts, lost, counted, disorder, firstAt, lastAt, used, faults };
  } finally {
    merge.close();
  }
}

/** RFC 8314 §3.3. */
export const IMPLICIT_TLS: readonly number[] = [465];
const NO_FRAME: Frame = { linkType: 0, octets: new Uint8Array(0), length: 0 };
