// `npm run bench -- --ab NAME`: ehlowire beside ehlowire with ab/NAME.patch, in turns; for deploy/decisions/.

import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../test/kit/process';
import { ehlowire, PROGRAM, type Candidate } from './candidates';
import { median } from './records';
import { bulk, sessions, SERVERS_MS, type Discipline } from './rounds';

/** The parts that have an alternative. */
export const ALTERNATIVES: readonly string[] = readdirSync(join(__dirname, 'ab')).map((file) =>
  file.replace(/\.patch$/, ''),
);

/** For each discipline, three lines: its rate, and by the kernel's count a run of the program, and the time that all runs took. */
export async function measureAlternative(
  name: string,
  rounds: number,
  onRound: (text: string) => void,
): Promise<readonly string[]> {
  const statistics = readFileSync(STATISTICS, 'latin1');
  const candidates: Candidate[] = [];
  try {
    candidates.push(await ehlowire());
    candidates.push(await ehlowire(name, build(name)));
    writeFileSync(STATISTICS, '1');
    const lines: string[] = [];
    for (const discipline of [bulk(BULK), sessions(SESSIONS)]) {
      const samples = await measure(discipline, candidates, rounds, onRound);
      lines.push(describe(`${discipline.name}, ${discipline.unit}`, name, samples.rates));
      lines.push(describe(`${discipline.name}, ns a segment in the program`, name, samples.runs));
      lines.push(describe(`${discipline.name}, % of a processor in the program`, name, samples.shares));
    }
    return lines;
  } finally {
    writeFileSync(STATISTICS, statistics);
    for (const candidate of candidates.reverse()) await candidate.stop();
  }
}

type Samples = ReadonlyMap<string, number[]>;

/** In turns, in an order that changes. */
async function measure(
  discipline: Discipline,
  candidates: readonly Candidate[],
  rounds: number,
  onRound: (text: string) => void,
): Promise<Readonly<Record<'rates' | 'runs' | 'shares', Samples>>> {
  const [command, ...args] = discipline.server;
  const servers = candidates.map(({ network }) => network.start('server', command, ...args));
  const empty = (): Samples => new Map(candidates.map((each) => [each.name, []]));
  const [rates, runs, shares] = [empty(), empty(), empty()];
  try {
    await new Promise((resolve) => setTimeout(resolve, SERVERS_MS));
    for (let round = 0; round <= rounds; round += 1) {
      for (const candidate of round % 2 === 0 ? candidates : [...candidates].reverse()) {
        const before = statisticsOf(candidate);
        const began = performance.now();
        const rate = await discipline.measure(candidate);
        const tookNs = (performance.now() - began) * 1e6;
        const after = statisticsOf(candidate);
        // None pays for records that another one has not read yet.
        await candidate.settle(discipline.sessions ?? 1);
        const run = (after.ns - before.ns) / (after.runs - before.runs);
        onRound(`${discipline.name} ${round}: ${candidate.name} ${rate.toFixed(1)}, ${run.toFixed(0)} ns`);
        // The first one warms up.
        if (round === 0) continue;
        rates.get(candidate.name)?.push(rate);
        runs.get(candidate.name)?.push(run);
        shares.get(candidate.name)?.push((100 * (after.ns - before.ns)) / tookNs);
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  return { rates, runs, shares };
}

interface Statistics {
  readonly ns: number;
  readonly runs: number;
}

/** Of both programs, those that the pinned links of the bridge hold. */
function statisticsOf({ network }: Candidate): Statistics {
  const bpftool = <T>(...args: readonly string[]): T =>
    JSON.parse(execFileSync('bpftool', ['-j', ...args], { encoding: 'utf8' })) as T;
  const pins = `/sys/fs/bpf/${network.name}`;
  const all = readdirSync(pins, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\/link_[^/]*$/.test(file))
    .map((file) => {
      const link = bpftool<{ readonly prog_id: number }>('link', 'show', 'pinned', join(pins, file));
      return bpftool<{ readonly run_time_ns?: number; readonly run_cnt?: number }>(
        ...['prog', 'show', 'id', String(link.prog_id)],
      );
    });
  return {
    ns: all.reduce((sum, { run_time_ns = 0 }) => sum + run_time_ns, 0),
    runs: all.reduce((sum, { run_cnt = 0 }) => sum + run_cnt, 0),
  };
}

/** The tree with the patch, compiled; the path of its program. */
function build(name: string): string {
  const tree = scratch('ab');
  for (const part of ['inspect', 'proxy', 'deploy', 'package.json', 'tsconfig.json', 'tsconfig.build.json']) {
    cpSync(join(ROOT, part), join(tree, part), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  const run = (command: string, ...args: readonly string[]): void =>
    void execFileSync(command, args, { cwd: tree, stdio: 'inherit' });
  run('git', 'apply', join(__dirname, `ab/${name}.patch`));
  run('npm', 'run', '-s', 'build:wire');
  run('npm', 'run', '-s', 'build');
  return PROGRAM.replace(join(ROOT, 'dist-bench'), join(tree, 'dist'));
}

/** Medians, and of the ratios of neighbours in time the median and the quarters around it. */
function describe(what: string, name: string, samples: Samples): string {
  const ours = samples.get('ehlowire') ?? [];
  const theirs = samples.get(name) ?? [];
  const figure = (values: readonly number[]): string =>
    Number(median(values).toPrecision(3)).toLocaleString('en');
  const ratios = ours.map((value, i) => value / (theirs[i] ?? NaN)).sort((a, b) => a - b);
  const quarter = (part: number): string =>
    (ratios[Math.floor((ratios.length - 1) * part)] ?? NaN).toFixed(2);
  return `${what}: ehlowire ${figure(ours)}, ${name} ${figure(theirs)}; ratio ${median(ratios).toFixed(2)}, half of the ${ratios.length} rounds ${quarter(0.25)} to ${quarter(0.75)}`;
}

const ROOT = join(__dirname, '..');
/** The kernel's own count costs each run the same, and no other figure is made while it is on. */
const STATISTICS = '/proc/sys/kernel/bpf_stats_enabled';
const BULK = 1e9;
const SESSIONS = 3_000;
