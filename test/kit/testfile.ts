// One test file in a process of its own: its figures, its skips, and what makes it a failure all the same.

import { readFileSync } from 'node:fs';
import { BECAUSE, SKIPPED } from './lab';
import { discard, scratch, start } from './process';

export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What was skipped and why, one line each. */
  readonly skips: readonly string[];
  /** Why the file counts as failed beyond its failed tests. */
  readonly trouble: readonly string[];
  readonly seconds: number;
  readonly output: string;
}

export interface TestFileOptions {
  readonly timeoutMs: number;
  /** A process that has told its figures gets this long to end; default 5 s. */
  readonly graceMs?: number;
  /** What to put before `node`, such as `ip netns exec NAME`. */
  readonly within?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export async function runTestFile(path: string, options: TestFileOptions): Promise<Verdict> {
  const { timeoutMs, graceMs = 5_000, within = [], environment = {} } = options;
  const node = [process.execPath, '-r', 'ts-node/register/transpile-only', path];
  const [command = process.execPath, ...args] = [...within, ...node];
  // Its folders lie in one that is removed here, as a process that is killed removes nothing.
  const folder = scratch('test');
  const child = start(command, args, {
    env: { ...process.env, FORCE_COLOR: '0', TMPDIR: folder, ...environment },
  });
  let trouble: string | undefined;
  const giveUp = (why: string): void => {
    trouble ??= why;
    child.process.kill('SIGTERM');
    setTimeout(() => child.process.kill('SIGKILL'), 2_000).unref();
  };
  const limit = setTimeout(() => giveUp(`killed: not finished within ${timeoutMs / 1000} s`), timeoutMs);
  let grace: NodeJS.Timeout | undefined;
  child.process.stdout?.on('data', () => {
    // Only the end of a long output is looked at, so that this stays cheap.
    if (grace !== undefined || readFigures(child.output().slice(-500)) === undefined) return;
    grace = setTimeout(() => giveUp('killed: all tests done, but an open handle keeps it alive'), graceMs);
  });
  const outcome = await child.ended;
  clearTimeout(limit);
  clearTimeout(grace);
  discard(folder);
  return judge(path, outcome, trouble);
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly seconds: number;
  readonly output: string;
}

function judge(path: string, { code, signal, seconds, output }: Ended, killed?: string): Verdict {
  const figures = readFigures(output) ?? { total: 0, passed: 0, skipped: 0 };
  const skips = output
    .split('\n')
    .filter((line) => line.startsWith(SKIPPED))
    .map((line) => line.slice(SKIPPED.length));
  for (let i = skips.length; i < figures.skipped; i += 1) skips.push(`${path}${BECAUSE}no reason given`);
  const failed = figures.total - figures.passed;
  const trouble = [...sourceTrouble(readFileSync(path, 'utf8'))];
  if (killed !== undefined) trouble.push(killed);
  else if (figures.total + figures.skipped === 0) trouble.push('no test ran');
  if (killed === undefined && code !== 0 && failed === 0) trouble.push(`ended with ${code ?? signal}`);
  return {
    ...figures,
    failed: trouble.length > 0 ? Math.max(failed, 1) : failed,
    skips,
    trouble,
    seconds,
    output,
  };
}

/** uvu's closing figures, the last ones of an output; undefined before they were written. */
function readFigures(
  output: string,
): { readonly total: number; readonly passed: number; readonly skipped: number } | undefined {
  const found = [...output.matchAll(/\n {2}Total: +(\d+)\n {2}Passed: +(\d+)\n {2}Skipped: +(\d+)\n/g)].at(
    -1,
  );
  if (found === undefined) return undefined;
  const [total = 0, passed = 0, skipped = 0] = found.slice(1).map(Number);
  return { total, passed, skipped };
}

/** What uvu lets pass in silence: a suite that is never run, and an `only` that was left behind. */
function sourceTrouble(source: string): readonly string[] {
  const code = source.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
  const trouble: string[] = [];
  if (!/\.run\(\)/.test(code)) trouble.push('no test.run()');
  for (const [, name = ''] of code.matchAll(
    /\b(?:const|let)\s+(\w+)(?:\s*:[^=\n]+)?\s*=\s*(?:lab)?[sS]uite\(/g,
  )) {
    if (!code.includes(`${name}.run()`)) trouble.push(`no ${name}.run()`);
  }
  if (/^\s*\w+\.only\(/m.test(code)) trouble.push('an only was left behind');
  return trouble;
}
