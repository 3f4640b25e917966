// The matrix as a table, with precision and recall below it.

import { columns } from '../../kit/columns';
import { expectedText, foundText } from './evaluate';
import type { Result } from './matrix';
import { nameOf } from './tasks';

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
  return [...columns(table), '', scores(results)].join('\n');
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
