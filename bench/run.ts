// `npm run bench`: everything in one run, on one machine, candidates side by side.
//
//   npm run bench [-- --rounds N]  all; appended to runs.jsonl, RESULTS.md and README's line are made from it
//   npm run bench -- --only NAME   one part; only on the terminal
//   npm run bench -- --ab NAME     a part of ehlowire beside its standard alternative (ab/NAME.patch)
//   npm run bench -- --quick       all, in two minutes; only on the terminal, and not for claims
//   npm run bench -- --report      measures nothing, only makes RESULTS.md and README's line from runs.jsonl

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readVersion } from '../proxy/system/version';
import { ALTERNATIVES, measureAlternative } from './ab';
import { measureAnalyze } from './analyze';
import { COMPILED, ehlowire, haproxy, plain, type Candidate } from './candidates';
import { figuresOf } from './goals';
import { measureHostile } from './hostile';
import { CONGESTION_CONTROL } from './network';
import {
  appendLine,
  describeCode,
  isReached,
  joinFigures,
  readRuns,
  type Begun,
  type Figures,
} from './records';
import { describeFigures, describePerformance, describeRuns, insertPerformance } from './report';
import { measureRelay } from './relay';
import { measureScan } from './scan';
import { bulk, compete, latency, sessions, type Discipline, type Result } from './rounds';

/** How much of everything; the names are those of the results. */
const FULL = {
  rounds: 9,
  /** The most rounds of a part that takes long. */
  'rounds of sustained': 2,
  'rounds of hostile': 5,
  'rounds of analyze': 3,
  'rounds of relay': 5,
  sessions: 10_000,
  /** They fill ehlowire's ring more than twice. */
  'sustained sessions': 60_000,
  'octets of bulk': 4e9,
  'round trips': 20_000,
  'seconds of an attack': 3,
  'captured connections': 40_000,
  'sessions of relay': 5_000,
  'octets of relay': 2e9,
  'sessions of Postfix': 2_000,
  'octets of a scan': 4e9,
};
type Sizes = Readonly<typeof FULL>;
const QUICK: Sizes = {
  ...FULL,
  rounds: 1,
  sessions: 1_000,
  'sustained sessions': 4_000,
  'octets of bulk': 4e8,
  'round trips': 2_000,
  'seconds of an attack': 1,
  'captured connections': 2_000,
  'sessions of relay': 300,
  'octets of relay': 2e8,
  'sessions of Postfix': 100,
  'octets of a scan': 4e8,
};

async function main(): Promise<void> {
  const { ab, only, quick, report, sizes } = readArguments();
  if (report) return writeReport();
  const why = refusal(only);
  if (ab !== undefined) {
    if (why !== undefined) throw new Error(why);
    compile();
    const lines = await measureAlternative(ab, sizes.rounds, (text) => console.error(text));
    return console.log(lines.join('\n'));
  }
  if (quick || only !== undefined) {
    if (why !== undefined) throw new Error(why);
    const figures = await measure(sizes, only);
    console.log(describeFigures(figures));
    console.log(
      `${quick ? '--quick: all is shortened' : '--only'}: these figures are not recorded, and not for claims.`,
    );
    if (isFailed(figures)) process.exitCode = 1;
    return;
  }
  const began = performance.now();
  const begun = describeRun(sizes);
  appendLine(begun);
  try {
    // A run that is stopped has no other chance to be counted.
    writeReport();
    if (why !== undefined) throw new Error(why);
    const figures = await measure(sizes, undefined);
    console.log(describeFigures(figures));
    appendLine({ kind: 'ended', run: begun.run, minutes: (performance.now() - began) / 60_000, ...figures });
    if (isFailed(figures)) process.exitCode = 1;
  } catch (error) {
    appendLine({ kind: 'failed', run: begun.run, why: reasonOf(error) });
    throw error;
  } finally {
    writeReport();
  }
}

/** One part, or all. */
async function measure(sizes: Sizes, only: string | undefined): Promise<Figures> {
  const onRound = (text: string): void => console.error(text);
  const isChosen = (part: string): boolean => only === undefined || only === part;
  compile();
  const all: Figures[] = [];
  if (!APART.includes(only ?? '')) all.push(await measureCandidates(sizes, isChosen, onRound));
  if (isChosen('hostile')) {
    all.push(await measureHostile(sizes['seconds of an attack'], roundsOf(sizes, 'hostile'), onRound));
  }
  if (isChosen('relay')) {
    const {
      'sessions of relay': sessions,
      'octets of relay': octets,
      'sessions of Postfix': postfix,
    } = sizes;
    all.push(await measureRelay({ sessions, octets, postfix }, roundsOf(sizes, 'relay'), onRound));
  }
  if (isChosen('scan')) {
    all.push(measureScan(sizes['octets of a scan'], roundsOf(sizes, 'scan'), onRound));
  }
  if (isChosen('analyze')) {
    all.push(measureAnalyze(sizes['captured connections'], roundsOf(sizes, 'analyze'), onRound));
  }
  return joinFigures(all);
}

