// When the reader looks at the ring again. On a busy machine a log line may wait a little, and a frame may not.

import { readFileSync } from 'node:fs';
import type { Micros } from '../../inspect/events';

/** What one look at the ring showed. */
export interface Look {
  /** Records were there. */
  readonly found: boolean;
  /** More are there. */
  readonly more: boolean;
  /** How much of the ring they fill, 0 to 1. */
  readonly fill: number;
  /** How long ago the last one that was read had come. */
  readonly behind: Micros;
}

/** Moves the reader behind all else that runs, to its side, or before it. */
export interface Priority {
  back(): void;
  up(): void;
  first(): void;
}

export interface Pace {
  /** Milliseconds until the next look; 0: at once. */
  next(look: Look): number;
}

/**
 * | of the ring is filled | the machine | the reader |
 * |---|---|---|
 * | next to nothing | | runs as others do: a probe that is due, and the little that there is to read, wait for nobody |
 * | less than a half | is idle | goes on, behind all others |
 * | less than a half | has something better to do | reads a few records, behind all others, and waits half a second |
 * | less than a half, read five seconds late | | goes on, behind all others |
 * | a half, until it is a quarter | | goes on before all others: what is lost now nobody can prove any more |
 */
export function createPace(priority: Priority, readRun = readSchedule): Pace {
  let pause = SHORT_MS;
  let before = readRun();
  let place: keyof Priority = 'up';
  const move = (to: keyof Priority): void => {
    if (to !== place) priority[to]();
    place = to;
  };
  const isBusy = (): boolean => {
    const run = readRun();
    const busy = run.waited - before.waited > run.ran - before.ran;
    before = run;
    return busy;
  };
  return {
    next({ found, more, fill, behind }) {
      const busy = isBusy();
      move(placeAt(fill, place));
      pause = found ? SHORT_MS : Math.min(pause * 2, LONG_MS);
      if (place === 'back' && busy && behind < LATE) return BUSY_MS;
      return more ? 0 : pause;
    },
  };
}

/** Where it is to be when so much of the ring is filled, `now` being where it is. */
function placeAt(fill: number, now: keyof Priority): keyof Priority {
  if (fill >= HALF) return 'first';
  if (fill >= QUARTER) return now;
  return fill < LITTLE ? 'up' : 'back';
}

/** Where a relay runs in the same process: its connections wait for every turn, and so nothing is put off. */
export function createSteadyPace(): Pace {
  return { next: ({ found, more }) => (more ? 0 : found ? SHORT_MS : LONG_MS) };
}

/** Nanoseconds since the thread began: with a processor, and without one though it wanted one. */
interface Run {
  readonly ran: number;
  readonly waited: number;
}

/** Documentation/scheduler/sched-stats.rst; zeros where the kernel keeps none: then it never looks busy. */
function readSchedule(): Run {
  try {
    const [ran = 0, waited = 0] = readFileSync('/proc/self/schedstat', 'latin1').split(' ').map(Number);
    return { ran, waited };
  } catch {
    return { ran: 0, waited: 0 };
  }
}

/** Of 64 MiB some 5,000 records: a twentieth of a second. */
const LITTLE = 0.01;
const QUARTER = 0.25;
const HALF = 0.5;
const SHORT_MS = 50;
const LONG_MS = 100;
const BUSY_MS = 500;
const LATE: Micros = 5_000_000;
