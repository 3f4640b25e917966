// `npm run bench`: everything in one run, on one machine, candidates side by side. [--rounds N] [--only NAME] [--quick]

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { playAnalyze } from './analyze';
import { COMPILED, ehlowire, haproxy, plain, type Candidate } from './candidates';
import { playHostile } from './hostile';
import { describe, goalsOf } from './results';
import { bulk, compete, latency, sessions, type Result } from './rounds';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '9' },
      only: { type: 'string' },
      /** Where the results go; absent: only to the terminal. */
      write: { type: 'string' },
    },
  });
  const onRound = (text: string): void => console.error(text);
  const { only } = values;
  const hostile =
    only === undefined || only === 'hostile' ? await playHostile(Number(values.rounds), onRound) : [];
  // By itself it needs none of the candidates, and makes no results of all.
  if (only === 'hostile') return console.log(hostile.join('\n'));
  if (only === 'analyze') {
    compileSources();
    return console.log(playAnalyze(Number(values.rounds), onRound).join('\n'));
  }
  const odd = whatIsOdd();
  if (odd !== undefined) throw new Error(odd);
  compile();
  const candidates: Candidate[] = [];
  try {
    candidates.push(await plain('bridge'));
    candidates.push(await plain('bridge again'));
    candidates.push(await ehlowire());
    candidates.push(await haproxy());
    // Sessions first: what runs for days has compiled itself long ago, and a bulk transfer alone would not get it to.
    const disciplines = [
      sessions(10_000),
      sessions(SUSTAINED, 'sustained'),
      bulk(4e9),
      bulk(4e9, 'bulk, typical'),
      latency(20_000),
    ].filter(({ name }) => only === undefined || name === only);
    const results: Result[] = [];
    for (const discipline of disciplines) {
      const rounds = Math.min(Number(values.rounds), discipline.name === 'sustained' ? 2 : Infinity);
      results.push(await compete(discipline, candidates, rounds, onRound));
    }
    const settings = `${values.rounds} rounds, bulk 4 GB, 10,000 sessions of one message of 2,000 octets, 20 at a time (sustained: ${SUSTAINED.toLocaleString('en')}, 2 rounds), 20,000 round trips`;
    const goals = goalsOf(results);
    const text = describe(results, goals, settings, hostile);
    console.log(text);
    if (goals.some(({ must, reached }) => must && !reached)) {
      process.exitCode = 1;
      for (const { quote } of candidates) onRound(quote?.() ?? '');
    }
    if (values.write !== undefined) writeFileSync(values.write, text);
  } finally {
    for (const candidate of candidates.reverse()) await candidate.stop();
  }
}

/** What would be measured in place of the candidates. */
function whatIsOdd(): string | undefined {
  return readFileSync(BPF_STATISTICS, 'latin1').trim() === '0'
    ? undefined
    : 'the kernel times each run of a BPF program, which costs as much as half of it: sysctl kernel.bpf_stats_enabled=0';
}

const BPF_STATISTICS = '/proc/sys/kernel/bpf_stats_enabled';

/** Sessions that fill ehlowire's ring more than twice. */
const SUSTAINED = 60_000;

/** Beside `dist/`, which others may be running from. */
function compile(): void {
  compileSources();
  build('proxy/wire/bpf/build.sh', join(COMPILED, 'proxy/wire/bpf/ehlowire.bpf.o'));
}

function compileSources(): void {
  build('npx', 'tsc', '-p', 'tsconfig.build.json', '--outDir', COMPILED);
}

function build(command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd: join(__dirname, '..'), stdio: 'inherit' });
}

void main();
