// The program's maps, typed: settings, ports, servers, counters.

import { randomBytes } from 'node:crypto';
import type { Libbpf } from '../native/libbpf';
import { errno } from '../system/fault';
import type { Endpoint } from '../../inspect/address';
import {
  ABI,
  COMMON_KEY,
  COMMON_SIZE,
  COUNTER,
  CPU_SCRATCH,
  CPU_SCRATCH_SIZE,
  INDEX,
  POLICY,
  SERVER,
  SERVER_KEY,
  SERVER_KEY_SIZE,
  SERVER_SIZE,
  SETTINGS,
  SETTINGS_SIZE,
  WAYS,
} from './abi';
import ipaddr from 'ipaddr.js';

export type WirePolicy = 'unknown' | 'observe' | 'repair' | 'relay';

interface WireSettings {
  /** Of servers that are not in the table. */
  readonly unknown: WirePolicy;
  /** Where new connections to relayed servers are handed to. */
  readonly relay:
    | {
        /** Of the frames. */
        readonly mark: number;
        /** SO_MARK of the relay's sockets, which no other process's have; 0: any socket is taken. */
        readonly socketMark: number;
        readonly port: number;
        readonly mac: string;
      }
    | undefined;
}

export interface WireServer {
  readonly policy: WirePolicy;
  /** Of a truncated greeting: whole lines after which it stalls; 0: wherever a segment ends. */
  readonly lines: number;
  /** The program took its repair back. */
  readonly contradicted: boolean;
}

/** What became of an entry in the kernel's table. `refused`: by the kernel, and not because it is full. */
export type Held = 'ok' | 'full' | 'refused';

export type WireCounters = Readonly<Record<CounterName, number>>;
export type CounterName = keyof typeof COUNTER;

export interface Tables {
  /** The number of the ABI that the tables were made for. */
  abi(): number;
  configure(settings: WireSettings): void;
  /** These ports and no others: 64 at the most, as the configuration allows. */
  setPorts(ports: readonly number[]): void;
  /** `full`: the kernel has no room for another server. It stays counted in `unheld` until it is set or deleted. */
  setServer(server: Endpoint, value: Omit<WireServer, 'contradicted'>): Held;
  /** From now on what `settings.unknown` says holds for it; one that is not there is no error. */
  deleteServer(server: Endpoint): Exclude<Held, 'full'>;
  /** Servers that need an entry and found no room, as the process that runs counted them. */
  unheld(): number;
  server(server: Endpoint): WireServer | undefined;
  servers(): readonly (WireServer & { readonly server: Endpoint })[];
  counters(): WireCounters;
}

/** `fd` gives the descriptor of a map by its name. */
export function createTables(bpf: Libbpf, fd: (name: string) => number): Tables {
  /** Those that found no room, by their keys. */
  const unheld = new Set<string>();
  const settings = (): Buffer => {
    const value = Buffer.alloc(SETTINGS_SIZE);
    bpf.read(fd('settings'), ZERO, value);
    return value;
  };
  /** In the settings, where `status` of another process finds the number. */
  const count = (key: Buffer, held: boolean): void => {
    const before = unheld.size;
    if (held) unheld.delete(key.toString('latin1'));
    else if (before < MOST_KEYS) unheld.add(key.toString('latin1'));
    if (unheld.size === before) return;
    const value = settings();
    value.writeUInt32LE(unheld.size, SETTINGS.unheld);
    bpf.write(fd('settings'), ZERO, value);
  };
  return {
    abi: () => settings().readUInt32LE(SETTINGS.abi),
    configure: (wanted) => void bpf.write(fd('settings'), ZERO, packSettings(wanted, unheld.size)),
    setPorts(ports) {
      const index = Buffer.alloc(COMMON_SIZE);
      bpf.read(fd('commons'), INDEX_KEY, index);
      // Connections that are in the table were inserted with its seed.
      if (index.readBigUInt64LE(INDEX.seed) === 0n) randomBytes(8).copy(index, INDEX.seed);
      index.writeUInt32LE((bpf.entries(fd('sets')) ?? 1) - 1, INDEX.mask);
      index.fill(0, INDEX.ports);
      ports.forEach((port, i) => index.writeUInt16LE(port, INDEX.ports + 2 * i));
      bpf.write(fd('commons'), INDEX_KEY, index);
    },
    setServer(server, value) {
      const key = keyOf(server);
      const fault = bpf.write(fd('servers'), key, packServer(value));
      count(key, fault === undefined);
      if (fault === undefined) return 'ok';
      return errno(fault.cause) === 'E2BIG' ? 'full' : 'refused';
    },
    deleteServer(server) {
      const key = keyOf(server);
      count(key, true);
      const fault = bpf.remove(fd('servers'), key);
      return fault === undefined || errno(fault.cause) === 'ENOENT' ? 'ok' : 'refused';
    },
    unheld: () => settings().readUInt32LE(SETTINGS.unheld),
    server(server) {
      const value = Buffer.alloc(SERVER_SIZE);
      return bpf.read(fd('servers'), keyOf(server), value) ? readServer(value) : undefined;
    },
    servers() {
      const value = Buffer.alloc(SERVER_SIZE);
      return keysOf(bpf, fd('servers'), SERVER_KEY_SIZE).flatMap((key) => {
        if (!bpf.read(fd('servers'), key, value)) return [];
        const address = readAddress(key, SERVER_KEY.address);
        return [{ server: { address, port: key.readUInt16LE(SERVER_KEY.port) }, ...readServer(value) }];
      });
    },
    counters: () => readCounters(bpf, fd('cpu_scratch')),
  };
}

