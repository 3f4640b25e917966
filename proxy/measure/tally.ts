// What a load counted: histograms of each phase, messages, failures.

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Micros, Phase } from '../../inspect/events';
import type { Failure } from '../../inspect/measure/dialogue';

/** A phase of the log, the whole session, or how much later than scheduled it began. */
export type Row = Phase | 'session' | 'late';

export interface Failures {
  readonly phase: Phase;
  readonly cause: Failure['cause'];
  /** Of the first of them; escaped. */
  readonly text: string;
  count: number;
}

export interface Tally {
  /** In microseconds. HDR: three figures, whatever the range. */
  readonly rows: Map<Row, RecordableHistogram>;
  readonly failures: Map<string, Failures>;
  /** Sessions that ended by themselves. */
  sessions: number;
  /** Of these: something of them failed. */
  failed: number;
  messages: number;
  octets: number;
  /** Sessions that were ended by the end of the measurement, or that had no place before it. */
  open: number;
  unbegun: number;
  /** From the first session's beginning to the last one's end. */
  seconds: number;
}

export function createTally(): Tally {
  const counts = { sessions: 0, failed: 0, messages: 0, octets: 0, open: 0, unbegun: 0, seconds: 0 };
  return { rows: new Map(), failures: new Map(), ...counts };
}

export function record({ rows }: Tally, row: Row, duration: Micros): void {
  // It counts from 1 on.
  rowOf(rows, row).record(Math.max(1, Math.round(duration)));
}

export function recordFailure({ failures }: Tally, { phase, cause, text }: Failure): void {
  const key = `${phase} ${cause}`;
  const known = failures.get(key);
  if (known) known.count += 1;
  else if (failures.size < KINDS) failures.set(key, { phase, cause, text, count: 1 });
}

/** Adds a round to what is counted of all. */
export function addTally(all: Tally, round: Tally): void {
  for (const key of COUNTS) all[key] += round[key];
  for (const [row, histogram] of round.rows) rowOf(all.rows, row).add(histogram);
  for (const [key, failure] of round.failures) {
    const known = all.failures.get(key);
    if (known) known.count += failure.count;
    else all.failures.set(key, { ...failure });
  }
}

/** What rounds are compared by: a histogram of each would fill the memory. */
export interface RoundFigures {
  readonly sessions_per_second: number;
  /** Milliseconds; NaN where no session ended. */
  readonly session_p50_ms: number;
  readonly session_p99_ms: number;
}

export function figuresOf(tally: Tally): RoundFigures {
  const session = tally.rows.get('session');
  return {
    sessions_per_second: perSecond(tally, tally.sessions),
    session_p50_ms: session ? valueAt(session, 50) : Number.NaN,
    session_p99_ms: session ? valueAt(session, 99) : Number.NaN,
  };
}

export function perSecond({ seconds }: Tally, count: number): number {
  return seconds > 0 ? count / seconds : 0;
}

/** In milliseconds. */
export function valueAt(histogram: RecordableHistogram, percent: number): number {
  return (percent <= 0 ? histogram.min : histogram.percentile(percent)) / 1000;
}

function rowOf(rows: Tally['rows'], row: Row): RecordableHistogram {
  let histogram = rows.get(row);
  if (!histogram) rows.set(row, (histogram = createHistogram()));
  return histogram;
}

const COUNTS = ['sessions', 'failed', 'messages', 'octets', 'open', 'unbegun', 'seconds'] as const;
/** Phases by causes: a few dozen are possible. */
const KINDS = 1_024;
