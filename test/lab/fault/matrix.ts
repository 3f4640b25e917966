// The fault matrix, played: rows side by side in topologies of their own, judged, and printed as a table.

import { join } from 'node:path';
import type { LogLine } from '../../kit/ehlowire';
import type { Child } from '../../kit/process';
import { awaitWord, forgetStale, makeTopology, type Topology } from '../../kit/topology';
import {
  compare,
  evaluate,
  expectedText,
  foundText,
  type Comparison,
  type Evaluation,
  type Expected,
} from './evaluate';
import { play, type Played, type Vantage } from './play';
import { analyze, analyzeTwoPoints, startRelay, type RunningRelay } from './product';
import type { Row } from './row';

/** A row, seen from one place, or from both sides of the firewall at once. */
export interface Task {
  readonly row: Row;
  readonly vantage: Vantage | 'two points';
  readonly expected: readonly Expected[];
}

export interface Result extends Task {
  readonly ok: boolean;
  readonly evaluation: Evaluation;
  readonly comparison: Comparison;
  /** The row could not be played, or was not seen. */
  readonly error?: string;
}

export interface MatrixOptions {
  /** Topologies at a time; most of a row is waiting. */
  readonly width?: number;
  /** Recordings and the servers' folders go there, and stay there. */
  readonly folder: string;
  /** A task was played; its judgement comes at the end. */
  readonly onPlayed?: (task: Task, seconds: number) => void;
}

const NAME = 'ehlf';

/** What there is to play of these rows. */
export function tasksOf(rows: readonly Row[]): readonly Task[] {
  return rows.flatMap((row): Task[] => [
    { row, vantage: 'inside', expected: row.inside },
    ...(row.live ? [{ row, vantage: 'live', expected: row.live } as const] : []),
    ...(row.twoPoint ? [{ row, vantage: 'two points', expected: row.twoPoint } as const] : []),
  ]);
}

export function nameOf({ row, vantage }: Task): string {
  return `${row.kind === 'control' ? '(control) ' : ''}${row.name}${vantage === 'inside' ? '' : ` [${vantage}]`}`;
}

/** Plays all tasks, in any order; results in their order. Throws where no topology can be made. */
export async function playAll(tasks: readonly Task[], options: MatrixOptions): Promise<readonly Result[]> {
  const { width = 4, folder, onPlayed } = options;
  forgetStale(NAME);
  // The long ones first, so that none of them is alone at the end.
  const queue = tasks
    .map((task, nth) => ({ task, nth }))
    .filter((each): each is Playing => each.task.vantage !== 'two points')
    .sort((a, b) => patience(b.task.row) - patience(a.task.row));
  const played = new Map<Task, Played | string>();
  const live: LogLine[] = [];
  const worker = async (index: number): Promise<void> => {
    const stage = await raise(`${NAME}${process.pid}-${index}`, folder);
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { task, nth } = next;
        const began = performance.now();
        played.set(task, await playTask(stage.topology, task, nth, folder));
        onPlayed?.(task, (performance.now() - began) / 1000);
      }
    } finally {
      await stage.fall();
      live.push(...stage.relay.events());
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, tasks.length) }, (_, i) => worker(i)));
  const recordings = tasks.flatMap((task) => {
    const each = played.get(task);
    return task.vantage === 'inside' && typeof each === 'object' ? [each.recording] : [];
  });
  const offline = recordings.length > 0 ? await analyze(recordings) : [];
  const results: Result[] = [];
  for (const task of tasks) {
    if (task.vantage === 'two points') results.push(await judgeTwoPoints(task, playedInside(task, played)));
    else results.push(judge(task, played.get(task), task.vantage === 'live' ? live : offline));
  }
  return results;
}

/** A task that is played; the two points are looked at in the recordings of the same row's. */
interface Playing {
  readonly task: Task & { readonly vantage: Vantage };
  readonly nth: number;
}

function playedInside(
  { row }: Task,
  played: ReadonlyMap<Task, Played | string>,
): Played | string | undefined {
  return [...played].find(([task]) => task.row === row && task.vantage === 'inside')?.[1];
}

async function judgeTwoPoints(task: Task, played: Played | string | undefined): Promise<Result> {
  const log = typeof played === 'object' ? await analyzeTwoPoints(played.outside, played.recording) : [];
  return judge(task, played, log);
}

interface Stage {
  readonly topology: Topology;
  readonly relay: RunningRelay;
  fall(): Promise<void>;
}

/** A topology with its mail servers and a relay. */
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
    await awaitWord(servers, 'ready', 60_000);
    const relay = await startRelay(topology, join(folder, `${name}.events`));
    return { topology, relay, fall: () => relay.stop().then(fall) };
  } catch (error) {
    await fall();
    throw error;
  }
}

/** What went wrong as a string: the other rows go on. */
async function playTask(
  topology: Topology,
  { row, vantage }: Playing['task'],
  nth: number,
  folder: string,
): Promise<Played | string> {
  try {
    return await play(topology, row, vantage, { nth, folder });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function judge(task: Task, played: Played | string | undefined, log: readonly LogLine[]): Result {
  const seen = typeof played === 'object';
  const evaluation = seen ? evaluate(log, played.client) : { connections: 0, verdicts: [] };
  const comparison = compare(task.expected, evaluation.verdicts);
  const { connections } = evaluation;
  const error = !seen
    ? (played ?? 'never played')
    : connections === 1 || task.vantage === 'two points'
      ? undefined
      : `${connections} connections:\n${played.said}`;
  const ok = error === undefined && comparison.wrong.length + comparison.missed.length === 0;
  return { ...task, ok, evaluation, comparison, ...(error !== undefined && { error }) };
}

/** Roughly how long a row lasts, in seconds: what its client waits. */
function patience({ client }: Row): number {
  if (client.kind !== 'script') return client.patience / 2;
  return client.steps.reduce((sum, step) => sum + (step.startsWith('wait:') ? Number(step.slice(5)) : 0), 0);
}

/** The table, and below it precision and recall over all verdicts. */
export function describe(results: readonly Result[]): string {
  const lines = results.map((result) => {
    const { ok, expected, evaluation, error } = result;
    const { verdicts } = evaluation;
    return [
      ok ? '✔' : '✘',
      nameOf(result),
      expected.map(expectedText).join(', ') || '-',
      error?.split('\n')[0] ?? (verdicts.map(foundText).join(', ') || '-'),
      verdicts.map(({ afterMs }) => `${(afterMs / 1000).toFixed(1)} s`).join(', '),
    ];
  });
  const table = [['', 'fault', 'expected', 'got', 'after greeting'], ...lines];
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
