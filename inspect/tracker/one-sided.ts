// Connections of which one side alone was heard: few at a time, so that no flood of segments fills the memory.

import type { Direction } from '../events';
import { FLAG } from '../tcp/segment';

/** Of one connection: the side that was heard, or both. */
export interface Heard {
  heard: Direction | 'both' | undefined;
}

export interface OneSided<T extends Heard> {
  /** Of more than may be, the one that was silent longest. */
  readonly surplus: T | undefined;
  heard(each: T, from: Direction, flags: number): void;
  remove(each: T): void;
}

export function createOneSided<T extends Heard>(most: number): OneSided<T> {
  /** The one that was silent longest first: a Set keeps the order of insertion. */
  const all = new Set<T>();
  return {
    get surplus() {
      if (all.size <= most) return undefined;
      const [oldest] = all;
      return oldest;
    },
    heard(each, from, flags) {
      if (each.heard === 'both') return;
      if (each.heard !== undefined && each.heard !== from) {
        // A reset is what any server answers to what it knows nothing of.
        if (flags & FLAG.rst) return;
        each.heard = 'both';
        all.delete(each);
        return;
      }
      each.heard = from;
      all.delete(each);
      all.add(each);
    },
    remove: (each) => void all.delete(each),
  };
}
