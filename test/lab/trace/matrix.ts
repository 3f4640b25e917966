// Faults at routers, traced: side by side on paths of their own, and compared with what was to be said.

import { columns } from '../../kit/columns';
import type { LogLine } from '../../kit/ehlowire';
import type { Child, Outcome } from '../../kit/process';
import type { Finding } from './faults.table';
import { publicOf, serverBehind, type Path } from './path';
import { prepare, QUICKLY, raise, trace } from './stage';
import type { Task } from './tasks';

export interface Result extends Task {
  readonly ok: boolean;
  readonly named: readonly Finding[];
  readonly seconds: number;
  /** It could not be traced. */
  readonly error?: string;
  readonly output: string;
}

interface MatrixOptions {
  /** Paths at a time: most of a trace is waiting. */
  readonly width?: number;
  /** The servers' folders go there. */
  readonly folder: string;
  readonly onTraced?: (result: Result) => void;
}

/** Traces all, in any order; results in their order. */
export async function traceAll(
  tasks: readonly Task[],
  { width = 3, folder, onTraced }: MatrixOptions,
): Promise<readonly Result[]> {
  prepare();
  const queue = tasks.map((task, nth) => ({ task, nth }));
  const results: Result[] = [];
  let raised: Promise<unknown> = Promise.resolve();
  const work = async (index: number): Promise<void> => {
    // One after the other: many servers that start at a time all start late.
    const stage = raised.then(() => raise(index, folder));
    raised = stage;
    const { path, fall } = await stage;
    try {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const result = await traceOne(path, next.task);
        results[next.nth] = result;
        onTraced?.(result);
      }
    } finally {
      await fall();
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, tasks.length) }, (_, i) => work(i)));
  return results;
}

async function traceOne(path: Path, task: Task): Promise<Result> {
  const { fault, n, k, family } = task;
  const kept: Child[] = [];
  const keep = (child: Child): Child => {
    kept.push(child);
    return child;
  };
  try {
    await fault.make({ path, n, k, family, keep });
    const host = (fault.translated ? publicOf : serverBehind)(n, family);
    const flags = [...(fault.deep ? ['--deep'] : []), ...(fault.slowly ? [] : QUICKLY)];
    const outcome = await trace(path, host, '--json', ...flags);
    return judge(task, outcome);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { ...task, ok: false, named: [], seconds: 0, error: said, output: '' };
  } finally {
    await Promise.all(kept.map((child) => child.stop('SIGKILL')));
    path.heal();
  }
}

function judge(task: Task, { code, output, seconds }: Outcome): Result {
  const lines = linesOf(output);
  const named = lines.filter(({ event }) => event === 'verdict').map((line) => line as unknown as Finding);
  const whole = lines.filter(({ event }) => event === 'trace').length === 1;
  const error = code !== 0 || !whole ? `ended with ${code}: ${output.slice(-300)}` : undefined;
  const ok = error === undefined && isRight(task, named);
  return { ...task, ok, named, seconds, output, ...(error !== undefined && { error }) };
}

/** All that is expected is named, and nothing else but what may be. */
function isRight({ fault, n, k }: Task, named: readonly Finding[]): boolean {
  const expected = fault.expected(k, n);
  const may = fault.may?.(k, n) ?? [];
  const missed = expected.filter((want) => !named.some((each) => fits(want, each)));
  const wrong = named.filter((each) => ![...expected, ...may].some((want) => fits(want, each)));
  return missed.length === 0 && wrong.length === 0;
}

/** What a row does not say may be anything. */
function fits(want: Finding, named: Finding): boolean {
  const keys = Object.keys(want) as (keyof Finding)[];
  return keys.every((key) => JSON.stringify(want[key]) === JSON.stringify(named[key]));
}

/** The lines of `--json`; what is none of them is in `output`. */
export function linesOf(output: string): readonly LogLine[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}

function textOf({ verdict, certainty, segment, hop, between }: Finding): string {
  const place = between ? `between ${between.join(' and ')}` : `at ${hop}`;
  return [verdict, certainty, ...(segment === undefined ? [] : [segment]), place].join(' ');
}

export function textsOf(findings: readonly Finding[]): string {
  return findings.map(textOf).join(', ') || '-';
}

/** The table, and below it how many are right. */
export function describe(results: readonly Result[]): string {
  const rows = results.map(({ ok, named, error, seconds, ...task }) => [
    ok ? '✔' : '✘',
    task.fault.name,
    String(task.n),
    String(task.k),
    `IP${task.family}`,
    textsOf(task.fault.expected(task.k, task.n)),
    error?.split('\n')[0] ?? textsOf(named),
    `${seconds.toFixed(1)} s`,
  ]);
  const head = ['', 'fault', 'routers', 'at', '', 'expected', 'named', 'took'];
  const right = results.filter(({ ok }) => ok).length;
  return [...columns([head, ...rows]), '', `${right} of ${results.length} right`].join('\n');
}
