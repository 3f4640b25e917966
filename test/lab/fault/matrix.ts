// The fault matrix, played: rows side by side in topologies of their own, judged, and printed as a table.

import { join } from 'node:path';
import type { Child } from '../../kit/process';
import { awaitWord, forgetStale, makeTopology, type Topology } from '../../kit/topology';
import { compare, evaluate, expectedText, foundText, type Comparison, type Evaluation } from './evaluate';
import { play, type Played } from './play';
import type { Row } from './row';

export interface Result {
  readonly row: Row;
  readonly ok: boolean;
  readonly seconds: number;
  readonly played: Played | undefined;
  readonly evaluation: Evaluation;
  readonly comparison: Comparison;
  /** The row could not be played. */
  readonly error?: string;
}

export interface MatrixOptions {
  /** Topologies at a time; most of a row is waiting. */
  readonly width?: number;
  /** Recordings and the servers' folders go there, and stay there. */
  readonly folder: string;
  readonly onResult?: (result: Result) => void;
}

const NAME = 'ehlf';

/** Plays all rows, in any order; results in the rows' order. Throws where no topology can be made. */
export async function playAll(rows: readonly Row[], options: MatrixOptions): Promise<readonly Result[]> {
  const { width = 4, folder, onResult } = options;
  forgetStale(NAME);
  // The long ones first, so that none of them is alone at the end.
  const queue = rows.map((row, nth) => ({ row, nth })).sort((a, b) => patience(b.row) - patience(a.row));
  const results: Result[] = [];
  const worker = async (index: number): Promise<void> => {
    const stage = await raise(`${NAME}${process.pid}-${index}`, folder);
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const result = await playRow(stage.topology, next.row, next.nth, folder);
        results[next.nth] = result;
        onResult?.(result);
      }
    } finally {
      await stage.fall();
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, rows.length) }, (_, i) => worker(i)));
  return results;
}

interface Stage {
  readonly topology: Topology;
  fall(): Promise<void>;
}

/** A topology with its mail servers. */
async function raise(name: string, folder: string): Promise<Stage> {
  const topology = makeTopology(name);
  if (typeof topology === 'string') throw new Error(topology);
  const program = ['-r', 'ts-node/register/transpile-only', join(__dirname, 'mta.ts')];
  // The servers' own scratch folders lie in ours: they go with it, however the servers end.
  const servers: Child = topology.start('mta', 'env', `TMPDIR=${folder}`, process.execPath, ...program);
  const fall = async (): Promise<void> => {
    await servers.stop();
    topology.remove();
  };
  try {
    await awaitWord(servers, 'ready');
  } catch (error) {
    await fall();
    throw error;
  }
  return { topology, fall };
}

async function playRow(topology: Topology, row: Row, nth: number, folder: string): Promise<Result> {
  const began = performance.now();
  const done = (rest: Pick<Result, 'played' | 'evaluation' | 'error'>): Result => {
    const comparison = compare(row.inside, rest.evaluation.verdicts);
    const ok = rest.error === undefined && comparison.wrong.length + comparison.missed.length === 0;
    return { row, ok, seconds: (performance.now() - began) / 1000, comparison, ...rest };
  };
  try {
    const played = await play(topology, row, nth, folder);
    const evaluation = evaluate(played.inside);
    const seen = evaluation.connections === 1;
    return done({
      played,
      evaluation,
      ...(!seen && { error: `${evaluation.connections} connections:\n${played.client}${played.firewall}` }),
    });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return done({ played: undefined, evaluation: { connections: 0, verdicts: [] }, error: text });
  }
}

/** Roughly how long a row lasts, in seconds: what its client waits. */
function patience({ client }: Row): number {
  if (client.kind !== 'script') return client.patience / 2;
  return client.steps.reduce((sum, step) => sum + (step.startsWith('wait:') ? Number(step.slice(5)) : 0), 0);
}

/** The table, and below it precision and recall over all verdicts. */
export function describe(results: readonly Result[]): string {
  const lines = results.map(({ row, ok, evaluation: { verdicts }, error }) => [
    ok ? '✔' : '✘',
    `${row.kind === 'control' ? '(control) ' : ''}${row.name}`,
    row.inside.map(expectedText).join(', ') || '-',
    error?.split('\n')[0] ?? (verdicts.map(foundText).join(', ') || '-'),
    verdicts.map(({ afterMs }) => `${(afterMs / 1000).toFixed(1)} s`).join(', '),
  ]);
  const table = [['', 'fault', 'expected inside', 'got', 'after greeting'], ...lines];
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...table.map((cells) => cells[i]?.length ?? 0)));
  const text = table.map((cells) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...text, '', scores(results)].join('\n');
}

function scores(results: readonly Result[]): string {
  const sum = (count: (result: Result) => number): number =>
    results.reduce((all, each) => all + count(each), 0);
  const right = sum(({ comparison }) => comparison.right);
  const wrong = sum(({ comparison }) => comparison.wrong.length);
  const missed = sum(({ comparison }) => comparison.missed.length);
  const ratio = (whole: number): string => (whole === 0 ? 'none' : (right / whole).toFixed(3));
  const rows = `${results.filter(({ ok }) => ok).length} of ${results.length} rows`;
  return `${rows} · precision ${ratio(right + wrong)} · recall ${ratio(right + missed)} (${right} right, ${wrong} wrong, ${missed} missed)`;
}
