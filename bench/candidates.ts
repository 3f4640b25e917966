// What is compared: the bare bridge, twice, ehlowire on it, HAProxy on it; and what ehlowire logs meanwhile.

import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatFault, isFault } from '../proxy/system/fault';
import { openWire } from '../proxy/wire/wire';
import { scratch, until, type Child } from '../test/kit/process';
import { makeNetwork, type Network } from './network';

export interface Candidate {
  readonly name: string;
  readonly network: Network;
  /**
   * Waits until so many more connections are logged or counted as unwatched, or a minute has passed, and until the log
   * no longer grows; resolves to how long that took, in seconds. Of a client that failed the number is not known: 0.
   */
  settle(connections: number): Promise<number>;
  /** What it has logged so far; undefined: it logs nothing. */
  logged(): Logged | undefined;
  /** The first lines of its log that healthy traffic should not cause. */
  quote?(): string;
  stop(): Promise<void>;
}

/** Lines of ehlowire's log by kind, and what the kernel counted. */
export interface Logged {
  readonly sessions: number;
  /** Of these: one message, an end, and nothing of it was missed. */
  readonly whole: number;
  /** Connections that the kernel did not begin to record. */
  readonly unwatched: number;
  readonly losses: number;
  readonly verdicts: number;
  readonly learned: number;
  readonly anomalies: number;
  /** Of the anomalies: octets that were not observed. */
  readonly gaps: number;
}

const ROOT = join(__dirname, '..');
/** Apart from `dist/`, which other processes may be running from. */
export const COMPILED = join(ROOT, 'dist-bench');
export const PROGRAM = join(COMPILED, 'deploy/main.js');

export function plain(name: 'bridge' | 'bridge again'): Promise<Candidate> {
  const network = makeNetwork(`${PREFIX}${name === 'bridge' ? 'p' : 'q'}`);
  return Promise.resolve({
    name,
    network,
    settle: () => Promise.resolve(0),
    logged: () => undefined,
    stop: () => Promise.resolve(network.remove()),
  });
}

/** As a user starts it, compiled, with every phase logged; or an alternative of it. */
export async function ehlowire(name = 'ehlowire', program = PROGRAM): Promise<Candidate> {
  const network = makeNetwork(`${PREFIX}${name === 'ehlowire' ? 'e' : 'a'}`);
  const folder = scratch('bench');
  const log = join(folder, 'log');
  const settings = [`deploy.journal=${join(folder, 'journal.json')}`, `wire.pins=${pinsOf(network)}`].flatMap(
    (each) => ['--set', each],
  );
  const ports = ['--wan', 'wan', '--lan', 'lan', '--path', 'wire'];
  const child = network.start('bridge', 'node', program, 'bridge', ...ports, '--log', log, ...settings);
  await ready(child, () => linesOf(log, 'wire-open') > 0);
  const unwatched = (): number => {
    const status = network.enter('bridge', 'node', program, 'status', '--json', ...settings);
    const { counters } = JSON.parse(execFileSync(...mutable(status), { encoding: 'utf8' })) as {
      readonly counters: { readonly unwatched: number };
    };
    return counters.unwatched;
  };
  let before = 0;
  return {
    name,
    network,
    async settle(connections) {
      const accounted = (): number => linesOf(log, 'session') + unwatched();
      const wanted = before + connections;
      const took = await settle(log, () => accounted() >= wanted);
      before = accounted();
      return took;
    },
    quote: () => quoteLog(log),
    logged: () => ({ ...readLog(log), unwatched: unwatched() }),
    async stop() {
      await child.stop();
      execFileSync(...mutable(network.enter('bridge', 'node', program, 'leave', ...settings)), {
        stdio: 'ignore',
      });
      network.remove();
    },
  };
}

/** TCP mode, spliced, both addresses kept; connections are diverted to it as ehlowire diverts them to its own relay. */
export async function haproxy(): Promise<Candidate> {
  const network = makeNetwork(`${PREFIX}h`);
  const config = join(scratch('bench'), 'haproxy.cfg');
  writeFileSync(config, HAPROXY);
  const rules = `ip rule add fwmark ${MARK} lookup 100 && ip route add local default dev lo table 100`;
  execFileSync(...mutable(network.enter('bridge', 'sh', '-c', rules)));
  const self = ['-r', 'ts-node/register/transpile-only', __filename, pinsOf(network), network.mac];
  execFileSync(...mutable(network.enter('bridge', 'node', ...self)), { cwd: ROOT });
  const child = network.start('bridge', 'haproxy', '-db', '-f', config);
  await ready(child, () => isListening(network));
  return {
    name: 'haproxy',
    network,
    settle: () => Promise.resolve(0),
    logged: () => undefined,
    async stop() {
      await child.stop();
      network.remove();
    },
  };
}

