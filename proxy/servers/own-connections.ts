// Connections of our own, those that are open and those of the last minute: segments of them may still be read.

import type { Micros } from '../../inspect/events';
import type { Verification } from '../../inspect/greeting/lesson';
import type { Endpoint } from '../../inspect/address';

export interface Own {
  open(own: Endpoint): void;
  has(endpoint: Endpoint): boolean;
  /** What it saw had been changed by ourselves. */
  spoil(own: Endpoint): void;
  /** The same may be true of all that are open, without a record of it: segments were not recorded. */
  missed(): void;
  /**
   * It is over: what may be believed of what it saw; undefined: nothing, and nothing follows from that. `repaired`: greetings
   * of its server are changed, so that it may have been our own repair that ended one.
   */
  end(own: Endpoint | undefined, seen: Verification, repaired: boolean, at: Micros): Verification | undefined;
  /** Forgets those that were over long before. */
  expire(at: Micros): void;
}

export function createOwn(): Own {
  const known = new Map<string, { spoiled: boolean; missed: boolean; until: Micros }>();
  return {
    open: (own) => void known.set(keyOf(own), { spoiled: false, missed: false, until: Infinity }),
    has: (endpoint) => known.has(keyOf(endpoint)),
    spoil(own) {
      const mark = known.get(keyOf(own));
      if (mark) mark.spoiled = true;
    },
    missed() {
      for (const mark of known.values()) mark.missed = true;
    },
    end(own, seen, repaired, at) {
      const mark = own && known.get(keyOf(own));
      if (!mark) return seen;
      mark.until = at + OWN_FOR;
      if (mark.spoiled)
        return { kind: 'unreachable', why: "ehlowire's own connection crosses its own repair" };
      const honest = seen.kind === 'greeted' && seen.finding.knowledge.policy === 'observe';
      return mark.missed && repaired && honest ? undefined : seen;
    },
    expire(at) {
      for (const [key, { until }] of known) if (until < at) known.delete(key);
    },
  };
}

export function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}

const OWN_FOR: Micros = 60_000_000;
