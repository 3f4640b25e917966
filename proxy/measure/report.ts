// The figures of a measurement, as one JSON object.

import { ratioOf, type Spread } from '../../inspect/measure/statistics';
import { PHASES } from '../../inspect/phases';
import type { Measured } from './rounds';
import { perSecond, valueAt, type RoundFigures, type Row, type Tally } from './tally';

/** What was asked of the measurement, for its report. */
export interface LoadFacts {
  /** Sessions a second; undefined: as many as the server takes. */
  readonly rate: number | undefined;
  readonly concurrency: number;
  readonly messages: number;
  /** Octets of a message. */
  readonly size: number;
  readonly starttls: boolean;
  readonly pipelining: boolean;
  /** Connections by epoll, or by Node's own sockets. */
  readonly engine: 'epoll' | 'sockets';
}

/** In the order of a session; then the whole of it, and what came before. */
export const ROWS: readonly Row[] = [...PHASES, 'session', 'late'];

export const PERCENTILES = [
  ['p50', 50],
  ['p90', 90],
  ['p99', 99],
  ['p99.9', 99.9],
  ['max', 100],
] as const;

/** What two ways are compared by, and how it is called. */
export const COMPARED: readonly (readonly [key: keyof RoundFigures, name: string])[] = [
  ['sessions_per_second', 'sessions a second'],
  ['session_p50_ms', 'session p50'],
  ['session_p99_ms', 'session p99'],
];

export function toObject(measured: Measured, load: LoadFacts): Record<string, unknown> {
  return {
    ways: measured.ways.map(({ way, rounds, all }) => ({
      target: way.target,
      'server.address': way.server.address,
      'server.port': way.server.port,
      ...tallyObject(all),
      rounds: rounds.map((round) => Object.fromEntries(COMPARED.map(([key]) => [key, rounded(round[key])]))),
    })),
    ratio: Object.fromEntries(
      COMPARED.flatMap(([key]) => {
        const ratio = compare(measured, key);
        return ratio ? [[key, mapValues(ratio)]] : [];
      }),
    ),
    load: { ...load, rate: load.rate ?? null },
    generator: { thread: rounded(measured.busy.thread), machine: rounded(measured.busy.machine) },
    stopped: measured.stopped,
  };
}

/** The first way over the second one; undefined where there is only one. */
export function compare({ ways }: Measured, key: keyof RoundFigures): Spread | undefined {
  const [first, second] = ways;
  return (
    first &&
    second &&
    ratioOf(
      first.rounds.map((round) => round[key]),
      second.rounds.map((round) => round[key]),
    )
  );
}

function tallyObject(tally: Tally): Record<string, unknown> {
  const { seconds, sessions, failed, messages, octets, open, unbegun, failures, rows } = tally;
  return {
    seconds: rounded(seconds),
    sessions,
    failed,
    messages,
    octets,
    open,
    unbegun,
    sessions_per_second: rounded(perSecond(tally, sessions)),
    messages_per_second: rounded(perSecond(tally, messages)),
    octets_per_second: Math.round(perSecond(tally, octets)),
    failures: [...failures.values()],
    phases: Object.fromEntries(
      ROWS.flatMap((row) => {
        const histogram = rows.get(row);
        if (!histogram) return [];
        const values = PERCENTILES.map(([name, percent]) => [`${name}_ms`, valueAt(histogram, percent)]);
        return [[row, { count: histogram.count, ...Object.fromEntries(values) }]];
      }),
    ),
  };
}

function mapValues({ median, least, most }: Spread): Spread {
  return { median: rounded(median), least: rounded(least), most: rounded(most) };
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
