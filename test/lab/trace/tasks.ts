// Which fault at which router of how long a path: a fixed sample, or all.

import type { Fault } from './faults.table';
import { FAMILIES, LEAST, MOST, type Family } from './path';

export interface Task {
  readonly fault: Fault;
  readonly n: number;
  readonly k: number;
  readonly family: Family;
}

export function nameOf({ fault, n, k, family }: Task): string {
  return `${fault.name}, at ${k} of ${n}, IP${family}`;
}

const [FORTH, BACK] = [
  ['v4', 'v6'],
  ['v6', 'v4'],
] as const;
const LENGTHS = Array.from({ length: MOST - LEAST + 1 }, (_, i) => LEAST + i);

/** The last place that the fault can have. */
function lastOf({ cable, behind }: Fault, n: number): number {
  return cable ? n + 1 : behind ? n - 1 : n;
}

/** Each fault at the first, a middle and the last router, both families; the lengths take turns. */
export function sampleOf(faults: readonly Fault[]): readonly Task[] {
  const turn = (i: number, from = LEAST): number => from + (i % (MOST - from + 1));
  return faults.flatMap((fault, i) => {
    const [one, other] = i % 2 === 0 ? FORTH : BACK;
    const [first, middle, last] = [turn(i), turn(i, LEAST + 1), turn(i + 2)];
    return [
      { fault, n: first, k: 1, family: one },
      { fault, n: middle, k: Math.ceil(middle / 2), family: other },
      { fault, n: last, k: lastOf(fault, last), family: one },
    ];
  });
}

/** Each fault at each router of each length, both families. */
export function allOf(faults: readonly Fault[]): readonly Task[] {
  return faults.flatMap((fault) =>
    LENGTHS.flatMap((n) =>
      Array.from({ length: lastOf(fault, n) }, (_, i) => i + 1).flatMap((k) =>
        FAMILIES.map((family) => ({ fault, n, k, family })),
      ),
    ),
  );
}
