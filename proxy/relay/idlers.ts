// Connections that wait for their clients, the one that has waited longest first: who gives way when places are few.

import type { Micros } from '../../inspect/events';
import { createRecency, type Link, type Recency } from '../../inspect/tracker/recency';

/** `fresh`: has never begun a transaction. `used`: may be in one, or cannot be looked into (TLS). */
export type Rank = 'fresh' | 'used';

/** One connection's place in the list; times are of a steady clock. */
export interface Idler {
  /** Something came on this connection; undefined: it does not wait for its client. */
  touch(rank: Rank | undefined, at: Micros): void;
}

export interface Idlers {
  /** `giveWay` ends the connection at once. */
  join(giveWay: () => void): Idler;
  /** To be asked before a connection comes in; `fill` are the places that are held, from 0 to 1. */
  makeRoom(fill: number, at: Micros): void;
}

/** `freshFor`: what a client that has begun nothing gets where places are few. */
export function createIdlers(freshFor: () => Micros): Idlers {
  const lists: Record<Rank, Recency<Entry>> = { fresh: createRecency(), used: createRecency() };
  let swept = Number.NEGATIVE_INFINITY;
  const endOldest = (rank: Rank, idle: Micros, at: Micros): boolean => {
    const { oldest } = lists[rank];
    if (oldest === undefined || at - oldest.at < idle) return false;
    remove(lists, oldest);
    oldest.giveWay();
    return true;
  };
  return {
    join(giveWay) {
      const entry: Entry = { giveWay, rank: undefined, at: 0, older: undefined, newer: undefined };
      return {
        touch(rank, at) {
          if (entry.rank !== rank) remove(lists, entry);
          entry.rank = rank;
          entry.at = at;
          if (rank !== undefined) lists[rank].use(entry);
        },
      };
    },
    makeRoom(fill, at) {
      if (fill < BUSY) return;
      if (at - swept >= SWEEP) {
        swept = at;
        const most = freshFor();
        for (let ended = 0; ended < SWEPT && endOldest('fresh', most, at);) ended += 1;
      }
      if (fill >= FULL && !endOldest('fresh', FRESH_LEAST, at)) endOldest('used', USED_LEAST, at);
    },
  };
}

interface Entry extends Link<Entry> {
  readonly giveWay: () => void;
  rank: Rank | undefined;
  at: Micros;
}

function remove(lists: Readonly<Record<Rank, Recency<Entry>>>, entry: Entry): void {
  if (entry.rank !== undefined) lists[entry.rank].remove(entry);
  entry.rank = undefined;
}

/** From here on a client that has begun nothing has less time, as in Postfix (stress mode). */
const BUSY = 0.8;
/** From here on one gives way for each that comes: a closed socket's place is free only a moment later. */
const FULL = 0.95;
/** How often the list is looked through, and how many are ended at once. */
const SWEEP: Micros = 100_000;
const SWEPT = 256;
/** Three seconds are a lost segment's (RFC 6298); in the middle of a transaction a minute is no pause of an honest client. */
const FRESH_LEAST: Micros = 3_000_000;
const USED_LEAST: Micros = 60_000_000;
