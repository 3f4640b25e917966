// The runner behind `npm test`: finds the test files, runs each in its own process, and sums up.
//
//   npm test                       fast tests and the lab
//   npm test -- --fast | --lab     one of the two
//   npm test -- --only greeting    files whose path contains that
//   npm test -- --tests FOLDER     other files than those below test/

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { BECAUSE, SHOWN } from './lab';
import { makeNamespace, type Namespace } from './netns';
import { scratch } from './process';
import { runTestFile, type TestFileOptions, type Verdict } from './testfile';

const FAST_MS = 300_000;
const LAB_MS = 900_000;

interface Plan {
  readonly fast: readonly string[];
  readonly lab: readonly string[];
}

type Report = (path: string, verdict: Verdict) => void;

function plan(): Plan {
  const { values } = parseArgs({
    options: {
      fast: { type: 'boolean' },
      lab: { type: 'boolean' },
      only: { type: 'string', multiple: true },
      tests: { type: 'string', default: 'test' },
    },
  });
  const only = values.only ?? [];
  const files = readdirSync(values.tests, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(values.tests, name))
    .filter((path) => only.length === 0 || only.some((part) => path.includes(part)))
    .sort();
  const isLab = (path: string): boolean => path.startsWith(join(values.tests, 'lab/'));
  return {
    fast: values.lab ? [] : files.filter((path) => !isLab(path)),
    lab: values.fast ? [] : files.filter(isLab),
  };
}

async function runFast(files: readonly string[], report: Report): Promise<void> {
  const queue = [...files];
  const worker = async (): Promise<void> => {
    for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
      report(path, await runTestFile(path, { timeoutMs: FAST_MS, environment: common() }));
    }
  };
  await Promise.all([worker(), worker()]);
}

async function runLab(files: readonly string[], report: Report, shaky: string[]): Promise<void> {
  if (files.length === 0) return;
  const made = makeNamespace(`ehlowire-${process.pid}`);
  if (typeof made === 'string') {
    const options = { timeoutMs: LAB_MS, environment: { ...common(), LAB: '', LAB_WITHOUT: made } };
    for (const path of files) report(path, await runTestFile(path, options));
    return;
  }
  // Before the folders are removed that its processes write to.
  process.prependListener('exit', () => made.remove());
  const runLane = async (lane: readonly string[]): Promise<void> => {
    for (const path of lane) report(path, await runTwiceAtMost(made, path, shaky));
  };
  const patient = files.filter((path) => PATIENT.some((part) => path.includes(part)));
  await Promise.all([runLane(patient), runLane(files.filter(isOutside))]);
  await runLane(files.filter((path) => !patient.includes(path) && !isOutside(path)));
  made.remove();
}

/**
 * What enters and leaves must see the machine's own bpffs, which `ip netns exec` hides. It has stages of its own, and
 * starts processes more than it looks at the clock.
 */
function isOutside(path: string): boolean {
  return path.includes('/lab/deploy/');
}

/** Beside those: what waits most of its time, has stages of its own too, and asks for no exact times. */
const PATIENT = ['lab/wire/poison', 'lab/wire/verified'];

/**
 * A lab file that fails is run once more: its peers are real programs on a machine that others may keep busy.
 * The first failure is shown all the same, and the closing list names the file.
 */
async function runTwiceAtMost(namespace: Namespace, path: string, shaky: string[]): Promise<Verdict> {
  const first = await runInside(namespace, path);
  if (first.failed === 0) return first;
  tell(path, first);
  console.log(pc.yellow(`  once more: ${path}`));
  const second = await runInside(namespace, path);
  if (second.failed === 0) shaky.push(path);
  return second;
}

async function runInside(namespace: Namespace, path: string): Promise<Verdict> {
  const environment = { ...common(), LAB: 'namespace' };
  const options: TestFileOptions = { timeoutMs: LAB_MS, environment };
  if (isOutside(path)) return runTestFile(path, options);
  const verdict = await runTestFile(path, { ...options, within: namespace.within });
  const left = namespace.sweep();
  if (left.length === 0) return verdict;
  const trouble = [...verdict.trouble, ...left.map((line) => `left running, now killed: ${line}`)];
  return { ...verdict, failed: Math.max(verdict.failed, 1), trouble };
}

let compiled: string | undefined;

/** `COMPILED`: where files share what they compile. */
function common(): Record<string, string> {
  compiled ??= scratch('compiled');
  return { COMPILED: compiled };
}

function tell(path: string, verdict: Verdict): void {
  const counts = [`${verdict.passed} passed`];
  if (verdict.failed > 0) counts.push(`${verdict.failed} failed`);
  if (verdict.skipped > 0) counts.push(`${verdict.skipped} skipped`);
  const mark = verdict.failed > 0 ? pc.red('✘') : pc.green('✔');
  if (verdict.failed > 0) console.log(`\n${verdict.output.trimEnd()}\n`);
  else for (const line of verdict.output.split('\n')) if (line.startsWith(SHOWN)) console.log(line);
  console.log(`${mark} ${path}  ${counts.join(', ')}  ${pc.dim(`${verdict.seconds.toFixed(1)} s`)}`);
  for (const line of verdict.trouble) console.log(`  ${pc.red(line)}`);
}

async function main(): Promise<void> {
  // An exit that goes through 'exit', where children, folders and the namespace are cleaned up.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const skips: string[] = [];
  const shaky: string[] = [];
  const report: Report = (path, verdict) => {
    tell(path, verdict);
    sum.passed += verdict.passed;
    sum.failed += verdict.failed;
    sum.skipped += verdict.skipped;
    if (verdict.failed > 0) failures.push(path);
    skips.push(...verdict.skips);
  };
  const { fast, lab } = plan();
  if (fast.length + lab.length === 0) {
    console.log('no test file matches');
    sum.failed += 1;
  }
  await runFast(fast, report);
  await runLab(lab, report, shaky);
  if (skips.length > 0) console.log(`\nSkipped:\n${grouped(skips)}`);
  if (shaky.length > 0) console.log(`\nUnstable: passed only at the second try:\n${indented(shaky)}`);
  if (failures.length > 0) console.log(`\nFailed:\n${indented(failures)}`);
  console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
  process.exitCode = sum.failed > 0 ? 1 : 0;
}

function indented(paths: readonly string[]): string {
  return paths.map((path) => `  ${path}`).join('\n');
}

// Many rows are skipped for one reason; the reason is what a reader acts on.
function grouped(skips: readonly string[]): string {
  const byReason = new Map<string, string[]>();
  for (const skip of skips) {
    const [name = skip, reason = ''] = skip.split(BECAUSE);
    byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  }
  return [...byReason]
    .map(([reason, names]) => `  ${reason}\n${names.map((name) => `    ${name}`).join('\n')}`)
    .join('\n');
}

void main();
