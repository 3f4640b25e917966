// The wire path in the lab: `cli - fw - shim - mta`, the two between them wires, and ehlowire on the shim or the mta.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../lab/peers/clients';
import type { LogLine } from './ehlowire';
import { launcher } from './launcher';
import { discard, run, scratch, start, until, type Child, type Outcome } from './process';
import { ADDRESS, awaitWord, makeTopology, type ClientAddress, type Place, type Topology } from './topology';

export const NODE = [process.execPath, '-r', 'ts-node/register/transpile-only'] as const;

export interface WireOptions {
  /** The bridge is there before, as somebody else's, with addresses and a way back to clients; else ehlowire makes one. */
  readonly bridge?: 'none' | 'addresses';
  /** `bridge` on the shim, or `host` on the mail server; then the shim is a plain bridge. Default: bridge. */
  readonly as?: 'bridge' | 'host';
}

export interface Wire {
  readonly topology: Topology;
  readonly client: ClientAddress;
  /** For recordings and messages; it goes with the stage. */
  readonly folder: string;
  /** Commands of `ip -batch` in a namespace. */
  ip(place: Place, ...lines: readonly string[]): void;
  /** Offloads of both ends of all cables. */
  offload(on: boolean): void;
  /** A program where ehlowire is, in a view of the machine that has the bpffs. */
  run(command: string, ...args: readonly string[]): Promise<Outcome>;
  /** `ehlowire bridge` or `host`, in place when this resolves. */
  enter(...args: readonly string[]): Promise<Child>;
  /** Another one than this tree's. */
  enterBy(launcher: string, ...args: readonly string[]): Promise<Child>;
  leave(...args: readonly string[]): Promise<Outcome>;
  status(): Promise<WireStatus>;
  /** What the log says by now. */
  events(): readonly LogLine[];
  /** A line of the log, as soon as it is there. */
  line(what: string, is: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  remove(): Promise<void>;
}

/** Of `ehlowire status --json`. */
interface WireStatus {
  readonly attached: boolean;
  readonly healthy: boolean;
  readonly process: { readonly pid: number } | null;
  readonly problems: readonly string[];
  readonly relays: boolean;
  readonly not_relayed: readonly string[];
  /** Why `counters` and `servers` are not there. */
  readonly unread: string | null;
  readonly counters: Readonly<Record<string, number>>;
  readonly servers: readonly {
    readonly address: string;
    readonly port: number;
    readonly policy: string;
    readonly contradicted: boolean;
  }[];
}

/** Throws where there can be none. */
export function makeWire(label: string, { bridge = 'none', as = 'bridge' }: WireOptions = {}): Wire {
  const name = `ehw${label}${process.pid}`;
  const made = makeTopology(name);
  if (typeof made === 'string') throw new Error(made);
  const topology = made;
  const folder = scratch('wire');
  const pins = `/sys/fs/bpf/${name}`;
  const log = join(folder, 'events');
  const settings = [
    `deploy.journal=${join(folder, 'journal', 'journal.json')}`,
    `servers.file=${join(folder, 'journal', 'servers.json')}`,
    `wire.pins=${pins}`,
    `greeting.patience=${PATIENCE_MS}ms`,
  ].flatMap((each) => ['--set', each]);
  const within = [`--net=/run/netns/${name}-${as === 'host' ? 'mta' : 'shim'}`, '--'];
  const removePins = (): void => rmSync(pins, { recursive: true, force: true });
  process.on('exit', removePins);
  const ip: Wire['ip'] = (place, ...lines) => batch(`${name}-${place}`, lines);
  const client = topology.moveClient(0);
  makeFirewallAWire(name);
  if (bridge === 'none' && as === 'bridge') ip('shim', 'link delete br0');
  if (bridge === 'addresses')
    ip('shim', `address add ${ADDRESS.shim6}/64 dev br0 nodad`, 'route add fd00:18::/64 dev br0');
  const begin = (launcher: string, args: readonly string[]): Child => {
    return start('nsenter', [
      ...within,
      launcher,
      as,
      ...PLACES[as],
      '--json',
      '--log',
      log,
      ...settings,
      ...args,
    ]);
  };
  const events = (): readonly LogLine[] => readEvents(log);
  const control = (...args: readonly string[]): Promise<Outcome> =>
    run('nsenter', [...within, launcher(), ...args, ...settings], { timeoutMs: 30_000 });
  const enterBy: Wire['enterBy'] = async (launcher, ...args) => {
    const opened = (): number => events().filter(({ event }) => event === 'wire-open').length;
    const before = opened();
    const child = begin(launcher, args);
    await until(
      'ehlowire in place',
      () => {
        if (child.process.exitCode !== null) throw new Error(`it ended: ${child.output()}`);
        return opened() > before || undefined;
      },
      30_000,
    );
    return child;
  };
  return {
    topology,
    client,
    folder,
    ip,
    offload: (on) => offload(name, on),
    run: (command, ...args) => run('nsenter', [...within, command, ...args]),
    enter: (...args) => enterBy(launcher(), ...args),
    enterBy,
    leave: (...args) => control('leave', ...args),
    status: async () => JSON.parse((await control('status', '--json')).output) as WireStatus,
    events,
    line: (what, is, timeoutMs) => until(what, () => events().find(is), timeoutMs),
    remove: async () => {
      await control('leave');
      topology.remove();
      removePins();
      process.off('exit', removePins);
      discard(folder);
    },
  };
}

const PLACES = { bridge: ['--wan', 'wan', '--lan', 'lan'], host: ['--dev', 'eth0'] } as const;

/** Of the tests' servers: what is not whole by then is truncated. */
export const PATIENCE_MS = 2_000;

/** Starts the servers of test/lab/wire/server.py on the MTA: `address=greeting`, escapes as in Python. */
export async function startServers({ topology }: Wire, ...servers: readonly string[]): Promise<Servers> {
  const child = topology.start('mta', 'python3', '-u', join(__dirname, '../lab/wire/server.py'), ...servers);
  await awaitWord(child, 'ready');
  const lines = (kind: string): string[][] =>
    child
      .output()
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '))
      .filter(([first]) => first === kind)
      .map(([, ...rest]) => rest);
  return {
    peers: (address) => lines('from').flatMap(([at, peer = '']) => (at === address ? [peer] : [])),
    mails: (address) => lines('mail').flatMap(([at, hash = '']) => (at === address ? [hash] : [])),
    ends: (address) => lines('end').flatMap(([at, how = '']) => (at === address ? [how] : [])),
    octets: (address) =>
      lines('end').reduce((sum, [at, , octets]) => (at === address ? sum + Number(octets) : sum), 0),
    stop: async () => void (await child.stop()),
  };
}

/** What became of a load's sessions; `failed`: how many of each reason. */
export interface Tally {
  readonly fine: number;
  readonly messages: number;
  readonly failed: Readonly<Record<string, number>>;
}

export interface Load {
  /** The first greeting is there. */
  readonly greeted: Promise<void>;
  /** No new sessions; those under way are brought to their end. */
  stop(): Promise<Tally>;
  /** Of one with a number of sessions: when all have ended. */
  readonly ended: Promise<Tally>;
}

export interface LoadOptions {
  readonly connections: number;
  /** Seconds between two steps. */
  readonly pace: number;
  readonly sessions?: number;
  /** Addresses that sessions come from, in turn. */
  readonly from?: readonly string[];
}

/** Sessions of two messages each from the client's place. */
export function startLoad(
  { topology }: Wire,
  host: string,
  { connections, pace, sessions, from = [] }: LoadOptions,
): Load {
  const args = [host, String(connections), String(pace), String(sessions ?? '-'), ...from];
  const child = topology.start('cli', 'python3', '-u', join(__dirname, '../lab/wire/load.py'), ...args);
  const ended = child.ended.then(({ output }) => {
    const last = output.trimEnd().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new Error(`the load ended without a tally: ${output}`);
    return JSON.parse(last) as Tally;
  });
  ended.catch(() => undefined);
  const greeted = awaitWord(child, 'greeted');
  greeted.catch(() => undefined);
  return {
    greeted,
    ended,
    stop: () => {
      child.process.kill('SIGTERM');
      return ended;
    },
  };
}

/**
 * Clients of three networks that wait for the rest of a greeting, until it is known that there is none: the line that
 * says so. Where ehlowire has an address, it looks for itself before they are needed.
 */
export async function meet(wire: Wire, server: string): Promise<LogLine> {
  const script = [
    'import socket, sys, time',
    'held = [socket.create_connection((sys.argv[1], 25), source_address=(each, 0)) for each in sys.argv[2:]]',
    'time.sleep(60)',
  ].join('\n');
  const sources = server.includes(':')
    ? [wire.client.v6, ...ADDRESS.strangers6]
    : [wire.client.v4, ...ADDRESS.strangers];
  const child = wire.topology.start('cli', 'python3', '-c', script, server, ...sources);
  const learned = await wire.line(`${server} to be learned`, (line) => {
    return line.event === 'learned' && line['server.address'] === server;
  });
  await child.stop('SIGKILL');
  return learned;
}

/** What an earlier run verified: to be written before ehlowire is started. */
export function remember(wire: Wire, ...servers: readonly string[]): void {
  const knowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
  const known = servers.map((address) => ({ server: { address, port: 25 }, knowledge, way: 'verified' }));
  mkdirSync(join(wire.folder, 'journal'), { recursive: true });
  const text = JSON.stringify({ schema: 2, servers: known, lost: 0 });
  writeFileSync(join(wire.folder, 'journal', 'servers.json'), text, { mode: 0o600 });
}

/** One message by one of the lab's clients, at the client's place. */
export async function deliver(
  { topology }: Wire,
  client: string,
  host: string,
  path: string,
  timeoutMs = 60_000,
): Promise<Result> {
  const program = [...NODE, join(__dirname, '../lab/wire/client.ts')] as const;
  const { output } = await topology.run(
    ...(['cli', timeoutMs + 10_000, ...program, client, host, path, String(timeoutMs)] as const),
  );
  return JSON.parse(output.slice(output.indexOf('{"ok"'))) as Result;
}

export interface Servers {
  /** The peers of the connections to an address, in the order of their coming, as `address,port`. */
  peers(address: string): readonly string[];
  /** SHA-256 of the messages, as they came on the wire without the dot that ends them, hex. */
  mails(address: string): readonly string[];
  /** Of all its connections that have ended, as they came on the wire. */
  octets(address: string): number;
  /** How connections ended: `quit`, `eof`, `reset`. */
  ends(address: string): readonly string[];
  stop(): Promise<void>;
}

export const LONE = '220-mx.dest.example ESMTP\\r\\n';
export const WHOLE = '220 mx.dest.example ESMTP\\r\\n';
export const [ONE, TWO, THREE, FOUR, FIVE, SIX] = ADDRESS.mta;
export const ONE6 = ADDRESS.mta6;

function readEvents(log: string): readonly LogLine[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [];
  return lines.map((line) => JSON.parse(line) as LogLine);
}

/** A bridge of its own: frames of all kinds pass. */
function makeFirewallAWire(name: string): void {
  const lines = ['link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0'];
  lines.push('link set out master br0', 'link set in master br0', 'link set br0 up');
  batch(`${name}-fw`, lines);
  // What is bridged must not see the rules of a machine that routes.
  const off = ['iptables', 'ip6tables', 'arptables'].map(
    (each) =>
      `[ ! -e /proc/sys/net/bridge/bridge-nf-call-${each} ] || echo 0 > /proc/sys/net/bridge/bridge-nf-call-${each}`,
  );
  const quiet = 'for k in all default br0; do echo 1 > /proc/sys/net/ipv6/conf/$k/disable_ipv6; done';
  inside(`${name}-fw`, 'sh', '-ec', [...off, quiet].join('\n'));
}

function offload(name: string, on: boolean): void {
  const words = ['tx', 'sg', 'gso', 'gro', 'tso'].flatMap((each) => [each, on ? 'on' : 'off']);
  for (const [place, device] of CABLE_ENDS) inside(`${name}-${place}`, 'ethtool', '-K', device, ...words);
}

const CABLE_ENDS: readonly (readonly [Place, string])[] = [
  ['cli', 'eth0'],
  ['fw', 'out'],
  ['fw', 'in'],
  ['shim', 'wan'],
  ['shim', 'lan'],
  ['mta', 'eth0'],
];

function batch(namespace: string, lines: readonly string[]): void {
  execFileSync('ip', ['-n', namespace, '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

function inside(namespace: string, command: string, ...args: readonly string[]): void {
  execFileSync('ip', ['netns', 'exec', namespace, command, ...args], { stdio: 'pipe' });
}
