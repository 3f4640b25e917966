// From records to RESULTS.md and README's line: how many runs, their median and range, what was missed; other code apart.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Logged } from '../../bench/candidates';
import { figuresOf } from '../../bench/goals';
import { isReached, parseRuns, type Begun, type Figures, type Line } from '../../bench/records';
import { describePerformance, describeRuns, insertPerformance } from '../../bench/report';
import type { Discipline, Result } from '../../bench/rounds';

const ROOT = join(__dirname, '../..');

const LOGGED: Logged = {
  ...{ sessions: 300, whole: 300, unwatched: 0, losses: 0 },
  ...{ verdicts: 0, learned: 1, anomalies: 0, gaps: 0 },
};

/** Three rounds of 100 sessions: the bridge has 100 of everything, HAProxy 40 (latency: 250). */
function result(name: string, ehlowire: readonly number[], logged: Partial<Logged> = {}): Result {
  const samples = new Map([
    ['bridge', [100, 100, 100]],
    ['ehlowire', ehlowire],
    ['haproxy', name === 'latency' ? [250, 250, 250] : [40, 40, 40]],
  ]);
  const discipline = { name, unit: '1/s', ...(name.startsWith('s') ? { sessions: 100 } : {}) };
  return {
    ...{ discipline: discipline as Discipline, samples, busy: samples, failed: new Map(), measured: 3 },
    logged: { ...LOGGED, ...logged },
  };
}

/** A run whose sessions, of the bridge, are these of its rounds; and the lines of its record. */
function ended(
  run: string,
  rounds: readonly number[],
  more: Partial<Pick<Begun, 'code' | 'machine'> & Figures> = {},
): Line[] {
  const figures = figuresOf([
    ...[result('sessions', rounds), result('sustained', [70, 71, 72]), result('bulk', [98, 98, 98])],
    result('latency', [103, 104, 105]),
  ]);
  const { code, machine, ...other } = more;
  return [begun(run, code, machine), { kind: 'ended', run, minutes: 20, ...figures, ...other }];
}

function begun(run: string, code = 'c0de', machine = 'a machine'): Begun {
  return {
    kind: 'begun',
    run,
    code,
    commit: 'abc',
    machine,
    programs: 'HAProxy 2.6',
    load: 0.25,
    sizes: { rounds: 3, sessions: 100 },
  };
}

