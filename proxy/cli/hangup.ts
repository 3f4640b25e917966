// What SIGHUP does to a process that runs: its log is opened anew, its configuration read again.

import { isatty } from 'node:tty';
import type { Config } from '../config/config';
import { createReload, type PolicyInForce } from '../config/reload';
import type { Sink } from '../sinks/record';
import type { Fault } from '../system/fault';

interface HangupOptions {
  readonly config: Config;
  readonly policy: PolicyInForce;
  readonly sink: Sink;
  /** Reads the configuration as at the start, `file` included. */
  readonly load: () => Config | readonly Fault[];
  readonly file: string | undefined;
  /** A terminal that hangs up ends the process: its output would be lost. */
  readonly stop: (signal: NodeJS.Signals) => void;
}

/** The signal's listener. */
export function createHangup(options: HangupOptions): (signal: NodeJS.Signals) => void {
  const { config, policy, sink, load, file, stop } = options;
  if (config.log.file === undefined && isatty(1)) return stop;
  const reload = createReload({ running: config, policy, load, file, note: sink.note });
  return () => {
    sink.reopen();
    sink.note('info', 'log-reopened');
    reload();
  };
}
