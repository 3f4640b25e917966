// The reader's place among all that runs on the machine: behind it, beside it, or before it when nothing may wait any more.

import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { hasCapability, readCapabilities } from '../system/capabilities';
import { runAsOthers, runWhenIdle } from '../native/libc';
import type { Sink } from '../sinks/record';
import type { Priority } from './pace';

/**
 * On a loaded machine the reader waits (SCHED_IDLE), and the ring holds the records. From the signal that ends the process on it
 * runs as others do, so that the end comes soon. Where it could not leave SCHED_IDLE again, it does not enter it.
 */
export function createPriority(sink: Sink, signal: AbortSignal): Priority {
  const nice = getPriority();
  let free = mayReturn();
  const up = (): void => {
    stepUp(process.pid);
    setNice(nice);
  };
  if (!free)
    sink.note('info', 'priority-kept', {
      message: 'giving way takes CAP_SYS_NICE, or RLIMIT_NICE, to come back',
    });
  signal.addEventListener('abort', up, { once: true });
  return {
    back() {
      if (!free || signal.aborted) return;
      free = threadsOf(process.pid).every(runWhenIdle);
      if (!free) sink.note('warn', 'priority-refused', { message: 'SCHED_IDLE was refused' });
    },
    up,
    first() {
      stepUp(process.pid);
      setNice(FIRST);
    },
  };
}

/** A process that is there, our own or another. Where it is refused (see `runAsOthers`), its end takes longer. */
export function stepUp(pid: number): void {
  threadsOf(pid).forEach(runAsOthers);
}

/** Linux has one for each thread (setpriority(2)). Refused, or ended meanwhile: it stays where it is. */
function setNice(nice: number): void {
  for (const thread of threadsOf(process.pid)) {
    try {
      if (getPriority(thread) !== nice) setPriority(thread, nice);
    } catch {
      continue;
    }
  }
}

/** sched(7): to leave SCHED_IDLE takes the right to one's own nice value. */
function mayReturn(): boolean {
  if (hasCapability(readCapabilities() ?? 0n, CAP_SYS_NICE)) return true;
  try {
    const [, limit = '0'] =
      /^Max nice priority\s+(\w+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return limit === 'unlimited' || Number(limit) >= 20 - getPriority();
  } catch {
    return false;
  }
}

/** They have policies of their own: those that collect garbage, compile and write step back, too. */
function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    // Ended meanwhile.
    return [];
  }
}

/** linux/capability.h */
const CAP_SYS_NICE = 23;
/** Ten times the weight of others. */
const FIRST = -10;