async function measureCandidates(
  sizes: Sizes,
  isChosen: (part: string) => boolean,
  onRound: (text: string) => void,
): Promise<Figures> {
  const candidates: Candidate[] = [];
  try {
    for (const make of [() => plain('bridge'), () => plain('bridge again'), ehlowire, haproxy]) {
      candidates.push(await make());
    }
    const results: Result[] = [];
    for (const discipline of disciplines(sizes).filter(({ name }) => isChosen(name))) {
      results.push(await compete(discipline, candidates, roundsOf(sizes, discipline.name), onRound));
    }
    const figures = figuresOf(results);
    if (isFailed(figures)) for (const { quote } of candidates) onRound(quote?.() ?? '');
    return figures;
  } finally {
    for (const candidate of candidates.reverse()) await candidate.stop();
  }
}

/** Sessions first: a process that runs for days has compiled itself, and bulk transfers alone would not make it do so. */
function disciplines(sizes: Sizes): Discipline[] {
  return [
    sessions(sizes.sessions),
    sessions(sizes['sustained sessions'], 'sustained'),
    bulk(sizes['octets of bulk']),
    bulk(sizes['octets of bulk'], 'bulk, typical'),
    latency(sizes['round trips']),
  ];
}

function roundsOf(sizes: Readonly<Record<string, number>>, part: string): number {
  return Math.min(sizes['rounds'] ?? NaN, sizes[`rounds of ${part}`] ?? Infinity);
}

function isFailed({ goals }: Figures): boolean {
  return goals.some((goal) => goal.must && !isReached(goal));
}

/** Why nothing can be measured here; `only`: that one part. */
function refusal(only: string | undefined): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root: run it as root';
  const missing = PROGRAMS.filter((program) => versionOf('which', program) === '');
  if (missing.length > 0) return `programs are missing: install ${missing.join(', ')}`;
  if (APART.includes(only ?? '')) return undefined;
  return readFileSync(BPF_STATISTICS, 'latin1').trim() === '0'
    ? undefined
    : 'the kernel times each run of a BPF program, which takes up to as long as half a run: sysctl kernel.bpf_stats_enabled=0';
}

function describeRun(sizes: Sizes): Begun {
  return {
    kind: 'begun',
    run: new Date().toISOString(),
    ...describeCode(),
    machine: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Linux ${release()}, Node ${process.version}`,
    programs: `ehlowire ${readVersion()}, ${versionOf('haproxy', '-v')}, Postfix ${versionOf('postconf', '-h', 'mail_version')}, ${versionOf('tshark', '--version')}, TCP with ${CONGESTION_CONTROL}`,
    load: loadavg()[0] ?? NaN,
    sizes,
  };
}

/** The first line of what it prints; nothing where it is not there. */
function versionOf(command: string, ...args: string[]): string {
  try {
    const output = execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return (output.split('\n')[0] ?? '').replace(/ (\d{4}\/|\(Git).*/, '').trim();
  } catch {
    return '';
  }
}

interface Arguments {
  readonly ab: string | undefined;
  readonly sizes: Sizes;
  readonly only: string | undefined;
  readonly quick: boolean;
  readonly report: boolean;
}

/** Ends the process where they are wrong. */
function readArguments(): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string' },
        ab: { type: 'string' },
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        report: { type: 'boolean', default: false },
      },
    });
    const { ab, only, quick, report, rounds } = values;
    const sizes = { ...(quick ? QUICK : FULL), ...(rounds === undefined ? {} : { rounds: Number(rounds) }) };
    const parts = [...disciplines(sizes).map(({ name }) => name), ...APART];
    if (only !== undefined && !parts.includes(only)) {
      throw new Error(`--only ${only}: there is no such part; the parts are ${parts.join('; ')}`);
    }
    if (rounds !== undefined && !/^[1-9]\d{0,3}$/.test(rounds)) {
      throw new Error(`--rounds ${rounds}: not a number from 1 to 9999`);
    }
    if (report && (quick || only !== undefined || rounds !== undefined)) {
      throw new Error('--report measures nothing: it takes no other option');
    }
    if (ab !== undefined && !ALTERNATIVES.includes(ab)) {
      throw new Error(`--ab ${ab}: there is no such alternative; they are ${ALTERNATIVES.join(', ')}`);
    }
    return { ab, sizes, only, quick, report };
  } catch (error) {
    console.error(reasonOf(error));
    return process.exit(2);
  }
}

function writeReport(): void {
  const runs = readRuns();
  writeFileSync(join(__dirname, 'RESULTS.md'), describeRuns(runs));
  const readme = join(ROOT, 'README.md');
  writeFileSync(readme, insertPerformance(readFileSync(readme, 'utf8'), describePerformance(runs)));
}

function compile(): void {
  const build = (command: string, ...args: string[]): void =>
    void execFileSync(command, args, { cwd: ROOT, stdio: 'inherit' });
  build('npx', 'tsc', '-p', 'tsconfig.build.json', '--outDir', COMPILED);
  build('proxy/wire/bpf/build.sh', join(COMPILED, 'proxy/wire/bpf/ehlowire.bpf.o'));
}

/** One line, without this machine's paths. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.trim().split('\n')[0] ?? '').replaceAll(`${ROOT}/`, '');
}

/** Parts that need no network of their own. */
const APART: readonly string[] = ['hostile', 'relay', 'scan', 'analyze'];
const ROOT = join(__dirname, '..');
const BPF_STATISTICS = '/proc/sys/kernel/bpf_stats_enabled';
const PROGRAMS = 'haproxy smtp-source smtp-sink python3 tshark /usr/bin/time nsenter clang'.split(' ');

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  // What has been started ends with this process, which waits for it otherwise.
  process.exit(1);
});
