// Lines that are limited by time: so many a second of one kind, and a count of the others.

import type { Micros } from '../../inspect/events';

/** A kind of line, how many of it one second takes, and how to say that there were more. Plain values. */
export interface Limit {
  readonly key: string;
  readonly most: number;
  readonly because: string;
}

/** How many lines were left out, by kind of event. */
type Counts = Readonly<Record<string, number>>;

export interface Windows {
  /** Room in this second? If not, and a kind is given, it is counted. */
  takes(limit: Limit, kind?: string): boolean;
  /** These were left out. */
  omit(limit: Limit, of: Counts): void;
  /** Says what was counted and not said yet. */
  flush(): void;
}

/**
 * `tell` is called once a second at the most for each kind. The kinds are few. `sharers`: so many count by themselves what
 * is limited together, and each has its part.
 */
export function createWindows(
  clock: () => Micros,
  tell: (limit: Limit, of: Counts) => void,
  sharers = 1,
): Windows {
  const windows = new Map<string, Window>();
  let timer: NodeJS.Timeout | undefined;
  const say = (window: Window): void => {
    const { limit, omitted } = window;
    window.omitted = undefined;
    if (omitted) tell(limit, omitted);
  };
  const windowOf = (limit: Limit): Window => {
    const second = Math.floor(clock() / 1e6);
    const known = windows.get(limit.key);
    if (known?.second === second) return known;
    if (known) say(known);
    const window = known ?? { limit, second, count: 0, omitted: undefined };
    window.second = second;
    window.count = 0;
    windows.set(limit.key, window);
    return window;
  };
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    for (const window of windows.values()) say(window);
  };
  const omit = (window: Window, of: Counts): void => {
    window.omitted ??= {};
    for (const [kind, count] of Object.entries(of))
      window.omitted[kind] = (window.omitted[kind] ?? 0) + count;
    // Whether more comes or not, the count is said.
    timer ??= setTimeout(flush, 1_000).unref();
  };
  return {
    takes(limit, kind) {
      const window = windowOf(limit);
      if (window.count < Math.max(1, Math.floor(limit.most / sharers))) {
        window.count += 1;
        return true;
      }
      if (kind !== undefined) omit(window, { [kind]: 1 });
      return false;
    },
    omit: (limit, of) => omit(windowOf(limit), of),
    flush,
  };
}

interface Window {
  readonly limit: Limit;
  second: number;
  count: number;
  omitted: Record<string, number> | undefined;
}
