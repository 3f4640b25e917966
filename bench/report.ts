// RESULTS.md and README's line on performance, made from the records of all runs; pure.

import { isReached, median, type Figures, type Goal, type Run } from './records';

type EndedRun = Run & { readonly end: Extract<Run['end'], Figures> };

/** Runs of one code on one machine: what may be compared, and what median and range are taken of. */
interface Group {
  readonly begun: readonly Run[];
  readonly ended: readonly EndedRun[];
  /** Runs of the same code on other machines. */
  readonly elsewhere: number;
  /** Runs of other code, begun since the last one of the group. */
  readonly since: number;
}

/** The group of the last run that ended. */
function groupOf(runs: readonly Run[]): Group | undefined {
  const last = runs.findLast(isEnded)?.begun;
  if (last === undefined) return undefined;
  const isSameCode = ({ begun }: Run): boolean => begun.code === last.code;
  const begun = runs.filter((run) => isSameCode(run) && run.begun.machine === last.machine);
  return {
    begun,
    ended: begun.filter(isEnded),
    elsewhere: runs.filter(isSameCode).length - begun.length,
    since: runs.length - 1 - runs.findLastIndex(isSameCode),
  };
}

function isEnded(run: Run): run is EndedRun {
  return run.end?.kind === 'ended';
}

export function describeRuns(runs: readonly Run[]): string {
  const group = groupOf(runs);
  const text =
    group === undefined
      ? [`**${count(runs.length, 'run')} begun, none ended.**`, '', ...runs.flatMap(missedBy)]
      : describeGroup(group);
  return ['# Results of `npm run bench`', '', ORIGIN, '', ...text, ''].join('\n').replace(/\n+$/, '\n');
}

function describeGroup({ begun, ended, elsewhere, since }: Group): string[] {
  const { code, commit, machine, programs, sizes } = (ended.at(-1) as EndedRun).begun;
  const missed = begun.flatMap(missedBy);
  const figures = ended.map(({ end }) => end);
  return [
    `**${count(begun.length, 'run')} of this code begun, ${ended.length} ended.** Code ${code} (commit ${commit}), with ${programs}, on ${machine}.`,
    '',
    `A run: ${Object.entries(sizes)
      .map(([name, many]) => `${many.toLocaleString('en')} ${name}`)
      .join(', ')}.`,
    '',
    ...(elsewhere > 0 ? [`Runs of this code on other machines, not shown here: ${elsewhere}.`, ''] : []),
    ...(since > 0 ? [`Runs of other code begun since then, none of which ended: ${since}.`, ''] : []),
    ...table(
      ['run', 'load before', 'rounds', 'minutes', 'goals missed', 'clients that failed'],
      begun.map(runRow),
    ),
    '## Missed',
    '',
    ...(missed.length > 0 ? missed : ['Nothing.']),
    '',
    '## Goals',
    '',
    ...table(['goal', '', 'median of the runs (least … most)', 'reached'], goalRows(figures)),
    '## Figures',
    '',
    'Median of the runs (least … most); of each run the median of its rounds.',
    '',
    ...describeTables(figures, median),
    '## Every round',
    '',
    'Median of all rounds of all runs (least … most).',
    '',
    ...describeTables(figures),
  ];
}

/** Of runs that are no part of the record: those of `--only` and `--quick`. */
export function describeFigures(figures: Figures): string {
  const { goals, failures } = figures;
  return [
    'Median of the rounds (least … most).',
    '',
    ...describeTables([figures]),
    ...(goals.length > 0 ? table(['goal', '', 'measured', ''], goals.map(goalRow)) : []),
    ...failures.map((failure) => `A client failed, and the round was measured again: ${failure}.`),
  ].join('\n');
}

/** README's line. */
export function describePerformance(runs: readonly Run[]): string {
  const group = groupOf(runs);
  if (group === undefined) return `What it costs is not measured yet. ${DETAILS}`;
  const figures = group.ended.map(({ end }) => end);
  const shown = PERFORMANCE.flatMap(([before, goal, behind]) => {
    const values = valuesOf(figures, goal).map(({ value }) => value);
    return values.length > 0 ? [`${before}${spread(values, 3)}${behind}`] : [];
  });
  const texts = goalTexts(figures);
  const missed = texts.filter((text) => !valuesOf(figures, text).every(isReached)).length;
  return `What it costs, median (least … most) of ${count(group.ended.length, 'run')}: ${shown.join('')}; goals missed: ${missed} of ${texts.length}. ${DETAILS}`;
}

/** README with that line between its marks. */
export function insertPerformance(readme: string, line: string): string {
  const [before, rest] = split(readme, OPEN);
  const [, after] = split(rest, CLOSE);
  return `${before}${OPEN}\n\n${line}\n\n${CLOSE}${after}`;
}

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`README.md has no ${mark}: put it around the line on performance`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

function missedBy({ begun, end }: Run): string[] {
  const said = (what: string): string => `- ${begun.run}: ${what}`;
  if (end === undefined) return [said('did not end: it was stopped, or still runs')];
  if (end.kind === 'failed') return [said(`did not end: ${end.why}`)];
  return [
    ...end.goals
      .filter((goal) => !isReached(goal))
      .map(({ text, value, is, bar, must }) =>
        said(`${text}: ${figure(value)}, goal: ${is} ${bar}${must ? '; fails the run' : ''}`),
      ),
    ...end.failures.map((failure) => said(`a client failed, and the round was measured again: ${failure}`)),
  ];
}

