// Which entry was used longest ago: a list through the entries themselves, so that a use is a few writes and no search.

/** What an entry has to have room for; only the list changes it. */
export interface Link<T> {
  older: T | undefined;
  newer: T | undefined;
}

export interface Recency<T> {
  /** Was used longest ago. */
  readonly oldest: T | undefined;
  /** Puts a new entry, or one of the list, behind all others. */
  use(entry: T): void;
  remove(entry: T): void;
}

export function createRecency<T extends Link<T>>(): Recency<T> {
  const ends: Recency<T> & { oldest: T | undefined; newest: T | undefined } = {
    oldest: undefined,
    newest: undefined,
    use(entry) {
      if (ends.newest === entry) return;
      ends.remove(entry);
      entry.older = ends.newest;
      if (ends.newest) ends.newest.newer = entry;
      else ends.oldest = entry;
      ends.newest = entry;
    },
    remove(entry) {
      const { older, newer } = entry;
      if (older) older.newer = newer;
      else if (ends.oldest === entry) ends.oldest = newer;
      if (newer) newer.older = older;
      else if (ends.newest === entry) ends.newest = older;
      entry.older = entry.newer = undefined;
    },
  };
  return ends;
}
