// The matrix on several processors: each worker has all plays, and takes its share of the variants.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { runMatrix, type Choice, type Kind, type Named, type Result, type Tally } from './matrix';

type Chosen = Pick<Choice, 'only' | 'way' | 'sample'>;

export interface Help {
  /** 0: in this thread. */
  readonly workers: number;
  readonly onWrong?: (variant: Named) => void;
}

export async function runAll(chosen: Chosen, { workers, onWrong }: Help): Promise<Result> {
  if (workers === 0) return runMatrix({ ...chosen, share: 0, shares: 1, ...(onWrong && { onWrong }) });
  const shares = Array.from({ length: workers }, (_, share) =>
    inWorker({ ...chosen, share, shares: workers }),
  );
  return merged(await Promise.all(shares));
}

function inWorker(choice: Choice): Promise<Result> {
  const worker = new Worker(__filename, {
    workerData: choice,
    execArgv: ['-r', 'ts-node/register/transpile-only'],
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

function merged(results: readonly Result[]): Result {
  const tallies = new Map<string, Tally>();
  const kinds = new Map<string, Kind>();
  for (const result of results) {
    for (const each of result.tallies) {
      const key = `${each.way} ${each.family}`;
      const sum = tallies.get(key);
      if (!sum) tallies.set(key, each);
      else for (const field of COUNTED) sum[field] += each[field];
    }
    for (const each of result.kinds) {
      const sum = kinds.get(each.kind);
      if (!sum) kinds.set(each.kind, each);
      else {
        sum.count += each.count;
        for (const [way, count] of Object.entries(each.ways)) sum.ways[way] = (sum.ways[way] ?? 0) + count;
      }
    }
  }
  return { tallies: [...tallies.values()], kinds: [...kinds.values()] };
}

const COUNTED = ['variants', 'wrong', 'said', 'faults', 'kept', 'weakened', 'silent'] as const;

if (!isMainThread) void runMatrix(workerData as Choice).then((result) => parentPort?.postMessage(result));
