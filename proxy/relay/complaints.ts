// What the operator is told about an upstream that cannot be reached: the first time, and then now and then.

import { now } from '../clock';
import type { Micros } from '../../inspect/events';
import { formatFault, type Fault } from '../fault';
import type { Sink } from '../sinks/record';

export interface Complaints {
  /** One note per upstream and cause in ten seconds; the next one counts those left out. */
  tell(fault: Fault): void;
}

export function createComplaints(sink: Sink): Complaints {
  const told = new Map<string, { at: Micros; silent: number }>();
  return {
    tell(fault) {
      const key = `${fault.code} ${fault.on}`;
      const at = now();
      const last = told.get(key);
      if (last !== undefined && at - last.at < QUIET) {
        last.silent += 1;
        return;
      }
      told.set(key, { at, silent: 0 });
      const since = last === undefined || last.silent === 0 ? {} : { since_last: last.silent };
      sink.note('warn', `upstream-${fault.code}`, {
        upstream: fault.on,
        message: formatFault(fault),
        ...since,
      });
    },
  };
}

const QUIET: Micros = 10_000_000;
