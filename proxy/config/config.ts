// The configuration: defaults, file, environment and flags laid over one another, judged, and typed.

import { availableParallelism, homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import convict from 'convict';
import { parseAddress, parseNetwork, type Address, type Network } from '../system/address';
import { FORMATS, type Setting } from './formats';
import { quote, readEnvironment, readFile, readFlags, readSets } from './layers';
import type { Environment, Layer, Overrides } from './layers';
import { allowed, convictSchema, SETTINGS, type ADDRESSES } from './schema';
import { readPolicy, type PolicyConfig } from './policy';
import { type Problem, readServers, type Repair, type ServerRepairs } from './servers';
import { createFault, isFault, type Fault } from '../system/fault';

export type { Repair };

/** RFC 8314 §3: STARTTLS or none, or TLS from the first octet on. */
type ImplicitTls = 'auto' | 'implicit';

export interface ListenerConfig {
  readonly listen: Address;
  /** Absent: the listener is transparent, and a connection goes to the server that its client meant. */
  readonly upstream: Address | undefined;
  readonly repair: Repair;
  /** `implicit`: TLS from the first octet on. `auto`: at port 465, and where the first octets say so. */
  readonly tls: ImplicitTls;
  /** Clients send a PROXY header: believed from `trustedProxies`, refused from everyone else. */
  readonly proxyIn: boolean;
  /** The PROXY header that the upstream is sent. */
  readonly proxyOut: 'v1' | 'v2' | undefined;
}

/**
 * How long the relay waits in each phase before it ends the connection, in milliseconds. The defaults are those
 * of RFC 5321 §4.5.3.2 and a minute more, so that the endpoints give up first and say why, not the relay.
 */
export interface TimeoutsMs {
  readonly connect: number;
  readonly proxyHeader: number;
  readonly greeting: number;
  readonly hello: number;
  readonly mail: number;
  readonly rcpt: number;
  readonly data: number;
  readonly block: number;
  readonly message: number;
  readonly command: number;
  readonly opaque: number;
}

/** How envelope addresses are written down, wherever they would be. */
export type AddressesInLog = (typeof ADDRESSES)[number];

export type Level = 'debug' | 'info' | 'warn' | 'error';

export interface LogConfig {
  /** Standard output where absent. */
  readonly file: string | undefined;
  readonly format: 'auto' | 'json' | 'pretty';
  readonly level: Level;
  readonly addresses: AddressesInLog;
}

export interface Config {
  readonly log: LogConfig;
  readonly greeting: {
    readonly repair: Repair;
    /** Of single servers: it outranks `repair`, and a listener's own. */
    readonly servers: ServerRepairs;
    readonly patienceMs: number;
    /** The name in a completing line where the server's own greeting has none. */
    readonly hostname: string;
  };
  readonly servers: {
    /** What is learned of servers is kept there; undefined: it ends with the process. */
    readonly file: string | undefined;
  };
  readonly evidence: {
    readonly watch: 'auto' | 'off';
    /** A capture interface, or `any`. */
    readonly interface: string;
    /** 0: no probes. */
    readonly probeAfterMs: number;
    /** Absent: none is written. */
    readonly folder: string | undefined;
    readonly connections: number;
    readonly octets: number;
  };
  readonly relay: {
    readonly listeners: readonly ListenerConfig[];
    readonly trustedProxies: readonly Network[];
    /** Processes that take its connections; 1: this process does. */
    readonly workers: number;
    readonly maxConnections: number;
    readonly drainMs: number;
    /** SO_MARK of transparent sockets; 0: none. */
    readonly mark: number;
    /** Folder; undefined: where this user's programs keep such. */
    readonly state: string | undefined;
    readonly timeoutsMs: TimeoutsMs;
  };
  readonly policy: PolicyConfig;
  readonly wire: {
    /** A folder in a bpffs. */
    readonly pins: string;
    readonly attach: 'auto' | 'tcx' | 'tc';
    /** Of servers that are looked at. */
    readonly ports: readonly number[];
    readonly ringOctets: number;
    /** Followed at a time. */
    readonly connections: number;
  };
  readonly deploy: {
    readonly bridge: string;
    readonly journal: string;
    /** Of frames for the relay; 0: none are. */
    readonly mark: number;
    readonly table: number;
    readonly priority: number;
  };
  /** What it was made from, by key: as a person would have to write it. */
  readonly values: ReadonlyMap<string, unknown>;
}

export type { Overrides };

/** Reads all layers. Every problem of every layer is a fault of its own. */
export function loadConfig(
  overrides: Overrides = {},
  env: Environment = process.env,
): Config | readonly Fault[] {
  const layers: Layer[] = [];
  const faults: Fault[] = [];
  const readings = [readFile(overrides.file), readEnvironment(env), readSets(overrides.set ?? [])];
  for (const reading of readings) {
    layers.push(reading.layer);
    faults.push(...reading.faults);
  }
  layers.push(readFlags(overrides.flags ?? []));
  if (faults.length > 0) return faults;
  return settle(layers, env);
}

/** Whether there is a terminal, and NO_COLOR is not set (no-color.org). */
export function wantsColor(fd: 1 | 2 = 1, env: Environment = process.env): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0';
  return isatty(fd) && env['TERM'] !== 'dumb';
}

