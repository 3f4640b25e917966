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

/** The next look. */
export interface Turn {
  /** Milliseconds until then; 0: at once. */
  readonly pause: number;
  /** Records are read then; otherwise it only shows how much there is. */
  readonly read: boolean;
}

export interface Pace {
  next(look: Look): Turn;
}

/**
 * | of the ring is filled | the machine | the reader |
 * |---|---|---|
 * | next to nothing | | runs as others do: a probe that is due, and the little that there is to read, wait for nobody |
 * | less than a half | has more left over | goes on, behind all others |
 * | less than a half | has less than a quarter left over | reads nothing, and looks again half a second later |
 * | less than a half, read five seconds late | | goes on, behind all others |
 * | a half, until it is a quarter | | goes on before all others: what is lost now nobody can prove any more |
 */
export function createPace(priority: Priority, readLoad = createMeter()): Pace {
  let pause = SHORT_MS;
  let before = readLoad();
  let busy = false;
  let place: keyof Priority = 'up';
  const move = (to: keyof Priority): void => {
    if (to !== place) priority[to]();
    place = to;
  };
  const judge = (): void => {
    const load = readLoad();
    if (load.all === before.all) return;
    const all = load.all - before.all;
    // What we took, others may have left: behind them all we get nothing else.
    busy = load.idle - before.idle + load.own - before.own < SPARE * all;
    before = load;
  };
  return {
    next({ found, more, fill, behind }) {
      judge();
      move(placeAt(fill, place));
      pause = found ? SHORT_MS : Math.min(pause * 2, LONG_MS);
      if (place === 'back' && busy && behind < LATE) return { pause: BUSY_MS, read: false };
      return { pause: more ? 0 : pause, read: true };
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
  return { next: ({ found, more }) => ({ pause: more ? 0 : found ? SHORT_MS : LONG_MS, read: true }) };
}

/** Processor time since some beginning, in hundredths of a second. */
interface Load {
  /** Of all processors together. */
  readonly all: number;
  readonly idle: number;
  /** This process's. */
  readonly own: number;
}

/** Looks ten times a second at most: the kernel counts in hundredths, and on a large machine a look is long. */
function createMeter(): () => Load {
  let load = readMachine();
  let readAt = performance.now();
  return () => {
    if (performance.now() - readAt < WINDOW_MS) return load;
    readAt = performance.now();
    return (load = readMachine());
  };
}

/** /proc/stat (proc(5)); zeros where there is none: then it never looks busy. */
function readMachine(): Load {
  const { user, system } = process.cpuUsage();
  try {
    const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
    const times = first.split(/ +/).slice(1, 9).map(Number);
    return {
      all: times.reduce((sum, each) => sum + each, 0),
      idle: (times[IDLE] ?? 0) + (times[IDLE + 1] ?? 0),
      own: (user + system) / 10_000,
    };
  } catch {
    return { all: 0, idle: 0, own: 0 };
  }
}

/** And behind it: waiting for a disk. */
const IDLE = 3;
const WINDOW_MS = 100;
/** With less of it left over the machine is busy. */
const SPARE = 0.25;
/** Of 64 MiB some 5,000 records: a twentieth of a second. */
const LITTLE = 0.01;
const QUARTER = 0.25;
const HALF = 0.5;
const SHORT_MS = 50;
const LONG_MS = 100;
const BUSY_MS = 500;
const LATE: Micros = 5_000_000;
