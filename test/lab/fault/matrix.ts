// The fault matrix, played: rows side by side in topologies of their own, and judged.

import type { LogLine } from '../../kit/ehlowire';
import type { Topology } from '../../kit/topology';
import { compare, evaluate, type Comparison, type Evaluation } from './evaluate';
import { play, type Played } from './play';
import { analyze, analyzeTwoPoints } from './product';
import { prepare, raise, type Logs } from './stage';
import { playingsOf, type Equipment, type Playing, type Task } from './tasks';

export interface Result extends Task {
  readonly ok: boolean;
  readonly evaluation: Evaluation;
  readonly comparison: Comparison;
  /** The row could not be played, or was not seen. */
  readonly error?: string;
}

interface MatrixOptions {
  /** Topologies at a time, of each kind that is needed; most of a row is waiting. */
  readonly width?: number;
  /** Recordings and the servers' folders go there, and stay there. */
  readonly folder: string;
  /** A row was played; its judgement comes at the end. */
  readonly onPlayed?: (playing: Playing, seconds: number) => void;
}

/** Plays all tasks, in any order; results in their order. Throws where no topology can be made. */
export async function playAll(tasks: readonly Task[], options: MatrixOptions): Promise<readonly Result[]> {
  const { width = 2 } = options;
  prepare();
  const queue = playingsOf(tasks).map((playing, nth) => ({ playing, nth }));
  const played = new Map<Playing, Played | string>();
  const logs: Logs[] = [];
  let raised: Promise<unknown> = Promise.resolve();
  const work = async (equipment: Equipment, index: number): Promise<void> => {
    if (!queue.some(({ playing }) => playing.on.includes(equipment))) return;
    // One after the other: many servers that start at a time all start late.
    const stage = raised.then(() => raise(index, equipment, options.folder));
    raised = stage;
    const { topology, fall } = await stage;
    await playOn(topology, () => take(queue, equipment), played, options);
    logs.push(await fall());
  };
  const workers = Array.from({ length: width }, () => EQUIPMENT).flat();
  await Promise.all(workers.map(work));
  return judgeAll(tasks, played, logs);
}

const EQUIPMENT: readonly Equipment[] = ['relay', 'bridge asks', 'host asks'];

interface Queued {
  readonly playing: Playing;
  /** The client's address. */
  readonly nth: number;
}

function take(queue: Queued[], equipment: Equipment): Queued | undefined {
  const at = queue.findIndex(({ playing }) => playing.on.includes(equipment));
  return at < 0 ? undefined : queue.splice(at, 1)[0];
}

/** One after the other, as long as there is something. */
async function playOn(
  topology: Topology,
  next: () => Queued | undefined,
  played: Map<Playing, Played | string>,
  { folder, onPlayed }: MatrixOptions,
): Promise<void> {
  for (let each = next(); each; each = next()) {
    const { playing, nth } = each;
    const began = performance.now();
    // What goes wrong with one row is told with it: the others go on.
    const tell = (error: unknown): string => (error instanceof Error ? error.message : String(error));
    played.set(playing, await play(topology, playing, { nth, folder }).catch(tell));
    onPlayed?.(playing, (performance.now() - began) / 1000);
  }
}

async function judgeAll(
  tasks: readonly Task[],
  played: ReadonlyMap<Playing, Played | string>,
  logs: readonly Logs[],
): Promise<readonly Result[]> {
  const recorded = (point: 'inside' | 'outside'): readonly string[] =>
    [...played.values()].flatMap((each) => (typeof each === 'object' ? (each[point] ?? []) : []));
  const offline = { inside: await analyze(recorded('inside')), outside: await analyze(recorded('outside')) };
  const results: Result[] = [];
  const open = tasks.map((task, nth) => ({ task, nth }));
  const work = async (): Promise<void> => {
    for (let next = open.shift(); next; next = open.shift()) results[next.nth] = await judgeOne(next.task);
  };
  // Each two points are a process of their own.
  await Promise.all([work(), work()]);
  return results;

  async function judgeOne(task: Task): Promise<Result> {
    const one = [...played].find(
      ([{ row, serves }]) => row === task.row && serves.includes(task.vantage),
    )?.[1];
    return judge(task, one, await logOf(task, one));
  }

  async function logOf({ vantage }: Task, one: Played | string | undefined): Promise<readonly LogLine[]> {
    if (vantage === 'inside' || vantage === 'outside') return offline[vantage];
    if (vantage === 'live') return logs.flatMap(({ live }) => live);
    if (vantage !== 'two points')
      return logs.flatMap((each) => each[vantage.startsWith('bridge') ? 'bridge' : 'host']);
    if (typeof one !== 'object' || one.inside === undefined || one.outside === undefined) return [];
    return analyzeTwoPoints(one.outside, one.inside);
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