/** Hands every new SMTP connection of a bridge to HAProxy's listener; run inside the bridge's namespace. */
function divert([pins = '', mac = '']: readonly string[]): void {
  const wire = openWire({ pins });
  if (isFault(wire)) throw new Error(formatFault(wire));
  for (const leg of ['wan', 'lan'] as const) {
    const attached = wire.attach({ device: leg, hook: 'ingress', leg });
    if (isFault(attached)) throw new Error(formatFault(attached));
  }
  wire.tables.setPorts([25]);
  wire.tables.configure({ unknown: 'relay', relay: { mark: MARK, socketMark: 0, port: PORT, mac } });
  // The program stays attached.
  wire.close();
}

/** The folder of the pinned program; removed however the run ends. */
function pinsOf({ name }: Network): string {
  const pins = `/sys/fs/bpf/${name}`;
  process.on('exit', () => rmSync(pins, { recursive: true, force: true }));
  return pins;
}

/** The reader runs when no other process wants a processor: a log that does not grow alone says nothing. */
async function settle(log: string, isAll: () => boolean): Promise<number> {
  const began = performance.now();
  for (;;) {
    let size = -1;
    let grewAt = performance.now();
    while (performance.now() - grewAt < QUIET_MS) {
      const now = existsSync(log) ? statSync(log).size : 0;
      if (now !== size) grewAt = performance.now();
      size = now;
      await sleep(50);
    }
    if (isAll() || performance.now() - began > SETTLE_MS) return (grewAt - began) / 1000;
  }
}

async function ready(child: Child, is: () => boolean): Promise<void> {
  const isReady = (): true | undefined => {
    if (child.process.exitCode !== null) throw new Error(`it ended: ${child.output()}`);
    return is() || undefined;
  };
  await until(`${child.process.spawnargs.join(' ')} is ready`, isReady, READY_MS);
}

function isListening(network: Network): boolean {
  const listeners = execFileSync(...mutable(network.enter('bridge', 'ss', '-Htnl')), { encoding: 'utf8' });
  return listeners.includes(`:${PORT} `);
}

/** The log is large, so it is not read into this process. */
function readLog(file: string): Omit<Logged, 'unwatched'> {
  const output = execFileSync('awk', [COUNT, file], { encoding: 'utf8', env: { LC_ALL: 'C' } });
  return JSON.parse(output) as Omit<Logged, 'unwatched'>;
}

function quoteLog(file: string): string {
  const events = '"event":"(verdict|loss|anomaly|unwatched|watched-again)"';
  return execFileSync('sh', ['-c', 'grep -aEm "$1" "$2" "$3" || true', 'sh', '20', events, file], {
    encoding: 'utf8',
  });
}

function linesOf(file: string, event: string): number {
  try {
    const args = ['-sFc', `"event":"${event}"`, file];
    return Number(execFileSync('grep', args, { encoding: 'utf8', env: { LC_ALL: 'C' } }));
  } catch {
    return 0;
  }
}

function mutable([command, args]: readonly [string, string[]]): [string, string[]] {
  return [command, args];
}

const COUNT = `
  /"event":"session"/ { sessions++; if (/"messages":1,/ && /\\["close",/ && !/"coverage":/) whole++; next }
  /"event":"loss"/ { losses++; next }
  /"event":"verdict"/ { verdicts++; next }
  /"event":"learned"/ { learned++; next }
  /"event":"anomaly"/ { anomalies++; if (/"anomaly":"gap"/) gaps++ }
  END {
    printf "{\\"sessions\\":%d,\\"whole\\":%d,\\"losses\\":%d,", sessions, whole, losses
    printf "\\"verdicts\\":%d,\\"learned\\":%d,\\"anomalies\\":%d,\\"gaps\\":%d}", verdicts, learned, anomalies, gaps
  }`;

const PREFIX = `eb${process.pid % 100_000}`;
/** Longer than ehlowire's reader ever sleeps and its log is buffered. */
const QUIET_MS = 1_500;
const SETTLE_MS = 60_000;
const READY_MS = 30_000;
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

if (require.main === module) divert(process.argv.slice(2));
