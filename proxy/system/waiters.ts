// Waiting until something holds that a callback changes: the callback wakes all who wait, and each looks for itself.

export interface Waiters {
  /** Something changed. */
  wake(): void;
  /** Waits until `what` holds, at most `ms`; says whether it does. */
  until(what: () => boolean, ms: number): Promise<boolean>;
}

export function createWaiters(): Waiters {
  const wakers = new Set<() => void>();
  return {
    wake: () => wakers.forEach((each) => each()),
    async until(what, ms) {
      let over = false;
      let wake = (): void => undefined;
      const timer = setTimeout(() => {
        over = true;
        wake();
      }, ms);
      const waker = (): void => wake();
      wakers.add(waker);
      while (!what() && !over) await new Promise<void>((resolve) => (wake = resolve));
      wakers.delete(waker);
      clearTimeout(timer);
      return what();
    },
  };
}
