// RESULTS.md: medians with their spread, ratios to the bare bridge and to HAProxy; generated, never typed.

import { execFileSync } from 'node:child_process';
import { cpus, release } from 'node:os';
import { readVersion } from '../proxy/system/version';
import { median } from './median';
import { CONGESTION_CONTROL } from './place';
import { barsOf, type Recorded } from './recorded';
import type { Result, Samples } from './rounds';

export interface Goal {
  readonly text: string;
  readonly value: number;
  readonly reached: boolean;
  /** On a slow machine too: to miss it fails the run. */
  readonly must: boolean;
}

/** Of ratios the median of the rounds' own, since rounds are neighbours in time. */
export function goalsOf(results: readonly Result[]): Goal[] {
  const losses = sumOf(results, 'losses');
  return [
    ...results.flatMap(({ discipline, samples }) => {
      const { name } = discipline;
      const over = (other: string): number => medianRatio(samples, 'ehlowire', other);
      if (name === 'latency') {
        const added = (median(samples.get('ehlowire')) - median(samples.get('bridge'))) / 2;
        return [goal('added latency, one way, p50 < 5 µs', added, added < 5)];
      }
      const bar = BARS[name];
      if (bar === undefined) return [];
      return [
        goal(`${name}: at least ${bar} of the bridge`, over('bridge'), over('bridge') >= bar),
        goal(`${name}: at least 2.0 × HAProxy`, over('haproxy'), over('haproxy') >= 2),
      ];
    }),
    goal('no loss at the highest session rate of the load generator', losses, losses === 0),
    ...results.flatMap(recordGoals),
  ];
}

/** What a path that is well must not make it say, and that it says all that it begins to say. */
function recordGoals({ discipline, recorded, measured, failed }: Result): Goal[] {
  const own = recorded.get('ehlowire');
  if (own === undefined || discipline.sessions === undefined) return [];
  // How many sessions a client had before it failed it does not say.
  const sessions = failed.has('ehlowire') ? undefined : measured * discipline.sessions;
  return barsOf(discipline.name, own, sessions).map(({ text, value, most }) => ({
    ...goal(text, value, value <= most),
    must: true,
  }));
}

function goal(text: string, value: number, reached: boolean): Goal {
  return { text, value, reached, must: false };
}

function sumOf(results: readonly Result[], name: keyof Recorded): number {
  return results.reduce((sum, { recorded }) => sum + (recorded.get('ehlowire')?.[name] ?? 0), 0);
}

export function describe(
  results: readonly Result[],
  goals: readonly Goal[],
  settings: string,
  hostile: readonly string[],
): string {
  const rows = results.flatMap(({ discipline, samples, busy }) =>
    [...samples].map(([name, values]) => {
      const ratio = (of: Samples): string =>
        name === 'bridge' ? '' : medianRatio(of, name, 'bridge').toFixed(3);
      return `| ${discipline.name} | ${name} | ${spread(values)} | ${discipline.unit} | ${ratio(samples)} | ${ratio(busy)} |`;
    }),
  );
  return [
    '# Results of `npm run bench`',
    '',
    `${new Date().toISOString()}, ${settings}. Generated; do not edit.`,
    '',
    `Client, bridge and server share one machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Linux ${release()}, Node ${process.version}, TCP with ${CONGESTION_CONTROL}, ${versions()}, ehlowire ${readVersion()}.`,
    '',
    "`bridge again` is a second bare bridge: how far its ratio is from 1 is how much the measuring itself is off. `bulk, typical` is the median of the eightieths of each transfer: what else the machine does for a moment, and some of what ehlowire's own process does, is not in it, as it is in `bulk`.",
    '',
    '| discipline | candidate | median (least … most) | unit | of the bridge | its processor time |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    '| goal | measured | |',
    '|---|---|---|',
    ...goals.map(
      ({ text, value, reached }) => `| ${text} | ${value.toFixed(3)} | ${reached ? 'reached' : 'missed'} |`,
    ),
    '',
    ...results.flatMap(describeRecorded),
    ...hostile,
    ...describeFailures(results),
  ].join('\n');
}

function describeRecorded({ discipline, recorded }: Result): string[] {
  const own = recorded.get('ehlowire');
  if (own === undefined) return [];
  const { sessions, whole, unwatched, losses, verdicts, learned, anomalies, gaps } = own;
  return [
    `ehlowire's log of \`${discipline.name}\`: ${sessions} sessions, ${whole} of them whole and of one message; ${unwatched} unwatched; ${losses} loss, ${verdicts} verdict, ${learned} learned, ${anomalies} anomaly lines (${gaps} gaps).`,
    '',
  ];
}

/** Nothing where no client failed. */
export function describeFailures(results: readonly Result[]): readonly string[] {
  const failed = results.flatMap(({ discipline, failed }) =>
    [...failed].map(([name, count]) => `${name}, ${discipline.name}, ${count}`),
  );
  return failed.length === 0 ? [] : [`Tries that failed and were made once more: ${failed.join('; ')}.`, ''];
}

export function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const text = (value: number | undefined): string => (value ?? NaN).toPrecision(4);
  return `${text(median(values))} (${text(sorted[0])} … ${text(sorted[sorted.length - 1])})`;
}

function medianRatio(samples: Samples, of: string, to: string): number {
  const others = samples.get(to) ?? [];
  return median((samples.get(of) ?? []).map((value, i) => value / (others[i] ?? NaN)));
}

function versions(): string {
  const first = (command: string, ...args: string[]): string =>
    (execFileSync(command, args, { encoding: 'utf8' }).split('\n')[0] ?? '').replace(/ \d{4}\/.*/, '').trim();
  return `${first('haproxy', '-v')}, Postfix ${first('postconf', '-h', 'mail_version')}`;
}

/** Of the bridge. */
const BARS: Readonly<Record<string, number>> = { bulk: 0.97, 'bulk, typical': 0.97, sessions: 0.9 };
