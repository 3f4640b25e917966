// The program's life: loaded or taken over, attached, told from others'.

import { closeSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createFault, errno, isFault, type Fault } from '../fault';
import { makeFolder } from '../folder';
import { isTrouble, openLibbpf, type BpfObject, type BpfTrouble, type Libbpf } from '../native/libbpf';
import { ABI } from './abi';
import { BPFFS, mountBpffs } from './bpffs';
import { OBJECT } from './object';
import { createRing, type Ring } from './ring';
import { createTables, type Tables } from './tables';

export interface WireOptions {
  /** A folder in a bpffs, of ehlowire's own. */
  readonly pins: string;
  /** Octets of the ring, a power of two. Of a program that is taken over its own size holds. */
  readonly ringOctets?: number;
  /** Connections that are followed at a time. */
  readonly connections?: number;
}

/** Where a program is to see frames: those of the leg that come in, or on the server's own interface both ways. */
export interface WirePlace {
  readonly device: string;
  readonly hook: 'ingress' | 'egress';
  readonly leg: 'wan' | 'lan';
}

export interface Attached {
  readonly createdQdisc: boolean;
  readonly priority: number;
}

export interface Wire {
  /** Its tables were there: connections, policies and counters of the process before go on. */
  readonly adopted: boolean;
  readonly tables: Tables;
  readonly ring: Ring;
  /** In place of our own program of before, if there is one: no frame passes unseen in between. */
  attach(place: WirePlace): Attached | Fault;
  /** Lets go of it; what is attached and pinned stays. */
  close(): void;
}

/** Faults: `library-missing`, `wire-refused`. */
export function openWire(options: WireOptions): Wire | Fault {
  const bpf = openLibbpf();
  if (isTrouble(bpf)) return faultOf(bpf);
  if (!existsSync(OBJECT)) {
    return createFault('wire-refused', OBJECT, {
      mend: 'the compiled program is missing: npm run build:wire',
    });
  }
  const pins = folderOf(options.pins);
  const trouble = makePins(pins);
  if (trouble) return trouble;
  const adopted = existsSync(join(pins, 'settings'));
  const sizes = sizesOf(bpf, pins, options);
  const object = bpf.load({ object: OBJECT, pins, sizes });
  if (isTrouble(object)) return faultOf(object);
  const memory = bpf.mapRing(object.map('ring'), sizes['ring'] ?? RING);
  if (isTrouble(memory)) {
    object.close();
    return faultOf(memory);
  }
  return {
    adopted,
    tables: createTables(bpf, object.map),
    ring: createRing(memory, sizes['ring'] ?? RING),
    attach: (place) => attach(bpf, object, options.pins, place),
    close() {
      memory.unmap();
      object.close();
    },
  };
}

/** What is pinned, for who only reads. */
export type Pinned =
  | { readonly kind: 'tables'; readonly tables: Tables; close(): void }
  /** Of other versions of this program, whose tables have another form: their numbers. */
  | { readonly kind: 'other-version'; readonly versions: readonly number[] }
  | { readonly kind: 'nothing' };

/** It changes nothing. Faults: `library-missing`, `wire-refused`. */
export function readWire(pins: string): Pinned | Fault {
  const versions = versionsIn(pins);
  if (isFault(versions)) return versions;
  if (versions.length === 0) return { kind: 'nothing' };
  if (!versions.includes(ABI)) return { kind: 'other-version', versions };
  const bpf = openLibbpf();
  if (isTrouble(bpf)) return faultOf(bpf);
  const open = new Map<string, number>();
  const close = (): void => open.forEach((fd) => closeSync(fd));
  for (const name of ['settings', 'ports', 'servers', 'hands']) {
    const fd = bpf.pinned(join(folderOf(pins), name));
    if (isTrouble(fd)) {
      close();
      return fd.code === 'ENOENT' ? { kind: 'nothing' } : faultOf(fd);
    }
    open.set(name, fd);
  }
  return { kind: 'tables', tables: createTables(bpf, (name) => open.get(name) ?? -1), close };
}

/** Versions of the tables that have a folder there. */
function versionsIn(pins: string): readonly number[] | Fault {
  try {
    return readdirSync(pins).flatMap((name) => {
      const [, version] = /^v(\d+)$/.exec(name) ?? [];
      return version === undefined ? [] : [Number(version)];
    });
  } catch (cause) {
    const code = errno(cause);
    if (code === 'ENOENT') return [];
    return createFault('wire-refused', pins, {
      cause,
      mend: code === 'EACCES' ? RIGHTS : `the system said ${code}`,
    });
  }
}

