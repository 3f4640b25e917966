// Two captures read side by side: where one is ahead of the other in time it waits, so that little has to be kept.

import type { Micros, Point } from '../../../inspect/events';

interface Pace {
  /** The point was read so far. Resolves when it may be read on. */
  turn(point: Point, reached: Reached): Promise<void>;
  /** No more is read of it. */
  over(point: Point): void;
}

interface Reached {
  /** Octets of its file. */
  readonly position: number;
  readonly firstAt: Micros;
  readonly lastAt: Micros;
}

/** `apart`: the dmz clock minus the wan clock, once a connection is known at both points. */
export function createPace(apart: () => Micros | undefined): Pace {
  const points = { wan: createReader(), dmz: createReader() };
  return {
    async turn(point, reached) {
      const [own, other] = [points[point], points[OTHER[point]]];
      // A pipe that has nothing now must not keep the other one waiting.
      const quiet = own.reached?.position === reached.position;
      own.reached = reached;
      if (other.over) return;
      if (quiet) wake(other);
      else if (isAhead(point, points.wan.reached, points.dmz.reached, apart())) {
        wake(other);
        await new Promise<void>((resolve) => (own.wake = resolve));
      }
    },
    over(point) {
      points[point].over = true;
      wake(points[OTHER[point]]);
    },
  };
}

interface Reader {
  reached: Reached | undefined;
  wake: (() => void) | undefined;
  over: boolean;
}

function createReader(): Reader {
  return { reached: undefined, wake: undefined, over: false };
}

function wake(reader: Reader): void {
  reader.wake?.();
  reader.wake = undefined;
}

function isAhead(
  point: Point,
  wan: Reached | undefined,
  dmz: Reached | undefined,
  apart: Micros | undefined,
): boolean {
  if (!wan || !dmz) return true;
  // Until a connection is known at both, as if both had been begun together.
  const difference = dmz.lastAt - wan.lastAt - (apart ?? dmz.firstAt - wan.firstAt);
  return point === 'dmz' ? difference > 0 : difference < 0;
}

const OTHER = { wan: 'dmz', dmz: 'wan' } as const;
