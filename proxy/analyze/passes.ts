// One pass over capture files: every frame through a tracker, what it tells to an observer, in bounded memory.

import type { Micros } from '../../inspect/events';
import type { Veil } from '../../inspect/smtp/argument';
import { createTracker, type TrackerCounts, type TrackerNews } from '../../inspect/tracker';
import { isFault, type Fault } from '../fault';
import { openCapture, type CaptureSource } from '../sources/file';

/** A frame as the tracker had it; its octets are used again afterwards. */
export interface SeenFrame {
  readonly linkType: number;
  readonly octets: Uint8Array;
  /** Octets on the wire. */
  readonly length: number;
}

/** What a frame, or time that passed, told. */
export type Observe = (news: readonly TrackerNews[], frame?: SeenFrame) => void;

export interface PassOptions {
  readonly ports: readonly number[];
  readonly veil?: Veil | undefined;
  readonly observe: Observe;
  /** Evidence is written: it begins with the handshake. */
  readonly keepFrames?: boolean;
  /** After every mebibyte: octets read in all, frames so far. Resolves to false where the pass should stop. */
  readonly turn: (position: number, counts: TrackerCounts) => Promise<boolean>;
}

export interface PassResult {
  readonly counts: TrackerCounts;
  /** Frames that the capturing program says it missed. */
  readonly lost: number;
  /** From when to when the captures ran: their first and last frame, or what a file says of itself. */
  readonly firstAt: Micros;
  readonly lastAt: Micros;
  /** Files that were read, in part at least. */
  readonly used: number;
  readonly faults: readonly Fault[];
}

/** Reads the files in the order given. Connections may go on from one file to the next. */
export async function runPass(files: readonly string[], options: PassOptions): Promise<PassResult> {
  const { ports, observe } = options;
  const tracker = createTracker({
    veil: options.veil,
    ports,
    implicitTlsPorts: IMPLICIT_TLS,
    keepFrames: options.keepFrames ?? false,
  });
  const faults: Fault[] = [];
  const state = { position: 0, lost: 0, firstAt: Infinity, lastAt: 0, used: 0 };
  const frame: { -readonly [K in keyof SeenFrame]: SeenFrame[K] } = { ...NO_FRAME };
  const take = (linkType: number, octets: Uint8Array, at: Micros, length: number, elided?: boolean): void => {
    state.firstAt = Math.min(state.firstAt, at);
    state.lastAt = Math.max(state.lastAt, at);
    const news = tracker.frame(linkType, octets, at, length, elided);
    if (news.length === 0) return;
    frame.linkType = linkType;
    frame.octets = octets;
    frame.length = length;
    observe(news, frame);
  };
  const readOne = async (source: CaptureSource): Promise<boolean> => {
    const before = state.position;
    for (;;) {
      const got = source.read(take);
      state.position = before + source.position;
      if (!(await options.turn(state.position, tracker.counts))) return false;
      if (got === 'more') continue;
      if (isFault(got)) faults.push(got);
      return true;
    }
  };
  for (const file of files) {
    const source = openCapture(file);
    if (isFault(source)) {
      faults.push(source);
      continue;
    }
    state.used += 1;
    try {
      if (!(await readOne(source))) break;
    } finally {
      state.lost += source.lost;
      state.firstAt = Math.min(state.firstAt, source.ran?.from ?? Infinity);
      state.lastAt = Math.max(state.lastAt, source.ran?.to ?? 0);
      source.close();
    }
  }
  // The capture may have run on when nothing passed any more: that nothing did, is known.
  observe(tracker.idle(state.lastAt));
  observe(tracker.end(state.lastAt));
  return { counts: tracker.counts, ...state, faults };
}

/** RFC 8314 §3.3. */
export const IMPLICIT_TLS: readonly number[] = [465];
const NO_FRAME: SeenFrame = { linkType: 0, octets: new Uint8Array(0), length: 0 };
