// What the candidates' rounds become in a record: tables, and the goals for ehlowire with what was measured for each.

import type { Logged } from './candidates';
import { median, type Figures, type Goal, type Table } from './records';
import type { Result, Samples } from './rounds';

export function figuresOf(results: readonly Result[]): Figures {
  const losses = results.reduce((sum, { logged }) => sum + (logged?.losses ?? 0), 0);
  return {
    tables: [...results.map(tableOf), ...tableOfLogs(results)],
    goals: [
      ...results.flatMap(speedGoals),
      atMost('no loss at the highest session rate of the load generator', losses, 0),
      ...results.flatMap(logGoals),
    ],
    failures: results.flatMap(({ discipline, failed }) =>
      [...failed].map(([candidate, count]) => `${candidate}, ${discipline.name}, ${count}`),
    ),
  };
}

function tableOf({ discipline, samples, busy }: Result): Table {
  const row = (
    name: string,
    values: readonly number[],
  ): readonly [string, readonly (readonly number[])[]] => [
    name,
    name === 'bridge' ? [values, [], []] : [values, ratios(samples, name), ratios(busy, name)],
  ];
  return {
    name: discipline.name,
    columns: [discipline.unit, 'of the bridge', "processor time, of the bridge's"],
    rows: Object.fromEntries([...samples].map(([name, values]) => row(name, values))),
  };
}

/** Of the rounds, since rounds are neighbours in time. */
function ratios(samples: Samples, of: string, to = 'bridge'): number[] {
  const others = samples.get(to) ?? [];
  return (samples.get(of) ?? []).map((value, i) => value / (others[i] ?? NaN));
}

/** What ehlowire logged in each discipline. */
function tableOfLogs(results: readonly Result[]): Table[] {
  const logs = results.flatMap(({ discipline, logged }) =>
    logged ? [[discipline.name, logged] as const] : [],
  );
  const columns = Object.keys(logs[0]?.[1] ?? {}) as (keyof Logged)[];
  const rows = logs.map(([name, logged]) => [name, columns.map((column) => [logged[column]])] as const);
  return logs.length === 0 ? [] : [{ name: 'log', columns, rows: Object.fromEntries(rows) }];
}

function speedGoals({ discipline: { name }, samples }: Result): Goal[] {
  if (name === 'latency') {
    const added = (median(samples.get('ehlowire') ?? []) - median(samples.get('bridge') ?? [])) / 2;
    return [atMost('latency: µs added one way, p50', added, 5)];
  }
  const bars = BARS[name];
  if (bars === undefined) return [];
  const goal = (text: string, to: string, bar: number): Goal => ({
    text: `${name}: ${text}`,
    value: median(ratios(samples, 'ehlowire', to)),
    ...{ is: 'at least', bar, must: false },
  });
  return [goal('of the bridge', 'bridge', bars.bridge), goal('times HAProxy', 'haproxy', bars.haproxy)];
}

/** Healthy sessions of one message each cause no verdict, and each one that is recorded is recorded whole. */
function logGoals({ discipline: { name, sessions }, logged, measured, failed }: Result): Goal[] {
  if (logged === undefined || sessions === undefined) return [];
  const { verdicts, learned, anomalies, gaps, whole, unwatched } = logged;
  const goal = (text: string, value: number, bar = 0): Goal => ({
    ...atMost(`${name}: ${text}`, value, bar),
    must: true,
  });
  return [
    goal('verdicts', verdicts),
    goal('lines that a server was learned', learned, 1),
    goal('anomalies other than gaps', anomalies - gaps),
    goal('recorded sessions that are not whole', logged.sessions - whole),
    // A client that fails does not say how many sessions it had.
    ...(failed.has('ehlowire')
      ? []
      : [
          goal(
            'sessions neither recorded nor counted as unwatched',
            Math.abs(measured * sessions - logged.sessions - unwatched),
          ),
        ]),
  ];
}

function atMost(text: string, value: number, bar: number): Goal {
  return { text, value, is: 'at most', bar, must: false };
}

/** Of the bridge's rate and of HAProxy's. */
const BARS: Readonly<Record<string, { readonly bridge: number; readonly haproxy: number }>> = {
  sessions: { bridge: 0.9, haproxy: 2 },
  // The ring is read on the processors that make the load; still no slower than a relay.
  sustained: { bridge: 0.5, haproxy: 1 },
  bulk: { bridge: 0.97, haproxy: 2 },
  'bulk, typical': { bridge: 0.97, haproxy: 2 },
};
