// What an analysis of a capture costs beside tshark's own count of its connections: one file, two points, in turns.

import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../test/kit/process';
import { COMPILED } from './candidates';
import { median } from './median';
import { spread } from './results';

const CONNECTIONS = 40_000;
const OCTETS = 8_000;

interface Cost {
  /** Seconds of processors. */
  readonly busy: number[];
  /** MB, at the most. */
  readonly memory: number[];
}

/** A table in Markdown. Of ratios the median of the rounds' own, since rounds are neighbours in time. */
export function playAnalyze(rounds: number, onRound: (text: string) => void): readonly string[] {
  const folder = scratch('analyze');
  const [file, half] = [join(folder, 'whole.pcap'), join(folder, 'half.pcap')];
  write(file, CONNECTIONS);
  write(half, CONNECTIONS / 2);
  const analyze = [process.execPath, join(COMPILED, 'deploy/main.js'), 'analyze', '--ladder', 'none'];
  const commands = new Map([
    ['tshark', ['tshark', '-q', '-z', 'conv,tcp', '-r', file]],
    ['one file', [...analyze, file]],
    ['half of it', [...analyze, half]],
    ['two points', [...analyze, '--wan', file, '--dmz', file]],
  ]);
  const costs = new Map([...commands.keys()].map((name): [string, Cost] => [name, { busy: [], memory: [] }]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, command] of commands) {
      const { busy, memory } = measure(command, join(folder, 'cost'));
      costs.get(name)?.busy.push(busy);
      costs.get(name)?.memory.push(memory);
      onRound(`analyze ${round}: ${name}: ${busy.toFixed(1)} s of processor, ${memory.toFixed(0)} MB`);
    }
  }
  return describe(costs, statSync(file).size);
}

function write(file: string, connections: number): void {
  run([
    process.execPath,
    '-r',
    'ts-node/register/transpile-only',
    WRITER,
    file,
    `${connections}`,
    `${OCTETS}`,
  ]);
}

function measure(command: readonly string[], file: string): { busy: number; memory: number } {
  run(['/usr/bin/time', '-f', '%U %S %M', '-o', file, ...command]);
  const [user = NaN, system = NaN, kilobytes = NaN] = readFileSync(file, 'latin1').split(' ').map(Number);
  return { busy: user + system, memory: kilobytes / 1_000 };
}

function run([command = '', ...args]: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (error ?? status !== 0) throw new Error(`${command}: ${error?.message ?? String(stderr)}`);
}

function describe(costs: ReadonlyMap<string, Cost>, size: number): string[] {
  const ratio = (name: string, of: string, what: keyof Cost): number =>
    median(costs.get(name)?.[what].map((each, i) => each / (costs.get(of)?.[what][i] ?? NaN)));
  const goal = (text: string, value: number, bar: number): string =>
    `- ${text}: ${value.toFixed(2)}, ${value <= bar ? 'reached' : 'missed'}`;
  const memory = Math.max(median(costs.get('one file')?.memory), median(costs.get('two points')?.memory));
  return [
    `A capture of ${CONNECTIONS.toLocaleString('en')} sessions, ${(size / 1e6).toFixed(0)} MB, with whatever else the machine had to do in the same time.`,
    '',
    '| | s of processor | MB of memory |',
    '|---|---|---|',
    ...[...costs].map(([name, { busy, memory: room }]) => `| ${name} | ${spread(busy)} | ${spread(room)} |`),
    '',
    goal('one file, at most 0.5 × `tshark -q -z conv,tcp`', ratio('one file', 'tshark', 'busy'), 0.5),
    goal('two points, at most 2.5 × one file', ratio('two points', 'one file', 'busy'), 2.5),
    goal('memory of one file and of two points, at most 0.5 GB', memory / 1_000, 0.5),
    goal(
      'memory of a file over that of half of it, at most 1.2',
      ratio('one file', 'half of it', 'memory'),
      1.2,
    ),
  ];
}

const WRITER = join(__dirname, 'capture.ts');
