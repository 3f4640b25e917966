// What the service manager (systemd) hears of this process: that it is ready, that it lives, that it is about to end.

import { notifyManager, watchdogMs } from './native/systemd';

/**
 * Ready, and from now on alive as long as the event loop turns; `status` is for whoever asks the manager. The answer
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
