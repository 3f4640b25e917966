// One line of a mail server's log: who, when, what. Nothing of envelopes, queue files or message headers is kept.

import type { Micros } from '../../../inspect/events';
import { DIALECTS, type Daemon, type Saying } from './dialects';

export interface Entry {
  /** When it was written; where the line has no zone, its local time taken as UTC. */
  readonly at: Micros;
  readonly zoned: boolean;
  readonly daemon: Daemon;
  /** Program and process, `postfix/smtpd[4]`: of all but postscreen it serves one connection at a time. */
  readonly process: string;
  /** Absent where only the process tells whose connection it is. */
  readonly client?: string;
  /** postscreen always logs it; smtpd with `smtpd_client_port_logging = yes`. */
  readonly port?: number;
  readonly says: Saying;
  /** How long the connection had lasted, where the line says it. */
  readonly lasted?: Micros;
}

/** What a log line is made of, whatever its format. */
export interface Line {
  readonly at: Micros;
  readonly zoned: boolean;
  /** `postfix/smtpd[4]`; without its number, or empty, where the log does not have it. */
  readonly process: string;
  readonly message: string;
}

/** Reads one line's message; `undefined`: nothing that is about a connection. */
export function parseMessage({ at, zoned, process, message }: Line): Entry | undefined {
  const head = message.slice(0, LONGEST);
  for (const { daemon, program, rules } of DIALECTS) {
    // A unit's name, or none, does not tell which program it was; what it says does.
    if (!program.test(process) && !UNNAMED.test(process)) continue;
    for (const [pattern, make] of rules) {
      const groups = pattern.exec(head)?.groups;
      if (!groups) continue;
      const { client, port, lasted } = groups;
      return {
        ...{ at, zoned, daemon, process },
        ...(client !== undefined && { client: client.toLowerCase() }),
        ...(port !== undefined && { port: Number(port) }),
        ...(lasted !== undefined && { lasted: spanOf(lasted) }),
        says: make(groups, message),
      };
    }
  }
  return undefined;
}

/** Exim's way to write a time: `5m`, `1h2m3s`, `0.120s`. */
function spanOf(text: string): Micros {
  let sum = 0;
  for (const [, value = '', unit = ''] of text.matchAll(/([\d.]+)([wdhms])/g)) {
    sum += Number(value) * (SECONDS[unit] ?? 0);
  }
  return Math.round(sum * 1e6);
}

const SECONDS: Readonly<Record<string, number>> = { w: 604_800, d: 86_400, h: 3_600, m: 60, s: 1 };
const UNNAMED = /^$|\.service(?:\[\d+\])?$/;
/** Characters that are looked at: names have 255, addresses 39, the words between them few. */
const LONGEST = 600;
