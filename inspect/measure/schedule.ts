// When sessions are due: by the clock and not by the answers, so that a server that stalls is asked all the same.

import type { Micros } from '../events';

export interface Schedule {
  /** Sessions a second; undefined: the next one is due when there is a place. */
  readonly rate: number | undefined;
  /** How many; undefined: no limit. */
  readonly sessions: number | undefined;
  /** How long sessions begin; undefined: no limit. */
  readonly duration: Micros | undefined;
}

/**
 * When a session (from 0 on) is due, from the beginning on; undefined: it is not to begin. Without a rate it is due
 * `elapsed` microseconds behind the beginning: now.
 */
export function dueAt(
  { rate, sessions, duration }: Schedule,
  session: number,
  elapsed: Micros,
): Micros | undefined {
  if (sessions !== undefined && session >= sessions) return undefined;
  const due = rate === undefined ? elapsed : Math.round((session * 1e6) / rate);
  return duration !== undefined && due >= duration ? undefined : due;
}
