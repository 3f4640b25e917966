// The program's life: loaded or taken over, its tables, let go of.

import { closeSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createFault, errno, isFault, type Fault } from '../system/fault';
import { makeFolder } from '../system/files';
import { openLibbpf, RIGHTS, type Libbpf } from '../native/libbpf';
import { ABI } from './abi';
import {
  attach,
  type Attached,
  type AttachedBy,
  BPFFS,
  folderOf,
  mountBpffs,
  type WirePlace,
} from './attachment';
import { openRing, type Ring } from './ring';
import { createTables, tableOf, type Tables } from './tables';

/** The compiled program, made by `npm run build:wire`: beside its source, and in the package at the same place. */
export const OBJECT = join(__dirname, 'bpf/ehlowire.bpf.o');

export interface WireOptions {
  /** A folder in a bpffs, of ehlowire's own. */
  readonly pins: string;
  /** Octets of the ring, a power of two; less than a page is made one. Of a program that is taken over its own size holds. */
  readonly ringOctets?: number;
  /** Connections that are followed at a time. */
  readonly connections?: number;
  /** How it is attached; `auto`: by tcx where the kernel has it. */
  readonly attach?: 'auto' | AttachedBy;
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
  if (isFault(bpf)) return bpf;
  if (!existsSync(OBJECT)) {
    return createFault('wire-refused', OBJECT, {
      fix: 'the compiled program is missing: npm run build:wire',
    });
  }
  const pins = folderOf(options.pins);
  const unmade = makePins(pins);
  if (unmade) return unmade;
  const adopted = existsSync(join(pins, 'settings'));
  const sizes = sizesOf(bpf, pins, options);
  const object = bpf.load({ object: OBJECT, pins, sizes });
  if (isFault(object)) return object;
  const ring = openRing(bpf, object.map);
  if (isFault(ring)) {
    object.close();
    return ring;
  }
  return {
    adopted,
    tables: createTables(bpf, object.map),
    ring,
    attach: (place) => attach(bpf, object, { ...place, pins: options.pins, how: options.attach ?? 'auto' }),
    close() {
      ring.close();
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
  if (isFault(bpf)) return bpf;
  const open = new Map<string, number>();
  const close = (): void => open.forEach((fd) => closeSync(fd));
  for (const name of ['settings', 'commons', 'servers', 'cpu_scratch']) {
    const fd = bpf.pinned(join(folderOf(pins), name));
    if (isFault(fd)) {
      close();
      return errno(fd.cause) === 'ENOENT' ? { kind: 'nothing' } : fd;
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
      fix: code === 'EACCES' ? RIGHTS : `the system said ${code}`,
    });
  }
}

/** What is pinned keeps its size; a map of another one could not be taken over. */
function sizesOf(bpf: Libbpf, pins: string, options: WireOptions): Record<string, number> {
  const sizes: Record<string, number> = {
    ring: options.ringOctets ?? RING,
    ...tableOf(options.connections ?? CONNECTIONS),
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
    const fix = `it must lie in a bpffs, and be ours: mount -t bpf bpf ${BPFFS}`;
    return createFault('wire-refused', pins, { cause, fix });
  }
}

/** 64 MiB: the dialogue of some ten thousand connections, should the process be away for a while. */
const RING = 1 << 26;
/** Some 34 MB. */
const CONNECTIONS = 65_536;
