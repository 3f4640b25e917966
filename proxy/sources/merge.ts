// Several captures as one, by time: the rings of a capturing program, a file a direction, a file an interface.

import type { Micros } from '../../inspect/events';
import { isFault, type Fault } from '../system/fault';
import { firstTime, openCapture, type CaptureSource } from './file';
import type { Take } from './frame';
import type { Disorder } from './order';

interface Merge {
  /** Reads on, and hands over what is known to be next. */
  read(take: Take): Promise<'more' | 'end'>;
  /** Octets read so far. */
  readonly position: number;
  /** Frames that the capturing programs say they missed, as far as was read. */
  readonly lost: number;
  readonly disorder: Disorder;
  /** From when to when the captures ran, as far as the files say it; at the end. */
  readonly ran: Ran;
  /** Files that were read, in part at least. */
  readonly used: number;
  readonly faults: readonly Fault[];
  close(): void;
}

/** A file that begins later than others is opened when they have come to its first frame. */
export async function createMerge(files: readonly string[]): Promise<Merge> {
  const state: State = {
    ...{ waiting: await inTimeOrder(files), open: [], faults: [] },
    ...{ position: 0, lost: 0, disorder: IN_ORDER, ran: NO_TIME, used: 0 },
  };
  return {
    read: (take) => read(state, take),
    get position() {
      return state.open.reduce((sum, each) => sum + each.position, state.position);
    },
    get lost() {
      return state.open.reduce((sum, each) => sum + each.lost, state.lost);
    },
    get disorder() {
      return state.open.reduce((sum, each) => added(sum, each.disorder), state.disorder);
    },
    get ran() {
      return state.ran;
    },
    get used() {
      return state.used;
    },
    faults: state.faults,
    close() {
      for (const source of state.open) source.close();
      state.open.length = 0;
      state.waiting.length = 0;
    },
  };
}

interface State {
  /** By their first frames. */
  readonly waiting: Waiting[];
  readonly open: CaptureSource[];
  readonly faults: Fault[];
  /** Of those that were closed. */
  position: number;
  lost: number;
  disorder: Disorder;
  ran: Ran;
  used: number;
}

interface Ran {
  readonly from: Micros;
  readonly to: Micros;
}

interface Waiting {
  readonly name: string;
  /** `-Infinity` where it is not known. */
  readonly from: Micros;
}

async function read(state: State, take: Take): Promise<'more' | 'end'> {
  await openDue(state);
  const idle = state.open.find(({ next }) => next === undefined);
  // One that has nothing ready may have what is next of all.
  if (idle) {
    const got = await idle.advance();
    if (isFault(got)) state.faults.push(got);
    if (got !== 'more' && idle.next === undefined) finish(state, idle);
    if (state.open.some(({ next }) => next === undefined)) return 'more';
  }
  const [first, then] = earliest(state);
  if (!first) return state.waiting.length > 0 ? 'more' : 'end';
  first.release(Math.min(then, state.waiting[0]?.from ?? Infinity), take);
  return 'more';
}

/** Opens those that have something as early as those that are open. */
async function openDue(state: State): Promise<void> {
  const { waiting, open } = state;
  for (let [next] = waiting; next && open.length < OPEN; [next] = waiting) {
    const now = open.reduce((least, each) => Math.min(least, each.next ?? Infinity), Infinity);
    if (open.length > 0 && next.from > now) return;
    waiting.shift();
    const source = await openCapture(next.name);
    if (isFault(source)) state.faults.push(source);
    else {
      open.push(source);
      state.used += 1;
    }
  }
}

function finish(state: State, source: CaptureSource): void {
  state.open.splice(state.open.indexOf(source), 1);
  state.position += source.position;
  state.lost += source.lost;
  state.disorder = added(state.disorder, source.disorder);
  const { from, to } = source.ran ?? NO_TIME;
  state.ran = { from: Math.min(state.ran.from, from), to: Math.max(state.ran.to, to) };
  source.close();
}

/** The source whose frame is next, and when that of another is. */
function earliest({ open }: State): readonly [CaptureSource | undefined, Micros] {
  let first: CaptureSource | undefined;
  let at = Infinity;
  let then = Infinity;
  for (const source of open) {
    const next = source.next ?? Infinity;
    if (!first || next < at) {
      then = at;
      [first, at] = [source, next];
    } else then = Math.min(then, next);
  }
  return [first, then];
}

/** Whatever order a shell names them in. The sort is stable: files that are alike stay as they were named. */
async function inTimeOrder(files: readonly string[]): Promise<Waiting[]> {
  if (files.length < 2) return files.map((name) => ({ name, from: -Infinity }));
  const timed: Waiting[] = [];
  for (const name of files) {
    const at = await firstTime(name);
    timed.push({ name, from: isFault(at) ? -Infinity : (at ?? -Infinity) });
  }
  return timed.sort((a, b) => (a.from === b.from ? 0 : a.from - b.from));
}

function added(a: Disorder, b: Disorder): Disorder {
  return {
    frames: a.frames + b.frames,
    worst: Math.max(a.worst, b.worst),
    steps: a.steps + b.steps,
    worstStep: Math.max(a.worstStep, b.worstStep),
  };
}

export const IN_ORDER: Disorder = { frames: 0, worst: 0, steps: 0, worstStep: 0 };
const NO_TIME: Ran = { from: Infinity, to: -Infinity };
/** Captures that are open at a time, each with a buffer of 2 MiB; more than overlap in earnest. */
const OPEN = 64;
