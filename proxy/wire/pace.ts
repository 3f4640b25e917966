// When the reader looks at the ring again. On a busy machine a log line may wait a little, and a frame may not.

import { readFileSync } from 'node:fs';
import type { Micros } from '../../inspect/events';

/** What one look at the ring showed. */
export interface Look {
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
 * | next to nothing | | runs as others do: a probe that is due, and the few records, do not wait for other processes |
 * | less than three eighths | | rests for a moment, and sees what others leave; from a quarter on for no longer than that |
 * | | leaves a quarter or more | reads for a while, behind all others, and rests again |
 * | | leaves less | goes on resting |
 * | less than three eighths, read five seconds late | | reads, behind all others |
 * | three eighths, until it is a quarter | | reads as others do |
 * | a half, until it is a quarter | | reads before all others: as long as that, connections that begin are not recorded |
 *
 * It looks at the machine only while it rests: what it takes itself, even behind all others, they might have had.
 */
export function createPace(priority: Priority, readLoad = readMachine): Pace {
  let place: keyof Priority = 'up';
  /** The machine's load when the rest began. */
  let rest: Load | undefined;
  /** Reads that are left until the next rest. */
  let reads = 0;
  const move = (to: keyof Priority): void => {
    if (to !== place) priority[to]();
    place = to;
  };
  return {
    next({ more, fill, behind }) {
      move(placeAt(fill, place));
      const read: Turn = { pause: more ? 0 : LOOK_MS, read: true };
      if (place !== 'back' || behind >= LATE) {
        rest = undefined;
        reads = 0;
        return read;
      }
      if (reads > 0) {
        reads -= 1;
        return read;
      }
      const before = rest;
      const load = readLoad();
      const spare = before && load.idle - before.idle >= SPARE * (load.all - before.all);
      rest = spare ? undefined : load;
      if (spare) reads = READS;
      return spare ? read : { pause: before && fill < QUARTER ? BUSY_MS : REST_MS, read: false };
    },
  };
}

/** Where it is to be when so much of the ring is filled, `now` being where it is. */
function placeAt(fill: number, now: keyof Priority): keyof Priority {
  if (fill >= HALF || (fill >= QUARTER && now === 'first')) return 'first';
  if (fill >= MUCH) return 'up';
  if (fill >= QUARTER) return now;
  return fill < LITTLE ? 'up' : 'back';
}

/** Where a relay runs in the same process: its connections wait for every turn, and so nothing is put off. */
export function createSteadyPace(): Pace {
  return { next: ({ more }) => ({ pause: more ? 0 : LOOK_MS, read: true }) };
}

/** Processor time since some beginning, of all processors together, in hundredths of a second. */
interface Load {
  readonly all: number;
  readonly idle: number;
}

/** /proc/stat (proc(5)); zeros where there is none: then it never looks busy. */
function readMachine(): Load {
  try {
    const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
    const times = first.split(/ +/).slice(1, 9).map(Number);
    return {
      all: times.reduce((sum, each) => sum + each, 0),
      idle: (times[IDLE] ?? 0) + (times[IDLE + 1] ?? 0),
    };
  } catch {
    return { all: 0, idle: 0 };
  }
}

/** And behind it: waiting for a disk. */
const IDLE = 3;
/** With less of it left over the machine is busy. */
const SPARE = 0.25;
/** Ten ticks of the kernel's count. */
const REST_MS = 100;
/** Of 256 records: some half a second. */
const READS = 128;
/** Of 64 MiB some 2,000 records: a twenty-fifth of a second. */
const LITTLE = 0.005;
const QUARTER = 0.25;
/** Below a half by more than comes in between two looks. */
const MUCH = 0.375;
const HALF = 0.5;
/** Each look finds the caches cold, and leaves them so to the frames' side: four times a second is soon enough. */
const LOOK_MS = 250;
const BUSY_MS = 500;
const LATE: Micros = 5_000_000;
