// A stage with an address and a default route, and ehlowire on it as a user runs it.

import { test } from 'uvu';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { skip } from '../../kit/lab';
import type { Child, Outcome } from '../../kit/process';
import { buildLauncher } from '../../proxy/launch';
import { awaitInPlace, makeStage, NODE, unfit, type Stage } from './stage';

export interface Scene {
  readonly stage: Stage;
  /** Runs a command to its end. */
  say(...args: readonly string[]): Promise<Outcome>;
  /** Starts one that stays. */
  start(...args: readonly string[]): Child;
  /** Starts one that stays, and waits until it is in place. */
  enter(...args: readonly string[]): Promise<Child>;
  snapshot(): Promise<string>;
  programs(device: string, hook: string): Promise<number>;
}

/** Names the programs that are there. */
const ATTACHED = join(__dirname, '../../kit/attached.py');
export const BRIDGE = ['bridge', '--wan', 'wan', '--lan', 'lan'] as const;
const reason = unfit();
// Compiled: it is started some forty times.
const { dir } = buildLauncher();
export const LAUNCHER = join(dir, 'ehlowire');
test.after(() => rmSync(dir, { recursive: true }));

let count = 0;

export function scene(name: string, body: (scene: Scene) => Promise<void>): void {
  if (reason !== undefined) return skip(test, name, reason);
  const id = `el${process.pid}${(count += 1)}`;
  return void test(name, async () => {
    const stage = makeStage(id);
    if (typeof stage === 'string') throw new Error(stage);
    try {
      for (const port of ['wan', 'lan']) stage.ip('link', 'set', port, 'up');
      stage.ip('address', 'add', '198.18.0.2/24', 'dev', 'wan');
      stage.ip('route', 'add', 'default', 'via', '198.18.0.1');
      await body(createScene(stage));
    } finally {
      stage.remove();
    }
  });
}

function createScene(stage: Stage): Scene {
  return {
    stage,
    say: (...args) => stage.run(LAUNCHER, ...args, ...stage.settings),
    start: (...args) => stage.start(LAUNCHER, ...args, ...stage.settings),
    async enter(...args) {
      const child = stage.start(LAUNCHER, ...args, ...stage.settings);
      await awaitInPlace(child);
      return child;
    },
    async snapshot() {
      const line = `process.stdout.write(require('${join(__dirname, 'snapshot')}').snapshot())`;
      return (await stage.run(...NODE, '-e', line)).output;
    },
    async programs(device, hook) {
      const { output } = await stage.run('python3', ATTACHED, device, hook);
      return output.split('ehlowire_').length - 1;
    },
  };
}
