// libsystemd through koffi: reports to the service manager. Node has no datagram sockets of its own for that.

import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

/**
 * Ready, and from now on alive as long as the event loop turns; `status` is for those who ask the manager. The answer
 * says that the end has begun. Without a manager nothing happens.
 */
export function reportReady(status: string): () => void {
  notifyManager(`READY=1\nSTATUS=${status}`);
  const every = watchdogMs();
  // Half of the time, as sd_watchdog_enabled(3) recommends.
  const pulse = every === undefined ? undefined : setInterval(() => notifyManager('WATCHDOG=1'), every / 2);
  return () => {
    clearInterval(pulse);
    notifyManager('STOPPING=1');
  };
}

/** `state` as in sd_notify(3): `READY=1`. False if no service manager started this process, or libsystemd is missing. */
function notifyManager(state: string): boolean {
  return (library()?.notify(0, state) ?? 0) > 0;
}

/** How often the manager wants to hear of us, in milliseconds; undefined: it does not. */
function watchdogMs(): number | undefined {
  const micros = [0];
  if ((library()?.watchdog(0, micros) ?? 0) <= 0) return undefined;
  return (micros[0] ?? 0) / 1_000;
}

interface Library {
  notify(unset: number, state: string): number;
  watchdog(unset: number, micros: number[]): number;
}

let loaded: Library | undefined | null = null;

function library(): Library | undefined {
  if (loaded !== null) return loaded;
  try {
    const koffi = createRequire(__filename)('koffi') as typeof Koffi;
    const so = koffi.load('libsystemd.so.0');
    loaded = {
      notify: so.func('int sd_notify(int unset_environment, const char *state)'),
      watchdog: so.func('int sd_watchdog_enabled(int unset_environment, _Out_ uint64_t *usec)'),
    };
  } catch {
    loaded = undefined;
  }
  return loaded;
}
