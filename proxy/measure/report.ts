// The figures of a measurement, as one JSON object.

import type { RecordableHistogram } from 'node:perf_hooks';
import { ratioOf, type Spread } from '../../inspect/measure/statistics';
import { PHASES } from '../../inspect/phases';
import type { Measured } from './rounds';
import type { Row, Tally } from './tally';

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

/** What two ways are compared by, of each round. */
export const COMPARED = [
  ['sessions a second', 'sessions_per_second', (tally: Tally) => perSecond(tally, tally.sessions)],
  ['session p50', 'session_p50', (tally: Tally) => quantile(tally, 50)],
  ['session p99', 'session_p99', (tally: Tally) => quantile(tally, 99)],
] as const;

export function toObject(measured: Measured, load: LoadFacts): Record<string, unknown> {
  return {
    ways: measured.ways.map(({ way, rounds, all }) => ({
      target: way.target,
      'server.address': way.server.address,
      'server.port': way.server.port,
      ...tallyObject(all),
      rounds: rounds.map((round) =>
        Object.fromEntries(COMPARED.map(([, key, of]) => [key, rounded(of(round))])),
      ),
    })),
    ratio: Object.fromEntries(
      COMPARED.flatMap(([, key, of]) => {
        const ratio = compare(measured, of);
        return ratio ? [[key, mapValues(ratio)]] : [];
      }),
    ),
    load: { ...load, rate: load.rate ?? null },
    generator: { thread: rounded(measured.busy.thread), machine: rounded(measured.busy.machine) },
    stopped: measured.stopped,
  };
}

/** The first way over the second one; undefined where there is only one. */
export function compare({ ways }: Measured, of: (tally: Tally) => number): Spread | undefined {
  const [first, second] = ways;
  return first && second && ratioOf(first.rounds.map(of), second.rounds.map(of));
}

export function perSecond({ seconds }: Tally, count: number): number {
  return seconds > 0 ? count / seconds : 0;
}

/** In milliseconds. */
export function valueAt(histogram: RecordableHistogram, percent: number): number {
  return (percent <= 0 ? histogram.min : histogram.percentile(percent)) / 1000;
}

function quantile({ rows }: Tally, percent: number): number {
  const histogram = rows.get('session');
  return histogram ? valueAt(histogram, percent) : Number.NaN;
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