/**
 * How large the maps of connections are to be: sets are found by chance, and with room for twice as many hardly one of
 * them is full before all these are there.
 */
export function tableOf(connections: number): { readonly sets: number; readonly flows: number } {
  const sets = 2 ** Math.ceil(Math.log2(Math.max(1, (2 * connections) / WAYS)));
  return { sets, flows: sets * WAYS };
}

function packSettings({ unknown, relay }: WireSettings, unheld: number): Buffer {
  const value = Buffer.alloc(SETTINGS_SIZE);
  value.writeUInt32LE(ABI, SETTINGS.abi);
  value.writeUInt32LE(unheld, SETTINGS.unheld);
  value[SETTINGS.unknown] = NUMBER[unknown];
  if (!relay) return value;
  value.writeUInt32LE(relay.mark >>> 0, SETTINGS.relay_mark);
  value.writeUInt32LE(relay.socketMark >>> 0, SETTINGS.relay_socket_mark);
  value.writeUInt16LE(relay.port, SETTINGS.relay_port);
  Buffer.from(relay.mac.replaceAll(':', ''), 'hex').copy(value, SETTINGS.relay_mac);
  return value;
}

function packServer({ policy, lines }: Omit<WireServer, 'contradicted'>): Buffer {
  const value = Buffer.alloc(SERVER_SIZE);
  value[SERVER.policy] = NUMBER[policy];
  value.writeUInt16LE(Math.min(lines, 0xffff), SERVER.lines);
  return value;
}

function readServer(value: Buffer): WireServer {
  return {
    policy: NAMES[value[SERVER.policy] ?? 0] ?? 'unknown',
    lines: value.readUInt16LE(SERVER.lines),
    contradicted: value[SERVER.contradicted] !== 0,
  };
}

function keyOf({ address, port }: Endpoint): Buffer {
  const key = Buffer.alloc(SERVER_KEY_SIZE);
  writeAddress(key, SERVER_KEY.address, address);
  key.writeUInt16LE(port, SERVER_KEY.port);
  return key;
}

/** All keys, as they are now; what changes meanwhile may be missing. */
function keysOf(bpf: Libbpf, map: number, size: number): Buffer[] {
  const keys: Buffer[] = [];
  let next = Buffer.alloc(size);
  while (keys.length < MOST_KEYS && bpf.nextKey(map, keys[keys.length - 1], next)) {
    keys.push(next);
    next = Buffer.alloc(size);
  }
  return keys;
}

/** Each processor counts for itself. */
function readCounters(bpf: Libbpf, map: number): WireCounters {
  const all = Buffer.alloc(CPU_SCRATCH_SIZE * bpf.processors());
  bpf.read(map, ZERO, all);
  const entries = Object.entries(COUNTER).map(([name, index]) => {
    let sum = 0;
    for (let at = 0; at < all.length; at += CPU_SCRATCH_SIZE) {
      sum += Number(all.readBigUInt64LE(at + CPU_SCRATCH.counters + 8 * index));
    }
    return [name, sum];
  });
  return Object.fromEntries(entries) as WireCounters;
}

const NUMBER = {
  unknown: POLICY.POLICY_UNKNOWN,
  observe: POLICY.POLICY_OBSERVE,
  repair: POLICY.POLICY_REPAIR,
  relay: POLICY.POLICY_RELAY,
} as const;
const NAMES = ['unknown', 'observe', 'repair', 'relay'] as const;
const ZERO = Buffer.alloc(4);
/** An entry of the map `commons`. */
const INDEX_KEY = Buffer.from(Uint32Array.of(COMMON_KEY.COMMON_INDEX).buffer);
const MOST_KEYS = 65_536;

export function readAddress(octets: Uint8Array, at: number): string {
  const own = octets.subarray(at, at + LENGTH);
  if (MAPPED.every((octet, i) => own[i] === octet)) return own.subarray(MAPPED.length).join('.');
  return ipaddr.fromByteArray([...own]).toString();
}

export function writeAddress(octets: Uint8Array, at: number, address: string): void {
  const parsed = ipaddr.parse(address).toByteArray();
  octets.set(parsed.length === LENGTH ? parsed : [...MAPPED, ...parsed], at);
}

const LENGTH = 16;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] as const;
