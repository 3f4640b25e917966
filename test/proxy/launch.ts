// Runs the command line as a process of its own: the launcher with a compiled tree, as an installed one has it.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { OBJECT } from '../../proxy/wire/wire';

const ROOT = join(__dirname, '../..');

export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Launched {
  readonly child: ChildProcess;
  readonly heard: { readonly out: string; readonly err: string };
  readonly ended: Promise<Result>;
  /** Resolves when standard output has this text. */
  printed(text: string): Promise<void>;
}

type Launch = (args: readonly string[], env?: Record<string, string>) => Launched;

/**
 * Compiles the sources without checking them into a temporary folder, so that a start takes a tenth of the time
 * that ts-node needs. `more`: folders of test programs, which land in `dist` too. The caller removes `dir`.
 */
export function buildLauncher(more: readonly string[] = []): {
  readonly dir: string;
  readonly launch: Launch;
} {
  const dir = mkdtempSync(join(tmpdir(), 'ehlowire-launch-'));
  const shared = process.env['COMPILED'];
  if (shared === undefined || more.length > 0) compileTree(dir, more);
  else symlinkSync(join(sharedTree(shared), 'dist'), join(dir, 'dist'));
  for (const name of ['ehlowire', 'package.json']) copyFileSync(join(ROOT, name), join(dir, name));
  return { dir, launch: (args, env = {}) => start(join(dir, 'ehlowire'), args, env) };
}

/** Compiled once for all files of a run, in a folder of the runner's, by the first that needs it. */
function sharedTree(folder: string): string {
  const tree = join(folder, 'tree');
  if (existsSync(tree)) return tree;
  const own = mkdtempSync(join(folder, 'own-'));
  compileTree(own, []);
  copyFileSync(join(ROOT, 'package.json'), join(own, 'package.json'));
  try {
    renameSync(own, tree);
  } catch {
    // Another file was faster.
    rmSync(own, { recursive: true });
  }
  return tree;
}

function compileTree(dir: string, more: readonly string[]): void {
  for (const folder of ['inspect', 'proxy', 'deploy', ...more]) {
    for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.ts')) compile(join(folder, name), dir);
    }
  }
  if (existsSync(OBJECT)) {
    const compiled = join(dir, 'dist', relative(ROOT, OBJECT));
    mkdirSync(dirname(compiled), { recursive: true });
    copyFileSync(OBJECT, compiled);
  }
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
}

function compile(name: string, dir: string): void {
  const target = join(dir, 'dist', name.replace(/\.ts$/, '.js'));
  const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022, esModuleInterop: true };
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(
    target,
    transpileModule(readFileSync(join(ROOT, name), 'utf8'), { compilerOptions }).outputText,
  );
}

function start(program: string, args: readonly string[], env: Record<string, string>): Launched {
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const heard = { out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (heard.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (heard.err += data.toString()));
  const ended = once(child, 'close').then(([code]): Result => ({ code: code as number | null, ...heard }));
  const printed = async (text: string): Promise<void> => {
    const stream: Readable = child.stdout;
    while (!heard.out.includes(text)) {
      if (child.exitCode !== null) throw new Error(`it ended without printing "${text}": ${heard.err}`);
      await Promise.race([once(stream, 'data'), ended]);
    }
  };
  return { child, heard, ended, printed };
}
