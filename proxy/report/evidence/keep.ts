// A folder of evidence that a service fills for months: bounded in files and octets, and no flood fills it.

import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Micros } from '../../../inspect/events';
import { ENDS, readName } from './files';

export interface KeepBounds {
  /** Connections, each with its files. */
  readonly connections: number;
  readonly octets: number;
}

export interface Keeper {
  /** Whether evidence of this verdict may be written now: of each kind some at once, and then one in a while. */
  admit(verdict: string, at: Micros): boolean;
  /** All files of `base` were written. What is over the bounds goes: of the verdict that has most, the oldest. */
  wrote(base: string, verdict: string, octets: number): void;
}

/** Counts what is there; files that are not named as evidence are left alone. Throws the system's error. */
export function createKeeper(folder: string, { connections, octets }: KeepBounds): Keeper {
  const kept = readKept(folder);
  const allowances = new Map<string, Allowance>();
  let total = [...kept.values()].reduce((sum, each) => sum + each.octets, 0);
  return {
    admit(verdict, at) {
      const before = allowances.get(verdict) ?? { left: BURST, at };
      const left = Math.min(BURST, before.left + Math.max(0, at - before.at) / EVERY);
      allowances.set(verdict, { left: left < 1 ? left : left - 1, at });
      return left >= 1;
    },
    wrote(base, verdict, size) {
      total += size - (kept.get(base)?.octets ?? 0);
      kept.set(base, { verdict, octets: size });
      while (kept.size > connections || (total > octets && kept.size > 1)) {
        const oldest = oldestOfMost(kept);
        for (const end of ENDS) rmSync(join(folder, `${oldest}${end}`), { force: true });
        total -= kept.get(oldest)?.octets ?? 0;
        kept.delete(oldest);
      }
    },
  };
}

interface Kept {
  readonly verdict: string;
  readonly octets: number;
}

interface Allowance {
  readonly left: number;
  readonly at: Micros;
}

function readKept(folder: string): Map<string, Kept> {
  const kept = new Map<string, Kept>();
  // By time, as they are named after it.
  for (const name of readdirSync(folder).sort()) {
    const named = readName(name);
    if (!named) continue;
    const { base, verdict } = named;
    const size = statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0;
    kept.set(base, { verdict, octets: (kept.get(base)?.octets ?? 0) + size });
  }
  return kept;
}

/** A rare verdict is not driven out by a frequent one. */
function oldestOfMost(kept: ReadonlyMap<string, Kept>): string {
  const counts = new Map<string, number>();
  for (const { verdict } of kept.values()) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  for (const [base, { verdict }] of kept) if (verdict === most) return base;
  return '';
}

/** Of each verdict so many at once, and then one each ten seconds. */
const BURST = 20;
const EVERY: Micros = 10_000_000;
