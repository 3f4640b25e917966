// The reader's place among all that runs on the machine: behind it, until somebody waits for the end of its log.

import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { runAsOthers, runWhenIdle } from '../native/libc';
import type { Sink } from '../sinks/record';
import type { Priority } from './pace';

/**
 * Of a loaded machine the frames' side gets all: the ring holds what is read later. Whoever ends it waits for what is
 * left, and not for long: from the signal on it runs as others do.
 */
export function createPriority(sink: Sink, signal: AbortSignal): Priority {
  let refused = false;
  signal.addEventListener('abort', () => stepUp(process.pid), { once: true });
  return {
    back() {
      if (signal.aborted) return stepUp(process.pid);
      if (refused || threadsOf(process.pid).every(runWhenIdle)) return;
      refused = true;
      sink.note('warn', 'priority-refused', { message: 'SCHED_IDLE was refused' });
    },
    up: () => stepUp(process.pid),
    first() {
      stepUp(process.pid);
      for (const thread of threadsOf(process.pid)) setNice(thread, FIRST);
    },
  };
}

/** A process that is there, our own or another. Where it is refused (see `runAsOthers`), its end takes longer. */
export function stepUp(pid: number): void {
  for (const thread of threadsOf(pid)) {
    runAsOthers(thread);
    setNice(thread, 0);
  }
}

/** Linux has one for each thread (setpriority(2)). Refused, or it ended meanwhile: it stays where it is. */
function setNice(thread: number, nice: number): void {
  try {
    if (getPriority(thread) !== nice) setPriority(thread, nice);
  } catch {
    return;
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

/** Ten times the weight of others. */
const FIRST = -10;