/** Lays the layers over the defaults, judges every value, and only then believes them. */
function settle(layers: readonly Layer[], env: Environment): Config | readonly Fault[] {
  registerFormats();
  const settings = convict(convictSchema() as convict.Schema<Record<string, unknown>>, { args: [], env: {} });
  for (const { values } of layers) for (const [key, value] of values) settings.set(key, value);
  const get = (key: string): unknown => settings.get(key);
  const faults = SETTINGS.flatMap((setting) => judge(setting, get(setting.key), layers));
  if (faults.length > 0) return faults;
  settings.validate({ allowed: 'strict' });
  const given = layers
    .flatMap((layer) => [...layer.values.keys()])
    .filter((key) => key.startsWith('policy.'));
  const policy = readPolicy(get, Object.fromEntries(given.map((key) => [key, get(key)])));
  const values = new Map(SETTINGS.map(({ key }) => [key, get(key)]));
  const config: Config = { ...toConfig(get, env), policy, values };
  if (config.relay.mark !== 0 && config.relay.mark === config.deploy.mark) {
    return [createFault('bad-config', 'relay.mark and deploy.mark', { fix: MUST_DIFFER })];
  }
  return config.relay.listeners.some(({ proxyIn }) => proxyIn) && config.relay.trustedProxies.length === 0
    ? [createFault('bad-config', 'relay.trustedProxies', { fix: MUST_TRUST })]
    : config;
}

const MUST_DIFFER = 'must differ: what the relay sends would come back to it';
const MUST_TRUST = 'must name who may send the PROXY headers that a listener takes ("proxyProtocol": "in")';

function judge(setting: Setting, value: unknown, layers: readonly Layer[]): Fault[] {
  if (value === null && setting.default === null) return [];
  const problem = problemOf(setting, value);
  if (problem === undefined) return [];
  const { key } = setting;
  const from = layers.findLast(({ values }) => values.has(key))?.from(key) ?? 'by default';
  const on = `${key}${problem.at} = ${quote(problem.value)} (${from})`;
  return [createFault('bad-config', on, { fix: `must be ${problem.must}` })];
}

function problemOf(setting: Setting, value: unknown): Problem | undefined {
  const { format } = setting;
  const whole = {
    at: '',
    value,
    must: typeof format === 'string' ? allowed(setting) : `one of ${allowed(setting)}`,
  };
  if (typeof format !== 'string') return format.includes(value as string) ? undefined : whole;
  const problem = FORMATS[format].problem(value);
  return typeof problem === 'string' ? whole : problem;
}

let registered = false;

/** convict judges once more by itself: what it refuses here, `judge` has overlooked, which would be our bug. */
function registerFormats(): void {
  if (registered) return;
  registered = true;
  for (const [name, format] of Object.entries(FORMATS)) {
    const validate = (value: unknown): void => {
      if (format.problem(value) !== undefined) throw new Error(`must be ${format.takes}`);
    };
    convict.addFormat({ name, validate });
  }
}

