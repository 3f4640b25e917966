// How busy this process and this machine were: a full processor measures itself.

import { cpus } from 'node:os';
import { performance } from 'node:perf_hooks';

export interface Busy {
  /** Share of the time in which this process was not waiting, 0 to 1: it has one thread for all sessions. */
  readonly thread: number;
  /** Share of all processors of this machine in use, by any process. */
  readonly machine: number;
}

/** Measures from now until the returned function is called. */
export function watchProcessor(): () => Busy {
  const loop = performance.eventLoopUtilization();
  const before = machineTimes();
  return () => {
    const after = machineTimes();
    const all = after.all - before.all;
    return {
      thread: performance.eventLoopUtilization(loop).utilization,
      machine: all > 0 ? 1 - (after.idle - before.idle) / all : 0,
    };
  };
}

function machineTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (list: readonly number[]): number => list.reduce((total, each) => total + each, 0);
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap((each) => Object.values(each))) };
}
