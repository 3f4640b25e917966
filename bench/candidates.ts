// What is compared: the bare bridge, twice, ehlowire on it, HAProxy on it.

import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { scratch, until, type Child } from '../test/kit/process';
import { makePlace, type Place } from './place';
import { quoteLog, readLog, type Recorded } from './recorded';

export interface Candidate {
  readonly name: string;
  readonly place: Place;
  /** Until it has written down what it saw; how long that took, in seconds. */
  settle(): Promise<number>;
  /** What it has written down so far; undefined: it writes nothing. */
  recorded(): Recorded | undefined;
  /** Of that, the first lines that should not be there. */
  quote?(): string;
  stop(): Promise<void>;
}

const ROOT = join(__dirname, '..');
export const COMPILED = join(ROOT, 'dist-bench');

export function plain(name: 'bridge' | 'bridge again'): Promise<Candidate> {
  const place = makePlace(`${PREFIX}${name === 'bridge' ? 'p' : 'q'}`);
  return Promise.resolve({
    name,
    place,
    settle: () => Promise.resolve(0),
    recorded: () => undefined,
    stop: () => Promise.resolve(place.remove()),
  });
}

/** As a user starts it, the whole phase log on; what is compiled, not the sources. */
export async function ehlowire(): Promise<Candidate> {
  const place = makePlace(`${PREFIX}e`);
  const folder = scratch('bench');
  const log = join(folder, 'log');
  const settings = [`deploy.journal=${join(folder, 'journal.json')}`, `wire.pins=${pinsOf(place)}`].flatMap(
    (each) => ['--set', each],
  );
  const main = join(COMPILED, 'deploy/main.js');
  const ports = ['--wan', 'wan', '--lan', 'lan', '--path', 'wire'];
  const child = place.start('shim', 'node', main, 'bridge', ...ports, '--log', log, ...settings);
  await ready(child, () => linesOf(log, 'wire-open') > 0);
  return {
    name: 'ehlowire',
    place,
    settle: () => settle(log),
    quote: () => quoteLog(log),
    recorded() {
      const status = place.enter('shim', 'node', main, 'status', '--json', ...settings);
      const { counters } = JSON.parse(execFileSync(...mutable(status), { encoding: 'utf8' })) as {
        readonly counters: { readonly unwatched: number };
      };
      return { ...readLog(log), unwatched: counters.unwatched };
    },
    async stop() {
      await child.stop();
      execFileSync(...mutable(place.enter('shim', 'node', main, 'leave', ...settings)), { stdio: 'ignore' });
      place.remove();
    },
  };
}

/** TCP mode, spliced, both addresses kept; frames are handed to it as ehlowire hands them to its own relay. */
export async function haproxy(): Promise<Candidate> {
  const place = makePlace(`${PREFIX}h`);
  const config = join(scratch('bench'), 'haproxy.cfg');
  writeFileSync(config, HAPROXY);
  const rules = `ip rule add fwmark ${MARK} lookup 100 && ip route add local default dev lo table 100`;
  execFileSync(...mutable(place.enter('shim', 'sh', '-c', rules)));
  const pins = pinsOf(place);
  const divert = ['-r', 'ts-node/register/transpile-only', join(__dirname, 'divert.ts'), pins, place.mac];
  execFileSync(...mutable(place.enter('shim', 'node', ...divert, String(MARK), String(PORT))), { cwd: ROOT });
  const child = place.start('shim', 'haproxy', '-db', '-f', config);
  await ready(child, () => isListening(place));
  return {
    name: 'haproxy',
    place,
    settle: () => Promise.resolve(0),
    recorded: () => undefined,
    async stop() {
      await child.stop();
      place.remove();
    },
  };
}

/** Where its program is pinned; nothing is left there, however the run ends. */
function pinsOf({ name }: Place): string {
  const pins = `/sys/fs/bpf/${name}`;
  process.on('exit', () => rmSync(pins, { recursive: true, force: true }));
  return pins;
}

/** The log has not grown for a while. */
async function settle(log: string): Promise<number> {
  const began = performance.now();
  let size = -1;
  let grewAt = began;
  while (performance.now() - grewAt < QUIET_MS) {
    const now = existsSync(log) ? statSync(log).size : 0;
    if (now !== size) grewAt = performance.now();
    size = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return (grewAt - began) / 1000;
}

async function ready(child: Child, is: () => boolean): Promise<void> {
  await until('a candidate', () => {
    if (child.process.exitCode !== null) throw new Error(`it ended: ${child.output()}`);
    return is() || undefined;
  });
}

function isListening(place: Place): boolean {
  const listeners = execFileSync(...mutable(place.enter('shim', 'ss', '-Htnl')), { encoding: 'utf8' });
  return listeners.includes(`:${PORT} `);
}

/** Large files are counted where they are. */
function linesOf(file: string, event: string): number {
  try {
    return Number(execFileSync('grep', ['-sc', `"event":"${event}"`, file], { encoding: 'utf8' }));
  } catch {
    return 0;
  }
}

function mutable([command, args]: readonly [string, string[]]): [string, string[]] {
  return [command, args];
}

const PREFIX = `eb${process.pid % 100_000}`;
/** Longer than its reader ever waits, and than what it writes is held back. */
const QUIET_MS = 1_500;
const MARK = 7;
const PORT = 2525;
const HAPROXY = `
global
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
frontend smtp
  bind 0.0.0.0:${PORT} transparent
  default_backend servers
backend servers
  source 0.0.0.0 usesrc client
  server original 0.0.0.0:0
`;
