// When a server may be visited: one visit at a time for each, a back-off, and a few a minute in all.

import type { Micros } from '../../inspect/events';

interface Schedule {
  /** A visit is wanted as soon as it may be. */
  want(key: string): void;
  /** Not any more. */
  drop(key: string): void;
  /** Which visits begin now; each must be followed by `ended`. */
  begin(at: Micros): readonly string[];
  /** `calm`: it showed what the last one showed; the next one may wait longer. */
  ended(key: string, at: Micros, calm: boolean): void;
}

interface Turn {
  wanted: boolean;
  running: boolean;
  notBefore: Micros;
  /** Visits in a row that showed nothing new. */
  calm: number;
}

export function createSchedule(): Schedule {
  const turns = new Map<string, Turn>();
  const begun: Micros[] = [];
  const turnOf = (key: string): Turn => {
    const known = turns.get(key) ?? { wanted: false, running: false, notBefore: 0, calm: 0 };
    turns.set(key, known);
    return known;
  };
  return {
    want(key) {
      turnOf(key).wanted = true;
    },
    drop: (key) => void turns.delete(key),
    begin(at) {
      while (begun[0] !== undefined && at - begun[0] >= MINUTE) begun.shift();
      const now: string[] = [];
      for (const [key, turn] of turns) {
        if (begun.length >= VERIFICATIONS_PER_MINUTE) break;
        if (!turn.wanted || turn.running || turn.notBefore > at) continue;
        turn.wanted = false;
        turn.running = true;
        begun.push(at);
        now.push(key);
      }
      return now;
    },
    ended(key, at, calm) {
      const turn = turns.get(key);
      if (turn === undefined) return;
      turn.running = false;
      turn.calm = calm ? turn.calm + 1 : 0;
      turn.notBefore = at + Math.min(BACK_OFF * 2 ** Math.max(0, turn.calm - 1), BACK_OFF_MOST);
    },
  };
}

const MINUTE: Micros = 60_000_000;
/** Of all servers together: what a handful of suspects needs, and nothing that a network would notice. */
export const VERIFICATIONS_PER_MINUTE = 12;
/** Between two visits of one server; twice as long after each that showed nothing new, and at most ten minutes. */
export const BACK_OFF: Micros = 15_000_000;
const BACK_OFF_MOST: Micros = 600_000_000;