function attach(bpf: Libbpf, object: BpfObject, pins: string, place: WirePlace): Attached | Fault {
  const device = bpf.deviceIndex(place.device);
  if (device === undefined) return createFault('interface-unknown', place.device);
  const made = bpf.makeHook(device);
  if (isTrouble(made)) return faultOf({ ...made, what: `${place.device}: ${made.what}` });
  const program = object.program(`ehlowire_${place.leg}`);
  const filters = Array.from({ length: PRIORITIES }, (_, i) => ({
    device,
    hook: place.hook,
    priority: i + 1,
  }));
  const own = ownPrograms(bpf, pins);
  const before = filters.find((filter) => own.has(bpf.attached(filter) ?? -1));
  let refused: BpfTrouble | undefined;
  for (const filter of before ? [before] : filters) {
    // Somebody else's, of our kind; another kind refuses by itself.
    if (!before && bpf.attached(filter) !== undefined) continue;
    refused = bpf.attach(filter, program, before !== undefined);
    if (refused) continue;
    pinProgram(bpf, program, pins, place);
    return { createdQdisc: made, priority: filter.priority };
  }
  const mend = `the first ${PRIORITIES} are taken`;
  return refused
    ? faultOf({ ...refused, what: `${place.device}: ${refused.what}` })
    : createFault('wire-refused', `${place.device}: no tc filter`, { mend });
}

/** Pins what is attached, so that the next process knows its own; what it replaced of another version goes. */
function pinProgram(bpf: Libbpf, program: number, pins: string, { device, hook }: WirePlace): void {
  const own = folderOf(pins);
  const name = `program_${device.replace(/[^\w-]/g, '_')}_${hook}`;
  makeFolder(own, 0o700);
  rmSync(join(own, name), { force: true });
  bpf.pin(program, join(own, name));
  for (const other of readdirSync(pins).map((version) => join(pins, version))) {
    if (other === own) continue;
    rmSync(join(other, name), { force: true });
    if (!readdirSync(other).some(isProgram)) rmSync(other, { recursive: true, force: true });
  }
}

function isProgram(name: string): boolean {
  return name.startsWith('program_');
}

/** The kernel's numbers of all programs that we pinned, of whichever version. */
function ownPrograms(bpf: Libbpf, pins: string): ReadonlySet<number> {
  const own = new Set<number>();
  // Taken out by `leave` in the meantime: then nothing is ours.
  if (!existsSync(pins)) return own;
  for (const version of readdirSync(pins)) {
    for (const name of readdirSync(join(pins, version)).filter(isProgram)) {
      const fd = bpf.pinned(join(pins, version, name));
      if (typeof fd !== 'number') continue;
      own.add(bpf.programId(fd) ?? -1);
      closeSync(fd);
    }
  }
  return own;
}

/** Each version of the tables has its own folder: another one's could not be read. */
function folderOf(pins: string): string {
  return join(pins, `v${ABI}`);
}

/** What is pinned keeps its size; a map of another one could not be taken over. */
function sizesOf(bpf: Libbpf, pins: string, options: WireOptions): Record<string, number> {
  const sizes: Record<string, number> = {
    ring: options.ringOctets ?? RING,
    ...(options.connections !== undefined && { flows: options.connections }),
  };
  for (const name of Object.keys(sizes)) {
    const fd = bpf.pinned(join(pins, name));
    if (typeof fd !== 'number') continue;
    sizes[name] = bpf.entries(fd) ?? sizes[name] ?? 0;
    closeSync(fd);
  }
  return sizes;
}

/** A bpffs is there on every machine with systemd; elsewhere it is mounted where it belongs. */
function makePins(pins: string): Fault | undefined {
  try {
    if (pins.startsWith(`${BPFFS}/`)) mountBpffs();
    makeFolder(pins, 0o700);
    return undefined;
  } catch (cause) {
    const mend = `it must lie in a bpffs, and be ours: mount -t bpf bpf ${BPFFS}`;
    return createFault('wire-refused', pins, { cause, mend });
  }
}

function faultOf({ kind, what, text, code }: BpfTrouble): Fault {
  if (kind === 'no-koffi') return createFault('library-missing', 'koffi', { mend: 'npm install koffi' });
  if (kind === 'no-libbpf') {
    return createFault('library-missing', 'libbpf.so.1', { mend: 'apt install libbpf1' });
  }
  return createFault('wire-refused', what, { mend: code === 'EPERM' ? RIGHTS : text });
}

const RIGHTS = 'it needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON';
/** 64 MiB: the dialogue of some ten thousand connections, should the process be away for a while. */
const RING = 1 << 26;
/** Places in a chain of filters that are tried. */
const PRIORITIES = 32;
