// Child processes and scratch folders of the tests, all of which end with the test's own process.

import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Output kept of one child, in octets: enough for a log, too little to fill the memory. */
const OUTPUT = 4 * 1024 * 1024;

/** How a child ended, with everything it wrote on both outputs. */
export interface Outcome {
  /** The exit code; 128 + n after signal n would be a guess, so a signal gives null. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly seconds: number;
  readonly output: string;
  /** It was killed because its time was up. */
  readonly timedOut: boolean;
}

export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  output(): string;
  /** Resolves when the process has ended and its outputs are closed; never rejects. */
  readonly ended: Promise<Outcome>;
  /** SIGTERM (or the given signal), SIGKILL after two seconds (or the time given); resolves when it has ended. */
  stop(signal?: NodeJS.Signals, patienceMs?: number): Promise<Outcome>;
}

interface StartOptions extends SpawnOptions {
  /** How to kill it at once, where SIGKILL to the process itself is not enough. Must not wait. */
  readonly kill?: (process: ChildProcess) => void;
}

export interface RunOptions extends SpawnOptions {
  /** Killed after that; default 60 s. */
  readonly timeoutMs?: number;
  /** Written to standard input, which is closed afterwards. */
  readonly input?: string | Buffer;
}

const live = new Map<Child, () => void>();
const folders = new Set<string>();

/** Starts a program. A program that cannot be started ends with code 127 and the reason as its output. */
export function start(command: string, args: readonly string[], options: StartOptions = {}): Child {
  watchExit();
  const { kill = (it) => it.kill('SIGKILL'), ...spawnOptions } = options;
  const began = performance.now();
  // What one program learns of servers is not for the next one.
  const env = { ...(spawnOptions.env ?? globalThis.process.env), EHLOWIRE_SERVERS_FILE: 'off' };
  const process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...spawnOptions, env });
  const chunks: Buffer[] = [];
  let kept = 0;
  const keep = (chunk: Buffer): void => {
    if (kept < OUTPUT) chunks.push(chunk);
    kept += chunk.length;
  };
  process.stdout?.on('data', keep);
  process.stderr?.on('data', keep);
  const output = (): string => Buffer.concat(chunks).toString('utf8');
  const ended = new Promise<Outcome>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      live.delete(child);
      const seconds = (performance.now() - began) / 1000;
      resolve({ code, signal, seconds, output: output(), timedOut: false });
    };
    process.once('close', end);
    process.once('error', (error) => {
      keep(Buffer.from(`${command}: ${error.message}\n`));
      if (process.pid === undefined) end(127, null);
    });
  });
  const child: Child = {
    pid: process.pid ?? -1,
    process,
    output,
    ended,
    stop: async (signal = 'SIGTERM', patienceMs = 2_000) => {
      if (signal === 'SIGKILL') kill(process);
      else process.kill(signal);
      const timer = setTimeout(() => kill(process), patienceMs);
      return ended.finally(() => clearTimeout(timer));
    },
  };
  live.set(child, () => kill(process));
  return child;
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  { timeoutMs = 60_000, input, ...options }: RunOptions = {},
): Promise<Outcome> {
  const stdin = input === undefined ? 'ignore' : 'pipe';
  const child = start(command, args, { stdio: [stdin, 'pipe', 'pipe'], ...options });
  // A child that ends without reading all of its input is judged by its exit code, not by EPIPE.
  child.process.stdin?.on('error', () => undefined);
  child.process.stdin?.end(input);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.process.kill('SIGKILL');
  }, timeoutMs);
  const outcome = await child.ended;
  clearTimeout(timer);
  return { ...outcome, timedOut };
}

/** A new folder that other users may enter; removed when the test's process ends, or before by `discard`. */
export function scratch(name: string): string {
  watchExit();
  const folder = mkdtempSync(join(tmpdir(), `ehlowire-${name}-`));
  chmodSync(folder, 0o755);
  folders.add(folder);
  return folder;
}

export function discard(folder: string): void {
  remove(folder);
  folders.delete(folder);
}

// A daemon that was killed just now may still have written a file.
function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

/** A TCP port of 127.0.0.1 that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port from the kernel');
  return address.port;
}

/** Whether somebody accepts connections there. */
export async function isOpen(host: string, port: number): Promise<boolean> {
  const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port });
  const open = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return open;
}

/** Asks until the answer is not undefined; throws with `what` when the time is up. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | Promise<T | undefined>,
  timeoutMs = 10_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await sleep(20);
  }
}

let watching = false;

// Signals become a normal exit, so that one place cleans up whatever way the process ends.
function watchExit(): void {
  if (watching) return;
  watching = true;
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  process.on('exit', () => {
    for (const kill of live.values()) kill();
    for (const folder of folders) remove(folder);
  });
}