function runRow({ begun: { run, load, sizes }, end }: Run): string[] {
  const ended =
    end?.kind === 'ended'
      ? [
          figure(end.minutes, 2),
          `${end.goals.filter((goal) => !isReached(goal)).length} of ${end.goals.length}`,
          String(end.failures.length),
        ]
      : ['did not end', '', ''];
  return [run, figure(load, 2), String(sizes['rounds']), ...ended];
}

function goalRow(goal: Goal): string[] {
  const { text, value, is, bar } = goal;
  return [text, `${is} ${bar}`, figure(value), isReached(goal) ? 'reached' : 'missed'];
}

function goalRows(figures: readonly Figures[]): string[][] {
  return goalTexts(figures).map((text) => {
    const goals = valuesOf(figures, text);
    const reached = goals.filter(isReached).length;
    const [, bar = ''] = goals.slice(-1).flatMap(goalRow);
    const runs = `${reached} of ${count(goals.length, 'run')}`;
    const values = goals.map(({ value }) => value);
    return [text, bar, spread(values), reached === goals.length ? runs : `**${runs}**`];
  });
}

/** A run in which a client failed has no figure for some. */
function goalTexts(figures: readonly Figures[]): string[] {
  return [...new Set(figures.flatMap(({ goals }) => goals.map(({ text }) => text)))];
}

function valuesOf(figures: readonly Figures[], text: string): Goal[] {
  return figures.flatMap(({ goals }) => goals.filter((goal) => goal.text === text));
}

/** `ofRun`: what stands for all rounds of one run; absent: each round for itself. */
function describeTables(
  figures: readonly Figures[],
  ofRun?: (rounds: readonly number[]) => number,
): string[] {
  const shapes = new Map(figures.flatMap(({ tables }) => tables.map((each) => [each.name, each] as const)));
  return [...shapes.values()].flatMap(({ name, columns, rows }) => {
    const cell = (row: string, column: number): string => {
      const runs = figures
        .map(({ tables }) => tables.find((each) => each.name === name)?.rows[row]?.[column] ?? [])
        .filter((rounds) => rounds.length > 0);
      return spread(ofRun ? runs.map(ofRun) : runs.flat());
    };
    const lines = Object.keys(rows).map((row) => [row, ...columns.map((_, column) => cell(row, column))]);
    return [
      ...(ofRun === undefined || NOTES[name] === undefined ? [] : [NOTES[name], '']),
      ...table([name, ...columns], lines),
    ];
  });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line), ''];
}

function spread(values: readonly number[], digits = 4): string {
  if (values.length === 0) return '';
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const range = least === most ? '' : ` (${figure(least, digits)} … ${figure(most, digits)})`;
  return `${figure(median(values), digits)}${range}`;
}

function figure(value: number, digits = 4): string {
  return Number.isInteger(value) || value >= 10 ** digits ? value.toFixed(0) : value.toPrecision(digits);
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? '' : 's'}`;
}

const ORIGIN =
  'Made from [runs.jsonl](runs.jsonl), which has all runs that were begun, of older code too; do not edit. Shown here are those of the code of the last run that ended, all of them. Runs with `--quick` or `--only` are no part of it.';
const NOTES: Readonly<Record<string, string>> = {
  sessions:
    'Client, bridge and server share one machine. `bridge again` is a second bare bridge: how far its ratio is from 1 is how far the measurement itself is off.',
  sustained: 'More sessions than the ring holds, so that reading the ring is part of what is measured.',
  'bulk, typical':
    "The median eightieth of each transfer: what the machine or ehlowire's process does for a moment only is not in it, but is in `bulk`.",
  log: "Lines of ehlowire's log, by discipline, and connections that the kernel did not begin to record.",
  hostile:
    'One hostile peer of a relay, and beside it an honest client that sends a command every 20 ms: what is added to its reply time without an attack. The peers run on the same machine and take their part of its processors.',
  relay:
    "In front of `smtp-sink`, 20 sessions at a time, client, relay and server on one machine, which has few processors to spare: the processor time says more than the rate. Postfix's proxy filter speaks SMTP to both sides itself; the others forward.",
  'relay, Postfix': 'In front of a Postfix that discards what it has queued.',
  scan: "A message's octets as the relay reads them under the rule `smuggling`, in this process, without sockets.",
  analyze: '`ehlowire analyze` of one capture, as one file and as two points, and tshark.',
};
/** Of README's line: a goal, and what stands before and behind its figure. */
const PERFORMANCE = [
  ['sessions a second ', 'sessions: of the bridge', " of a bare bridge's"],
  [' and ', 'sessions: times HAProxy', " times HAProxy's"],
  ['; rate of a large message ', 'bulk: of the bridge', " of the bridge's"],
  [' and ', 'bulk: times HAProxy', " times HAProxy's"],
  ['; latency added one way ', 'latency: µs added one way, p50', ' µs'],
] as const;
const DETAILS = 'All figures: [bench/RESULTS.md](bench/RESULTS.md), by `npm run bench`.';
const OPEN = '<!-- performance -->';
const CLOSE = '<!-- /performance -->';
