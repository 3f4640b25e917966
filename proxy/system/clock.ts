// The one clock of the paths: UTC in microseconds, from the monotonic clock.

import { performance } from 'node:perf_hooks';
import type { Micros } from '../../inspect/events';

/** What a clock is made of; both in milliseconds. */
interface Sources {
  /** Monotonic, with fractions. */
  readonly monotonic: () => number;
  /** Wall time since the epoch, whole milliseconds. */
  readonly wall: () => number;
  /** Wall time, with fractions, at which `monotonic` was 0. */
  readonly origin: number;
}

/**
 * Durations must not jump when the time is set, so `now` is the monotonic clock on a fixed anchor. But a
 * machine that was stepped (NTP after boot, a resumed virtual machine) would then log wrong times for months:
 * once a second the wall clock is compared, and if it is off by more than STEP_MS the anchor moves. (A slew needs
 * no care, it moves both clocks.) Between two anchors the values never go back. After a move they are right to
 * half a millisecond, the resolution of `Date.now()`; differences stay exact to the microsecond.
 */
export function createClock({ monotonic, wall, origin }: Sources): () => Micros {
  let anchor = origin;
  let checked = Number.NEGATIVE_INFINITY;
  return () => {
    const mono = monotonic();
    if (mono - checked >= CHECK_MS) {
      checked = mono;
      const step = wall() + 0.5 - (anchor + mono);
      if (Math.abs(step) > STEP_MS) anchor += step;
    }
    return Math.round((anchor + mono) * 1000);
  };
}

export const now: () => Micros = createClock({
  monotonic: () => performance.now(),
  wall: Date.now,
  origin: performance.timeOrigin,
});

/** Monotonic, from a fixed beginning: for silences, which no step of the wall clock may lengthen. No time of day. */
export function steady(): Micros {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** RFC 3339 §5.6, UTC, microseconds: `2026-05-04T03:02:01.000123Z`. */
export function formatTime(at: Micros): string {
  const micros = Math.round(at);
  const second = Math.floor(micros / 1_000_000);
  // Two times a line, most of them of the same second: its text is made once.
  if (second !== shown.second) {
    shown = { second, text: new Date(second * 1000).toISOString().slice(0, -'000Z'.length) };
  }
  return `${shown.text}${String(micros - second * 1_000_000).padStart(6, '0')}Z`;
}

let shown = { second: Number.NaN, text: '' };

const CHECK_MS = 1_000;
const STEP_MS = 10;