const failed = (run: string): Line[] => [begun(run), { kind: 'failed', run, why: 'programs are missing' }];
const write = (...lines: readonly Line[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('');

interface Row {
  readonly name: string;
  readonly lines: readonly Line[];
  /** Parts of RESULTS.md and of README's line. */
  readonly results: readonly string[];
  readonly without?: readonly string[];
  readonly performance: string;
}

const REACHED = 'goals missed: 0 of 18';

const TABLE: readonly Row[] = [
  {
    name: 'no run',
    lines: [],
    results: ['**0 runs begun, none ended.**'],
    performance: 'What it costs is not measured yet',
  },
  {
    name: 'no run ended: those that were begun are counted, with the reason',
    lines: [...failed('r1'), begun('r2')],
    results: [
      '**2 runs begun, none ended.**',
      '- r1: did not end: programs are missing',
      '- r2: did not end: it was stopped, or still runs',
    ],
    performance: 'What it costs is not measured yet',
  },
  {
    name: 'one run: its median, and no range but that of its rounds',
    lines: ended('r1', [91, 95, 93]),
    results: [
      '**1 run of this code begun, 1 ended.**',
      '| sessions: of the bridge | at least 0.9 | 0.9300 | 1 of 1 run |',
      '## Missed\n\nNothing.\n',
      '| ehlowire | 93 | 0.9300 | 0.9300 |',
      '| ehlowire | 93 (91 … 95) | 0.9300 (0.9100 … 0.9500) | 0.9300 (0.9100 … 0.9500) |',
    ],
    performance: "median (least … most) of 1 run: sessions a second 0.930 of a bare bridge's and",
  },
  {
    name: 'three runs: the median of their medians and not the best, and the range',
    lines: [...ended('r1', [96, 97, 98]), ...ended('r2', [91, 92, 93]), ...ended('r3', [92, 93, 99])],
    results: [
      '**3 runs of this code begun, 3 ended.**',
      '| sessions: of the bridge | at least 0.9 | 0.9300 (0.9200 … 0.9700) | 3 of 3 runs |',
      '| ehlowire | 93 (92 … 97) |',
      '| ehlowire | 93 (91 … 99) |',
    ],
    performance: `of 3 runs: sessions a second 0.930 (0.920 … 0.970) of a bare bridge's and 2.33 (2.30 … 2.42) times HAProxy's; rate of a large message 0.980 of the bridge's and 2.45 times HAProxy's; latency added one way 2 µs; ${REACHED}.`,
  },
  {
    name: 'a goal that one of two runs missed is listed, though the median reaches it',
    lines: [...ended('r1', [85, 89, 93]), ...ended('r2', [95, 96, 97])],
    results: [
      '| sessions: of the bridge | at least 0.9 | 0.9250 (0.8900 … 0.9600) | **1 of 2 runs** |',
      '## Missed\n\n- r1: sessions: of the bridge: 0.8900, goal: at least 0.9\n\n## Goals',
      '| r1 | 0.25 | 3 | 20 | 1 of 18 | 0 |',
    ],
    performance: 'goals missed: 1 of 18',
  },
  {
    name: 'what sustained load must not cause is listed',
    lines: ended('r1', [93], figuresOf([result('sustained', [70], { verdicts: 2 })])),
    results: ['- r1: sustained: verdicts: 2, goal: at most 0; fails the run'],
    performance: 'goals missed: 1 of 8',
  },
  {
    name: 'runs that were refused or stopped are counted and listed beside those that ended',
    lines: [...failed('r1'), ...ended('r2', [93]), begun('r3')],
    results: ['**3 runs of this code begun, 1 ended.**', '- r1: did not end', '- r3: did not end'],
    performance: 'of 1 run: ',
  },
  {
    name: 'clients that failed are listed',
    lines: ended('r1', [93], { failures: ['haproxy, sessions, 2'] }),
    results: ['- r1: a client failed, and the round was measured again: haproxy, sessions, 2'],
    performance: REACHED,
  },
  {
    name: 'runs of other code are not mixed: the last run that ended says which code',
    lines: [...ended('r1', [99], { code: '01d' }), ...ended('r2', [93])],
    results: ['**1 run of this code begun, 1 ended.** Code c0de', '| ehlowire | 93 |'],
    without: ['r1', '99'],
    performance: "0.930 of a bare bridge's",
  },
  {
    name: 'newer code of which no run ended leaves the figures, and is counted',
    lines: [...ended('r1', [93]), begun('r2', 'new'), begun('r3', 'new')],
    results: [
      '**1 run of this code begun, 1 ended.**',
      'Runs of other code begun since then, none of which ended: 2.',
    ],
    performance: 'of 1 run: ',
  },
  {
    name: 'runs on other machines are not mixed, and are counted',
    lines: [...ended('r1', [99], { machine: 'another one' }), ...ended('r2', [93])],
    results: [
      '**1 run of this code begun, 1 ended.**',
      'Runs of this code on other machines, not shown here: 1.',
    ],
    without: ['r1', '99'],
    performance: "0.930 of a bare bridge's",
  },
  {
    name: 'a figure that could not be computed is missed, not 0',
    lines: ended('r1', [NaN]),
    results: ['- r1: sessions: of the bridge: NaN, goal: at least 0.9'],
    performance: 'goals missed: 2 of 18',
  },
];

for (const { name, lines, results, without = [], performance } of TABLE) {
  test(name, () => {
    const runs = parseRuns(write(...lines));
    const text = describeRuns(runs);
    for (const part of results) assert.ok(text.includes(part), `${part}\n\nis not in\n\n${text}`);
    for (const part of without) assert.not.ok(text.includes(part), `${part}\n\nis in\n\n${text}`);
    const line = describePerformance(runs);
    assert.ok(line.includes(performance), line);
    assert.not.ok(line.includes('\n'));
  });
}

const HEALTHY: readonly [missed: string | undefined, logged: Partial<Logged>][] = [
  [undefined, {}],
  [undefined, { anomalies: 2, gaps: 2 }],
  [undefined, { sessions: 250, whole: 250, unwatched: 50 }],
  ['verdicts', { verdicts: 1 }],
  ['lines that a server was learned', { learned: 2 }],
  ['anomalies other than gaps', { anomalies: 2, gaps: 1 }],
  ['recorded sessions that are not whole', { whole: 299 }],
  ['sessions neither recorded nor counted as unwatched', { sessions: 299, whole: 299 }],
];

for (const discipline of ['sessions', 'sustained']) {
  for (const [missed, logged] of HEALTHY) {
    test(`${discipline}, ${JSON.stringify(logged)}: ${missed ?? 'nothing'} is missed, and fails the run`, () => {
      const { goals } = figuresOf([result(discipline, [95, 95, 95], logged)]);
      const texts = goals.filter((goal) => goal.must && !isReached(goal)).map(({ text }) => text);
      assert.equal(texts, missed === undefined ? [] : [`${discipline}: ${missed}`]);
    });
  }
}

const BROKEN: readonly [name: string, text: string, error: string][] = [
  ['half a line', write(begun('r1')).slice(0, 40), 'line 1: not a record'],
  ['a conflict of a merge', `${write(begun('r1'))}<<<<<<< main\n`, 'line 2: not a record'],
  ['another kind', '{"kind":"other"}\n', 'line 1: not a record'],
  ['an end without a beginning', write(...failed('r1').slice(1)), 'the run r1 ended'],
];

for (const [name, text, error] of BROKEN) {
  test(`runs.jsonl, ${name}: an error, so that no run is left out`, () => {
    assert.throws(() => parseRuns(text), error);
  });
}

test("README's line stands between its marks, and replaces what stood there", () => {
  const readme = 'a\n<!-- performance -->\n\nold\n\n<!-- /performance -->\nb\n';
  assert.is(insertPerformance(readme, 'new'), readme.replace('old', 'new'));
  assert.throws(() => insertPerformance('a\n', 'new'), 'README.md has no <!-- performance -->');
});

test("RESULTS.md and README's line are what runs.jsonl gives (npm run bench -- --report)", () => {
  const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
  const runs = parseRuns(read('bench/runs.jsonl'));
  assert.fixture(read('bench/RESULTS.md'), describeRuns(runs));
  assert.fixture(read('README.md'), insertPerformance(read('README.md'), describePerformance(runs)));
});

test.run();
