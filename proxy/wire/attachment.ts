// Where the program is attached: by tcx links where the kernel has them, else by filters of a clsact qdisc.

import { closeSync, existsSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { createFault, errno, isFault, type Fault } from '../system/fault';
import { makeFolder } from '../system/files';
import { openLibbpf, type BpfObject, type Libbpf } from '../native/libbpf';
import type { TcFilter } from '../native/tc';
import { ABI } from './abi';
import { execFileSync } from 'node:child_process';

/** Where a program is to see frames: those of the leg that come in, or on the server's own interface both ways. */
export interface WirePlace {
  readonly device: string;
  readonly hook: 'ingress' | 'egress';
  readonly leg: 'wan' | 'lan';
}

export type AttachedBy = 'tcx' | 'tc';

export type Attached =
  { readonly by: 'tcx' } | { readonly by: 'tc'; readonly createdQdisc: boolean; readonly priority: number };

interface Wish extends WirePlace {
  readonly pins: string;
  /** How, where it is not attached yet; `auto`: by a link where the kernel has them. */
  readonly how: 'auto' | AttachedBy;
}

/**
 * In place of our own program of before, of whichever version, if there is one: no frame passes unseen in between.
 * Others' programs stay; links come before all of them, since one that lets a frame pass ends the row. Faults:
 * `interface-unknown`, `wire-refused`.
 */
export function attach(bpf: Libbpf, object: BpfObject, wish: Wish): Attached | Fault {
  const device = bpf.deviceIndex(wish.device);
  if (device === undefined) return createFault('interface-unknown', wish.device);
  const program = object.program(`ehlowire_${wish.leg}`);
  const attached =
    relink(bpf, wish, device, program) ??
    replaceFilter(bpf, wish, device, program) ??
    makeLink(bpf, wish, device, program) ??
    makeFilter(bpf, wish, device, program);
  if (isFault(attached)) return { ...attached, on: `${wish.device}: ${attached.on}` };
  forgetOthers(wish);
  return attached;
}

/** Pins of the links at a hook: one, and while a version replaces another, two. */
function linksOf(pins: string, { device, hook }: Pick<WirePlace, 'device' | 'hook'>): readonly string[] {
  const name = nameOf('link', { device, hook });
  return versionsOf(pins)
    .map((version) => join(pins, version, name))
    .filter((file) => existsSync(file));
}

/** Whether a link of ours is at the hook. Where the library cannot be asked, its pin says so. */
export function isLinked(pins: string, place: Pick<WirePlace, 'device' | 'hook'>): boolean {
  const bpf = openLibbpf();
  return linksOf(pins, place).some((file) => {
    const link = isFault(bpf) ? undefined : bpf.pinned(file);
    if (isFault(bpf) || typeof link !== 'number') return true;
    const device = bpf.linkedTo(link);
    closeSync(link);
    return device === bpf.deviceIndex(place.device);
  });
}

/** Takes the links at a hook away, and with them the program. */
export function removeLinks(pins: string, place: Pick<WirePlace, 'device' | 'hook'>): void {
  linksOf(pins, place).forEach((file) => rmSync(file, { force: true }));
}

/** Each version of the tables has its own folder: another one's could not be read. */
export function folderOf(pins: string): string {
  return join(pins, `v${ABI}`);
}

/** Our program into the link that is there; undefined: there is none, or its interface is gone. */
function relink(bpf: Libbpf, wish: Wish, device: number, program: number): Attached | Fault | undefined {
  for (const file of linksOf(wish.pins, wish)) {
    const link = bpf.pinned(file);
    if (isFault(link)) return link;
    try {
      if (bpf.linkedTo(link) !== device) {
        rmSync(file, { force: true });
        continue;
      }
      return bpf.relink(link, program) ?? pinLink(bpf, wish, link);
    } finally {
      closeSync(link);
    }
  }
  return undefined;
}

/** Our program into the filter that is there; undefined: there is none. */
function replaceFilter(
  bpf: Libbpf,
  wish: Wish,
  device: number,
  program: number,
): Attached | Fault | undefined {
  const own = ownPrograms(bpf, wish.pins);
  const before = placesOf(device, wish).find((filter) => own.has(bpf.attached(filter) ?? -1));
  if (before === undefined) return undefined;
  const refused = bpf.attach(before, program, true);
  if (refused) return refused;
  return (
    bpf.pin(program, freshPin('program', wish)) ?? {
      by: 'tc',
      createdQdisc: false,
      priority: before.priority,
    }
  );
}

/** Undefined: the kernel has no links there, or they are not wanted. */
function makeLink(bpf: Libbpf, wish: Wish, device: number, program: number): Attached | Fault | undefined {
  if (wish.how === 'tc') return undefined;
  const link = bpf.link({ device, hook: wish.hook }, program);
  if (isFault(link)) {
    if (errno(link.cause) !== 'EINVAL') return link;
    return wish.how === 'auto' ? undefined : { ...link, fix: NO_LINKS };
  }
  const pinned = pinLink(bpf, wish, link);
  closeSync(link);
  return pinned;
}

function makeFilter(bpf: Libbpf, wish: Wish, device: number, program: number): Attached | Fault {
  const createdQdisc = bpf.makeHook(device);
  if (isFault(createdQdisc)) return createdQdisc;
  let refused: Fault = createFault('wire-refused', 'tc filter', {
    fix: `the first ${PRIORITIES} priorities are taken`,
  });
  for (const filter of placesOf(device, wish)) {
    // Another program's, of the same kind; another kind refuses by itself.
    if (bpf.attached(filter) !== undefined) continue;
    const fault = bpf.attach(filter, program, false);
    if (fault) {
      refused = fault;
      continue;
    }
    return (
      bpf.pin(program, freshPin('program', wish)) ?? { by: 'tc', createdQdisc, priority: filter.priority }
    );
  }
  return refused;
}

function placesOf(device: number, { hook }: Wish): readonly TcFilter[] {
  return Array.from({ length: PRIORITIES }, (_, i) => ({ device, hook, priority: i + 1 }));
}

/** A link lives by its pin. */
function pinLink(bpf: Libbpf, wish: Wish, link: number): Attached | Fault {
  const file = join(folderOf(wish.pins), nameOf('link', wish));
  if (existsSync(file)) return { by: 'tcx' };
  return bpf.pin(link, freshPin('link', wish)) ?? { by: 'tcx' };
}

/** Makes way for a pin, by which the next process knows its own. */
function freshPin(kind: 'link' | 'program', wish: Wish): string {
  const file = join(folderOf(wish.pins), nameOf(kind, wish));
  makeFolder(folderOf(wish.pins), 0o700);
  rmSync(file, { force: true });
  return file;
}

/** What was replaced of another version goes, with its tables when nothing of it is attached any more. */
function forgetOthers(wish: Wish): void {
  const own = folderOf(wish.pins);
  for (const other of versionsOf(wish.pins).map((version) => join(wish.pins, version))) {
    if (other === own) continue;
    rmSync(join(other, nameOf('link', wish)), { force: true });
    rmSync(join(other, nameOf('program', wish)), { force: true });
    if (!readdirSync(other).some((name) => /^(link|program)_/.test(name))) {
      rmSync(other, { recursive: true, force: true });
    }
  }
}

/** The kernel's numbers of all programs that we pinned, of whichever version. */
function ownPrograms(bpf: Libbpf, pins: string): ReadonlySet<number> {
  const own = new Set<number>();
  for (const version of versionsOf(pins)) {
    for (const name of readdirSync(join(pins, version)).filter((each) => each.startsWith('program_'))) {
      const fd = bpf.pinned(join(pins, version, name));
      if (typeof fd !== 'number') continue;
      own.add(bpf.programId(fd) ?? -1);
      closeSync(fd);
    }
  }
  return own;
}

/** None where it was taken out by `leave` in the meantime: then nothing is ours. */
function versionsOf(pins: string): readonly string[] {
  return existsSync(pins) ? readdirSync(pins).filter((name) => /^v\d+$/.test(name)) : [];
}

function nameOf(kind: 'link' | 'program', { device, hook }: Pick<WirePlace, 'device' | 'hook'>): string {
  return `${kind}_${device.replace(/[^\w-]/g, '_')}_${hook}`;
}

const NO_LINKS = 'links came with Linux 6.6: take `--set wire.attach=auto`, which makes a filter here';
/** Places in a chain of filters that are tried. */
const PRIORITIES = 32;

/** Where it is mounted on every machine with systemd. */
export const BPFFS = '/sys/fs/bpf';

/** Whether a path, which must exist, lies in one. */
export function isBpffs(path: string): boolean {
  return statfsSync(path).type === MAGIC;
}

/** Mounts it where it belongs, if it is not there. Throws what the system said. */
export function mountBpffs(): void {
  if (!isBpffs(BPFFS)) execFileSync('flock', [LOCK, 'sh', '-c', MOUNT], { stdio: 'pipe' });
}

/** BPF_FS_MAGIC of linux/magic.h. */
const MAGIC = 0xcafe_4a11;
/** Of two mounts the later one would hide what was pinned in the earlier: looked at and mounted under one lock. */
const LOCK = '/sys/fs';
const MOUNT = `[ "$(stat -f -c %t ${BPFFS})" = ${MAGIC.toString(16)} ] || exec mount -t bpf bpf ${BPFFS}`;
