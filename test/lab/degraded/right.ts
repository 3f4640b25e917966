// Less seen, less said, never something else said: what is wrong with the outcome of a degraded play.

import type { Micros } from '../../../inspect/events';
import { keyOf, type Outcome, type Said } from './reading';

export interface Wrong {
  /** What is wrong, without the particulars: what reports count by. */
  readonly kind: string;
  readonly detail: string;
}

export interface Comparison {
  readonly wrong: readonly Wrong[];
  /** Verdicts of the whole play that are as certain here, that are only suspected here, and that are not said. */
  readonly kept: number;
  readonly weakened: number;
  readonly silent: number;
  /** Verdicts that were said, rightly or not. */
  readonly said: number;
}

export interface Rule {
  /** What the whole play said for a while and took back: the degraded one may end just then. */
  readonly transient: boolean;
  /** Times were changed by so much. */
  readonly tolerance: Micros;
  /** All frames are there, whatever else was done to them: then so are the messages, and no more of them. */
  readonly complete: boolean;
}

export function compare(whole: Outcome, got: Outcome, { transient, tolerance, complete }: Rule): Comparison {
  const wrong: Wrong[] = [];
  const add = (kind: string, detail: string): void => void wrong.push({ kind, detail });
  for (const said of got.verdicts.values()) {
    const candidates = [whole.verdicts.get(keyOf(said)), ...(transient ? whole.transient : [])].filter(
      (each): each is Said => each !== undefined && keyOf(each) === keyOf(said),
    );
    const trouble = troubleOf(said, candidates, tolerance);
    if (trouble)
      add(`${said.verdict} ${said.certainty} ${said.where} by ${said.proof}: ${trouble}`, said.summary);
  }
  for (const anomaly of got.anomalies) {
    const [, , name = ''] = anomaly.split(' ');
    if (!OF_COVERAGE.has(name) && !whole.anomalies.has(anomaly)) add(`anomaly ${name}`, anomaly);
  }
  for (const lesson of got.lessons) {
    if (!whole.lessons.has(lesson)) add(`learned ${lesson.split(' ').slice(2).join(' ')}`, lesson);
  }
  if (complete && got.messages !== whole.messages)
    add('other messages', `${got.messages} instead of ${whole.messages}`);
  return { wrong, said: got.verdicts.size, ...tally(whole, got) };
}

function troubleOf(said: Said, candidates: readonly Said[], tolerance: Micros): string | undefined {
  if (candidates.length === 0) return 'the whole play does not say it';
  if (said.certainty === 'suspected') return undefined;
  const proved = candidates.filter(({ certainty }) => certainty === 'proved');
  if (proved.length === 0) return 'the whole play only suspects it';
  const same = proved.some(
    (each) =>
      (said.missing === undefined || said.missing === each.missing) &&
      isNear(said.held, each.held, tolerance),
  );
  return same ? undefined : `other numbers`;
}

function isNear(a: Micros | undefined, b: Micros | undefined, tolerance: Micros): boolean {
  return a === undefined || (b !== undefined && Math.abs(a - b) <= tolerance);
}

function tally(whole: Outcome, got: Outcome): Pick<Comparison, 'kept' | 'weakened' | 'silent'> {
  const counts = { kept: 0, weakened: 0, silent: 0 };
  for (const [key, { certainty }] of whole.verdicts) {
    const now = got.verdicts.get(key);
    if (!now) counts.silent += 1;
    else counts[now.certainty === certainty || now.certainty === 'proved' ? 'kept' : 'weakened'] += 1;
  }
  return counts;
}

/** They say themselves that something was not observed. */
const OF_COVERAGE: ReadonlySet<string> = new Set(['gap', 'opaque']);
