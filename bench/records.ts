// What a run of the bench measured, and the file of all runs: a line where a run begins and one where it ends.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Values of one round each. */
type Values = readonly number[];

export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  /** The values of each column; none: the row has no such figure. */
  readonly rows: Readonly<Record<string, readonly Values[]>>;
}

export interface Goal {
  readonly text: string;
  readonly value: number;
  readonly is: 'at least' | 'at most';
  readonly bar: number;
  /** Does not depend on the machine's speed: to miss it fails the run. */
  readonly must: boolean;
}

export interface Figures {
  readonly tables: readonly Table[];
  readonly goals: readonly Goal[];
  /** Clients that failed and whose round was measured again. */
  readonly failures: readonly string[];
}

export interface Begun {
  readonly kind: 'begun';
  /** When it began, RFC 3339; its name in all lines. */
  readonly run: string;
  /** Digest of all sources that a figure can depend on. */
  readonly code: string;
  readonly commit: string;
  readonly machine: string;
  readonly programs: string;
  /** Of the machine just before, over the last minute. */
  readonly load: number;
  readonly sizes: Readonly<Record<string, number>>;
}

interface Ended extends Figures {
  readonly kind: 'ended';
  readonly run: string;
  readonly minutes: number;
}

/** It was refused, or it failed. A run that was killed has no line for its end. */
interface Failed {
  readonly kind: 'failed';
  readonly run: string;
  readonly why: string;
}

export type Line = Begun | Ended | Failed;

export interface Run {
  readonly begun: Begun;
  readonly end: Ended | Failed | undefined;
}

export function isReached({ value, is, bar }: Goal): boolean {
  return is === 'at least' ? value >= bar : value <= bar;
}

/** Of none: NaN. */
export function median(values: Values): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? NaN;
  return ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export function joinFigures(all: readonly Figures[]): Figures {
  return {
    tables: all.flatMap(({ tables }) => tables),
    goals: all.flatMap(({ goals }) => goals),
    failures: all.flatMap(({ failures }) => failures),
  };
}

/** Throws where a line is no record: a run that cannot be read must not be left out. */
export function parseRuns(text: string): readonly Run[] {
  const lines = text
    .split('\n')
    .map((line, i) => ({ line, number: i + 1 }))
    .filter(({ line }) => line !== '')
    .map(({ line, number }) => parseLine(line, number));
  const ends = new Map(lines.flatMap((line) => (line.kind === 'begun' ? [] : [[line.run, line] as const])));
  const runs = lines.flatMap((line) =>
    line.kind === 'begun' ? [{ begun: line, end: ends.get(line.run) }] : [],
  );
  const orphan = [...ends.keys()].find((run) => runs.every(({ begun }) => begun.run !== run));
  if (orphan !== undefined)
    throw new Error(`${FILE}: the run ${orphan} ended and has no line for its beginning`);
  return runs;
}

/** JSON has no NaN: a figure that could not be computed is written as null, and must not become 0. */
function parseLine(line: string, number: number): Line {
  let value: unknown;
  try {
    value = JSON.parse(line, (_key, each: unknown) => (each === null ? NaN : each));
  } catch {
    value = undefined;
  }
  const { kind } = (value ?? {}) as Partial<Line>;
  if (kind !== 'begun' && kind !== 'ended' && kind !== 'failed') {
    throw new Error(`${FILE}, line ${number}: not a record of a run; restore the file from git`);
  }
  return value as Line;
}

export function readRuns(): readonly Run[] {
  return parseRuns(existsSync(RUNS) ? readFileSync(RUNS, 'utf8') : '');
}

/** Four digits are more than any figure has. */
export function appendLine(line: Line): void {
  const short = (_key: string, value: unknown): unknown =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
  appendFileSync(RUNS, `${JSON.stringify(line, short)}\n`);
}

/** The digest is of the sources as they are on disk, committed or not; documents and results are no part of it. */
export function describeCode(): Pick<Begun, 'code' | 'commit'> {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const hash = createHash('sha256');
  for (const folder of SOURCES) {
    const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((each) => /\.(ts|c|h|py|sh)$/.test(each)).sort()) {
      hash.update(`${folder}/${name}\0`).update(readFileSync(join(ROOT, folder, name)));
    }
  }
  const code = hash
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex')
    .slice(0, 12);
  const changes = git('status', '--porcelain', '--', ...SOURCES, ':!*.md', `:!${FILE}`);
  return { code, commit: `${git('rev-parse', '--short', 'HEAD')}${changes === '' ? '' : ', with changes'}` };
}

const ROOT = join(__dirname, '..');
const FILE = 'bench/runs.jsonl';
const RUNS = join(ROOT, FILE);
/** The product, and what measures it. */
const SOURCES = ['inspect', 'proxy', 'deploy', 'bench', 'test/kit'];
