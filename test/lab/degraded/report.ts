// What the matrix found: for a person at a terminal, and as the table that is kept.

import type { Result, Tally } from './matrix';

export function describe(result: Result, seconds: number): string {
  const { kinds } = result;
  const all = sum(result.tallies);
  return [
    ...table(result).map((cells) =>
      cells.map((cell, i) => (i === 0 ? cell.padEnd(44) : cell.padStart(9))).join(' '),
    ),
    '',
    ...[...kinds]
      .sort((a, b) => b.count - a.count)
      .flatMap(({ kind, count, ways, example }) => [
        `✘ ${count} × ${kind}`,
        `    ${Object.entries(ways)
          .sort(([, a], [, b]) => b - a)
          .map(([way, times]) => `${way} (${times})`)
          .join('; ')}`,
        `    ${example.detail}`,
        `    npm run lab:degraded -- --only '^${escaped(example.play)}$' --way '^${escaped(example.way)}$' --save DIR   # ${example.variant}`,
      ]),
    ...(kinds.length > 0 ? [''] : []),
    `${all.variants} variants in ${seconds.toFixed(0)} s, ${all.wrong} wrong · precision ${precision(all)} · recall ${recall(all)}`,
  ].join('\n');
}

/** DEGRADED.md. `sample`: one variant of so many was tried. */
export function markdown(result: Result, sample = 1): string {
  const [head = [], ...rows] = table(result);
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((cells) => cells[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  return [
    '# The degradation matrix',
    '',
    'Made by `npm run lab:degraded -- --write test/lab/DEGRADED.md`; not to be edited. Every play (transcripts of the tests, the',
    'fault lab’s recordings, and captures of others where they are present) is degraded in every way, and what is said of it is',
    'compared with what is said of the whole. Less seen is less said, never something else said: _wrong_ must be 0.',
    'What is _missing_ is missing from a file that does not say so, as a pcap of tcpdump: _whole, losses not counted_ shows what',
    'that costs where nothing is missing at all. All others are read as counted, as pcapng and a live capture are.',
    ...(sample > 1 ? [`This is a sample: one variant of ${sample}.`] : []),
    'Of the verdicts of the whole plays, _kept_ are as certain as there, _weakened_ only suspected, of _silent_ ones nothing is said.',
    '',
    line(head),
    line(widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))),
    ...rows.map(line),
    '',
    `Precision ${precision(sum(result.tallies))}, recall ${recall(sum(result.tallies))}.`,
    '',
  ].join('\n');
}

function table({ tallies }: Result): string[][] {
  const ways = [...new Set(tallies.map(({ way }) => way))];
  return [
    ['degradation', 'plays', 'variants', 'wrong', 'precision', 'recall', 'kept', 'weakened', 'silent'],
    ...ways.map((way) => rowOf(way, sum(tallies.filter((each) => each.way === way)))),
    rowOf('all', sum(tallies)),
  ];
}

function rowOf(name: string, tally: Sum): string[] {
  const { plays, variants, wrong, kept, weakened, silent } = tally;
  const numbers = [plays, variants, wrong].map(String);
  return [name, ...numbers, precision(tally), recall(tally), ...[kept, weakened, silent].map(String)];
}

type Sum = Omit<Tally, 'way' | 'family'>;

function sum(tallies: readonly Tally[]): Sum {
  const total = { plays: 0, variants: 0, wrong: 0, said: 0, faults: 0, kept: 0, weakened: 0, silent: 0 };
  for (const each of tallies) {
    for (const field of Object.keys(total) as (keyof Sum)[]) total[field] += each[field];
  }
  return total;
}

/** Of all that was said; an oddity or a lesson that is wrong counts as a wrong verdict. */
function precision({ said, faults }: Sum): string {
  const all = Math.max(said, faults);
  return all === 0 ? '1.000' : ((all - faults) / all).toFixed(3);
}

function recall({ kept, weakened, silent }: Sum): string {
  const all = kept + weakened + silent;
  return all === 0 ? '-' : ((kept + weakened) / all).toFixed(3);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll("'", '.');
}
