// The program without any device: frames through BPF_PROG_TEST_RUN, and what comes out of its ring.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Direction } from '../../../inspect/events';
import { createTracker, type TrackerNews } from '../../../inspect/tracker/tracker';
import { openLibbpf, type BpfObject, type Libbpf } from '../../../proxy/native/libbpf';
import { formatFault, isFault, type Fault } from '../../../proxy/system/fault';
import { POLICY, SERVER, SERVER_KEY, SERVER_KEY_SIZE, SERVER_SIZE } from '../../../proxy/wire/abi';
import { OBJECT } from '../../../proxy/wire/wire';
import { readRecord, trackRecord, type WireRecord } from '../../../proxy/wire/records';
import { createTables, tableOf, type WireCounters, writeAddress } from '../../../proxy/wire/tables';
import { openRing, type Ring } from '../../../proxy/wire/ring';

export interface Program {
  /** Runs a frame as if it had come in by that leg; what went on, changed or not. */
  run(from: Direction, frame: Uint8Array): Uint8Array;
  /** What is in the ring, read; octets are copies. */
  records(): WireRecord[];
  setServer(address: string, port: number, policy: keyof typeof POLICY, lines?: number): void;
  server(address: string, port: number): { policy: number; contradicted: number } | undefined;
  /** What a map has for a key, of `size` octets; undefined: nothing. */
  read(map: string, key: Uint8Array, size: number): Uint8Array | undefined;
  write(map: string, key: Uint8Array, value: Uint8Array): void;
  counters(): WireCounters;
  /** Another reader of the same ring, as the next process has it. */
  readAgain(): Ring & { close(): void };
  /** Meanwhile the ring has no room, whatever is in it. */
  whileFull<T>(body: () => T): T;
  /** The kernel's number of what sees the frames of that side. */
  id(from: Direction): number;
  close(): void;
}

const RING = 1 << 22;
const CONNECTIONS = 1_024;

/** Why the program cannot be run here; undefined where it can. */
export function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync(OBJECT)) return `no ${OBJECT}: npm run build:wire`;
  const libbpf = openLibbpf();
  if (isFault(libbpf)) return formatFault(libbpf);
  try {
    execFileSync('bpftool', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'not installed: bpftool';
  }
}

/** Loads it afresh: no connection is known. */
export function loadProgram(
  ports: readonly number[] = [25],
  ringOctets = RING,
  connections = CONNECTIONS,
): Program {
  const bpf = sure(openLibbpf());
  const object = sure(bpf.load({ object: OBJECT, sizes: { ring: ringOctets, ...tableOf(connections) } }));
  const tables = createTables(bpf, object.map);
  tables.setPorts(ports);
  const open = (): ReturnType<Program['readAgain']> => sure(openRing(bpf, object.map));
  const ring = open();
  return {
    run: (from, frame) => run(bpf, object, from, frame),
    records: () => drain(ring),
    setServer(address, port, policy, lines = 0) {
      const value = Buffer.alloc(SERVER_SIZE);
      value[SERVER.policy] = POLICY[policy];
      value.writeUInt16LE(lines, SERVER.lines);
      const fault = bpf.write(object.map('servers'), keyOf(address, port), value);
      if (fault) throw new Error(formatFault(fault));
    },
    server(address, port) {
      const value = Buffer.alloc(SERVER_SIZE);
      if (!bpf.read(object.map('servers'), keyOf(address, port), value)) return undefined;
      return { policy: value[SERVER.policy] ?? 0, contradicted: value[SERVER.contradicted] ?? 0 };
    },
    read(map, key, size) {
      const value = Buffer.alloc(size);
      return bpf.read(object.map(map), key, value) ? value : undefined;
    },
    write(map, key, value) {
      const fault = bpf.write(object.map(map), key, value);
      if (fault) throw new Error(formatFault(fault));
    },
    counters: tables.counters,
    readAgain: open,
    whileFull(body) {
      const { size, consumer, producer, unmap } = sure(bpf.mapRing(object.map('ring')));
      const before = Atomics.load(consumer, 0);
      // As if the last one that was read lay a whole ring behind.
      Atomics.store(consumer, 0, Atomics.load(producer, 0) - BigInt(size));
      try {
        return body();
      } finally {
        Atomics.store(consumer, 0, before);
        unmap();
      }
    },
    id: (from) => bpf.programId(object.program(NAMES[from])) ?? NaN,
    close() {
      ring.close();
      object.close();
    },
  };
}

function run(bpf: Libbpf, object: BpfObject, from: Direction, frame: Uint8Array): Uint8Array {
  const result = sure(bpf.run(object.program(NAMES[from]), { frame }));
  if (result.verdict !== TC_ACT_UNSPEC) throw new Error(`verdict ${result.verdict}`);
  return result.frame;
}

function drain(ring: Ring): WireRecord[] {
  const records: WireRecord[] = [];
  // The ring's memory is used again: read from a copy.
  ring.drain((octets) => records.push(readRecord(octets.slice(), 0)), Infinity);
  return records;
}

function keyOf(address: string, port: number): Buffer {
  const key = Buffer.alloc(SERVER_KEY_SIZE);
  writeAddress(key, SERVER_KEY.address, address);
  key.writeUInt16LE(port, SERVER_KEY.port);
  return key;
}

function sure<T>(value: T): Exclude<T, Fault> {
  if (isFault(value)) throw new Error(formatFault(value));
  return value as Exclude<T, Fault>;
}

/** Records through a tracker, as the wire path does it. */
export function track(records: readonly WireRecord[], ports: readonly number[] = [25]): TrackerNews[] {
  const tracker = createTracker({ ports, implicitTlsPorts: [] });
  const news: TrackerNews[] = [];
  let last = 0;
  for (const record of records) {
    if (record.kind === 'odd') throw new Error(record.why);
    if (record.kind === 'segment') last = record.segment.at;
    news.push(...trackRecord(tracker, record));
  }
  // Somebody looks on for a while: what was overtaken would have come.
  return [...news, ...tracker.end(last + 1_000_000)];
}

const NAMES = { client: 'ehlowire_wan', server: 'ehlowire_lan' } as const;
const TC_ACT_UNSPEC = -1;
