// The frames of one point's connections, kept until it is known what the two points say of them.

import type { Observer } from '../../../inspect/tracker/tracker';
import { addNews, createCase, frameOf, type Case } from '../evidence/case';
import { MEMORY } from '../evidence/evidence';

export interface PointRecorder extends Observer {
  /** Some of those that are asked for are not over yet. */
  readonly waiting: boolean;
  /** A connection by its id (`Trace.id`); absent where it was not seen. */
  of(id: number): Case | undefined;
}

/** `only`: the connections that a first pass over the file found; absent, where it can be read only once: all. */
export function createPointRecorder(only?: ReadonlySet<number>, memory = MEMORY / 2): PointRecorder {
  const cases = new Map<number, Case>();
  const waiting = new Set(only);
  let held = 0;
  return {
    observe(news, frame) {
      for (const each of news) {
        const { connection, ended } = each;
        if (only && !only.has(connection.id)) continue;
        const own = cases.get(connection.id) ?? createCase(connection, BOUNDS);
        cases.set(connection.id, own);
        held += addNews(own, each, frameOf(each, frame), memory - held);
        if (ended) waiting.delete(connection.id);
      }
    },
    get waiting() {
      return waiting.size > 0;
    },
    of: (id) => cases.get(id),
  };
}

/**
 * The beginning, and farther than segments are compared (`TRACE_PASSAGES`, each with an ACK or two). No end behind a gap:
 * what is missing in one file and not in the other would look as if it had been dropped between the points.
 */
const BOUNDS = { head: 1_500, tail: 0 };
