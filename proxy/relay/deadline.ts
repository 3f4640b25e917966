// When a connection has waited long enough, by the steady clock: one timer, moved only where it must be, and the limit of each phase.

import type { Micros } from '../../inspect/events';
import type { Waiting } from '../../inspect/smtp/session';
import { steady } from '../system/clock';
import type { TimeoutsMs } from '../config/config';

export interface Deadline {
  /**
   * `due` may have come closer. A deadline that moved away costs nothing: the timer finds out when it fires.
   * Infinity means that nothing is awaited.
   */
  arm(due: Micros): void;
  stop(): void;
}

/**
 * `onFire` returns the next deadline; it may be called early, never more than once a millisecond. A process that was
 * stopped finds its timers due before it has read what came meanwhile: sockets are read first, then silence is judged.
 */
export function createDeadline(onFire: (at: Micros) => Micros): Deadline {
  let timer: NodeJS.Timeout | undefined;
  let reading: NodeJS.Immediate | undefined;
  let fires = Number.POSITIVE_INFINITY;
  let stopped = false;

  const set = (due: Micros): void => {
    if (stopped || due >= fires) return;
    clearTimeout(timer);
    fires = due;
    const wait = Math.min(Math.max(Math.ceil((due - steady()) / 1000), 1), LONGEST_MS);
    timer = setTimeout(() => (reading = setImmediate(fire)), wait);
  };
  const fire = (): void => {
    fires = Number.POSITIVE_INFINITY;
    set(onFire(steady()));
  };

  return {
    arm: set,
    stop() {
      stopped = true;
      clearTimeout(timer);
      clearImmediate(reading);
    },
  };
}

/** RFC 5321 §4.5.3.2: which timeout counts while the dialogue waits like this. Milliseconds. */
export function timeoutMs({ on, phase, opaque }: Waiting, timeouts: TimeoutsMs): number {
  if (opaque) return timeouts.opaque;
  // §4.5.3.2.7: a server waits for its client's next command; §4.5.3.2.5: for the next block of a message.
  if (on === 'client') return phase === 'message' ? timeouts.block : timeouts.command;
  switch (phase) {
    case 'connect':
    case 'greeting':
      return timeouts.greeting;
    case 'hello':
    case 'mail':
    case 'rcpt':
    case 'data':
    case 'message':
      return timeouts[phase];
    default:
      return timeouts.command;
  }
}

/** What setTimeout takes (2^31 - 1); beyond it fires at once. */
const LONGEST_MS = 2_147_483_647;
