// What the operator is told of trouble that comes with every connection: the first time, and then now and then.

import type { Micros } from '../../inspect/events';
import { steady } from '../system/clock';
import type { Connection, Fields, Sink } from '../sinks/record';

export interface Complaints {
  /**
   * One note of a kind about one thing (`on`) in ten seconds; the next one counts those left out. `connection`
   * is the one that it happened to.
   */
  tell(what: string, on: string, fields: Fields, connection?: Connection): void;
}

export function createComplaints(sink: Sink): Complaints {
  const told = new Map<string, { at: Micros; silent: number }>();
  return {
    tell(what, on, fields, connection) {
      const key = `${what} ${on}`;
      const at = steady();
      const last = told.get(key);
      if (last !== undefined && at - last.at < QUIET) {
        last.silent += 1;
        return;
      }
      // The last told is the last of the Map.
      told.delete(key);
      told.set(key, { at, silent: 0 });
      for (const oldest of told.keys()) {
        if (told.size <= TOLD) break;
        told.delete(oldest);
      }
      const since = last === undefined || last.silent === 0 ? {} : { since_last: last.silent };
      sink.note('warn', what, { ...(connection && fieldsOf(connection)), ...fields, ...since });
    },
  };
}

/** The fields that every event of the connection has (DESIGN §5). */
function fieldsOf({ session, path, client, server }: Connection): Fields {
  return {
    session,
    path,
    'client.address': client.address,
    'client.port': client.port,
    'server.address': server.address,
    'server.port': server.port,
  };
}

const QUIET: Micros = 10_000_000;
/** Things that are complained of: transparent connections may go anywhere. */
const TOLD = 1_024;