function toConfig(get: (key: string) => unknown, env: Environment): Omit<Config, 'policy' | 'values'> {
  const number = (key: string): number => get(key) as number;
  const repair = get('greeting.repair') as Repair;
  const timeout = (name: keyof TimeoutsMs): number => number(`relay.timeouts.${name}`);
  const log = { format: get('log.format') as LogConfig['format'], level: get('log.level') as Level };
  const addresses = get('log.addresses') as AddressesInLog;
  return {
    log: { file: (get('log.file') as string | null) ?? undefined, ...log, addresses },
    greeting: {
      repair,
      servers: readServers(get('greeting.servers')),
      patienceMs: number('greeting.patience'),
      hostname: (get('greeting.hostname') as string | null) ?? hostname(),
    },
    servers: { file: toServersFile(get, env) },
    evidence: toEvidence(get),
    relay: {
      listeners: (get('relay.listeners') as RawListener[]).map((raw) => toListener(raw, repair)),
      trustedProxies: (get('relay.trustedProxies') as string[]).flatMap((text) => {
        const network = parseNetwork(text);
        return network === undefined ? [] : [network];
      }),
      workers: (get('relay.workers') as number | null) ?? Math.min(availableParallelism(), WORKERS),
      maxConnections: number('relay.maxConnections'),
      drainMs: number('relay.drain'),
      mark: number('relay.mark'),
      state: (get('relay.state') as string | null) ?? undefined,
      timeoutsMs: {
        connect: timeout('connect'),
        proxyHeader: timeout('proxyHeader'),
        greeting: timeout('greeting'),
        hello: timeout('hello'),
        mail: timeout('mail'),
        rcpt: timeout('rcpt'),
        data: timeout('data'),
        block: timeout('block'),
        message: timeout('message'),
        command: timeout('command'),
        opaque: timeout('opaque'),
      },
    },
    wire: {
      pins: get('wire.pins') as string,
      attach: get('wire.attach') as 'auto' | 'tcx' | 'tc',
      ports: get('wire.ports') as number[],
      ringOctets: number('wire.ring'),
      connections: number('wire.connections'),
    },
    deploy: {
      bridge: get('deploy.bridge') as string,
      journal: get('deploy.journal') as string,
      mark: number('deploy.mark'),
      table: number('deploy.table'),
      priority: number('deploy.priority'),
    },
  };
}

/** Of root beside the journal, where the wire's is; of others where the system keeps such for them. */
function toServersFile(get: (key: string) => unknown, env: Environment): string | undefined {
  const file = get('servers.file') as string | null;
  if (file !== null) return file === 'off' ? undefined : file;
  if (process.geteuid?.() === 0) return join(dirname(get('deploy.journal') as string), SERVERS_FILE);
  // systemd.exec(5), StateDirectory=: the first of a list.
  const [ofService] = env['STATE_DIRECTORY']?.split(':') ?? [];
  if (ofService) return join(ofService, SERVERS_FILE);
  // XDG Base Directory Specification: a relative path is ignored.
  const own = env['XDG_STATE_HOME'] ?? '';
  return join(own.startsWith('/') ? own : join(homedir(), '.local/state'), 'ehlowire', SERVERS_FILE);
}

function toEvidence(get: (key: string) => unknown): Config['evidence'] {
  const folder = get('evidence.folder') as string | null;
  return {
    watch: get('evidence.watch') as 'auto' | 'off',
    interface: get('evidence.interface') as string,
    probeAfterMs: get('evidence.probe') === 'off' ? 0 : (get('evidence.probeAfter') as number),
    folder: folder === null || folder === 'off' ? undefined : folder,
    connections: get('evidence.connections') as number,
    octets: (get('evidence.mebibytes') as number) * 2 ** 20,
  };
}

const SERVERS_FILE = 'servers.json';
/** The most by default. */
const WORKERS = 4;

interface RawListener {
  readonly listen: string;
  readonly upstream?: string;
  readonly transparent?: boolean;
  readonly proxyProtocol?: string;
  readonly repair?: Repair;
  readonly tls?: ImplicitTls;
}

/** Of a listener that was judged before. */
function toListener(raw: RawListener, repair: Repair): ListenerConfig {
  const listen = parseAddress(raw.listen);
  const upstream = raw.transparent === true ? undefined : parseAddress(raw.upstream ?? '');
  if (isFault(listen) || isFault(upstream)) throw new Error('a listener was believed before it was judged');
  const words = (raw.proxyProtocol ?? '').split(',').map((word) => word.trim());
  const out = words.includes('out-v2') ? 'v2' : words.includes('out-v1') ? 'v1' : undefined;
  return {
    listen,
    upstream,
    repair: raw.repair ?? repair,
    tls: raw.tls ?? 'auto',
    proxyIn: words.includes('in'),
    proxyOut: out,
  };
}
