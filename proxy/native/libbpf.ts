// libbpf through koffi: programs, maps, pins, tc filters, a ring's memory. Typed results; no pointer leaves this file.

import { createRequire } from 'node:module';
import { getSystemErrorMap } from 'node:util';
import type * as Koffi from 'koffi';
import { createFault, type Fault } from '../system/fault';
import { deviceOfLink, hookOf, linkOpts, optsOf, programOf, TCX, type TcFilter, type TcHook } from './tc';

export interface LoadOptions {
  /** The compiled object (ELF). */
  readonly object: string;
  /** A folder in a bpffs: maps that are pinned there are taken over, the others are made and pinned. */
  readonly pins?: string;
  /** Entries of maps by name, where they differ from the object's. */
  readonly sizes?: Readonly<Record<string, number>>;
}

export interface BpfObject {
  /** Descriptors, by the names in the object. They are the object's: they end with it. */
  program(name: string): number;
  map(name: string): number;
  close(): void;
}

export interface RunOptions {
  readonly frame: Uint8Array;
  /** `struct __sk_buff`, as far as it is to be given. */
  readonly context?: Uint8Array;
}

/** A ring buffer (BPF_MAP_TYPE_RINGBUF) as the kernel has it. Positions are octets counted from the first record of all. */
export interface RingMemory {
  /** Octets, a power of two. */
  readonly size: number;
  /** Records before it are read: what is written here the kernel sees. */
  readonly consumer: BigInt64Array;
  /** Records before it are reserved. Neither it nor `data` may be written: that would end the process. */
  readonly producer: BigInt64Array;
  /** Twice in a row, so that a record that begins near the end goes on behind it. */
  readonly data: Uint8Array;
  unmap(): void;
}

export interface Libbpf {
  readonly version: string;
  load(options: LoadOptions): BpfObject | Fault;
  pin(fd: number, path: string): Fault | undefined;
  /** Opens what is pinned: a descriptor, to be closed by `fs.closeSync`. */
  pinned(path: string): number | Fault;
  /** Entries of a map. */
  entries(map: number): number | undefined;
  /** Processors that the machine may have: a map of which each has its own values gives so many. */
  processors(): number;
  /** The kernel's number of a program. */
  programId(fd: number): number | undefined;
  /** An interface's index in this network namespace. */
  deviceIndex(name: string): number | undefined;
  read(map: number, key: Uint8Array, value: Uint8Array): boolean;
  /** E2BIG: the map has no room for another key. */
  write(map: number, key: Uint8Array, value: Uint8Array): Fault | undefined;
  /** ENOENT: it was not there. */
  remove(map: number, key: Uint8Array): Fault | undefined;
  /** The key behind `key`, or the first one; false: there is none. */
  nextKey(map: number, key: Uint8Array | undefined, next: Uint8Array): boolean;
  /**
   * Puts a program there as a link (tcx), before all others. It ends with its last descriptor or pin. EINVAL: the
   * kernel has none (before 6.6).
   */
  link(hook: TcHook, program: number): number | Fault;
  /** Another program in a link's place: no frame passes in between. */
  relink(link: number, program: number): Fault | undefined;
  /** The index of a link's interface; 0: that is gone; undefined: it is no such link. */
  linkedTo(link: number): number | undefined;
  /** Makes the clsact qdisc; false: it was there. */
  makeHook(device: number): boolean | Fault;
  /** Puts a program there, in place of another one of ours with the same priority if `replace` says so. */
  attach(filter: TcFilter, program: number, replace: boolean): Fault | undefined;
  /** The program's id there; undefined: no such filter of ours. */
  attached(filter: TcFilter): number | undefined;
  /** Runs a program on a frame without any device: BPF_PROG_TEST_RUN. */
  run(program: number, options: RunOptions): { readonly verdict: number; readonly frame: Uint8Array } | Fault;
  mapRing(map: number): RingMemory | Fault;
}

type Library = ReturnType<typeof declare>;

let library: Libbpf | Fault | undefined;

/** Loads libbpf 1.x. Fault: `library-missing`. What it refuses is `wire-refused`, with the errno's name in its cause. */
export function openLibbpf(): Libbpf | Fault {
  library ??= open();
  return library;
}

function open(): Libbpf | Fault {
  let koffi: typeof Koffi;
  try {
    koffi = createRequire(__filename)('koffi') as typeof Koffi;
  } catch (error) {
    return createFault('library-missing', KOFFI, { fix: 'npm install koffi', cause: error });
  }
  try {
    const lib = declare(koffi);
    // By default it explains itself on stderr; what we need of it comes with the load.
    lib.setPrint(null);
    return wrap(lib);
  } catch (error) {
    return createFault('library-missing', 'libbpf.so.1', { fix: 'apt install libbpf1', cause: error });
  }
}

function declare(koffi: typeof Koffi) {
  const bpf = koffi.load('libbpf.so.1');
  const libc = koffi.load('libc.so.6');
  return {
    koffi,
    version: bpf.func('const char *libbpf_version_string()'),
    setPrint: bpf.func('void *libbpf_set_print(void *callback)'),
    openFile: bpf.func('void *bpf_object__open_file(const char *path, const uint8_t *opts)'),
    load: bpf.func('int bpf_object__load(void *object)'),
    close: bpf.func('void bpf_object__close(void *object)'),
    findMap: bpf.func('void *bpf_object__find_map_by_name(void *object, const char *name)'),
    nextMap: bpf.func('void *bpf_object__next_map(void *object, void *map)'),
    mapName: bpf.func('const char *bpf_map__name(void *map)'),
    mapFd: bpf.func('int bpf_map__fd(void *map)'),
    mapPin: bpf.func('int bpf_map__set_pin_path(void *map, const char *path)'),
    mapSize: bpf.func('int bpf_map__set_max_entries(void *map, uint32_t entries)'),
    findProgram: bpf.func('void *bpf_object__find_program_by_name(void *object, const char *name)'),
    programFd: bpf.func('int bpf_program__fd(void *program)'),
    objPin: bpf.func('int bpf_obj_pin(int fd, const char *path)'),
    objGet: bpf.func('int bpf_obj_get(const char *path)'),
    lookup: bpf.func('int bpf_map_lookup_elem(int fd, const uint8_t *key, _Out_ uint8_t *value)'),
    update: bpf.func(
      'int bpf_map_update_elem(int fd, const uint8_t *key, const uint8_t *value, uint64_t flags)',
    ),
    remove: bpf.func('int bpf_map_delete_elem(int fd, const uint8_t *key)'),
    nextKey: bpf.func('int bpf_map_get_next_key(int fd, const uint8_t *key, _Out_ uint8_t *next)'),
    processors: bpf.func('int libbpf_num_possible_cpus()'),
    linkCreate: bpf.func('int bpf_link_create(int program, int target, int type, const uint8_t *opts)'),
    linkUpdate: bpf.func('int bpf_link_update(int link, int program, const uint8_t *opts)'),
    hookCreate: bpf.func('int bpf_tc_hook_create(uint8_t *hook)'),
    attach: bpf.func('int bpf_tc_attach(const uint8_t *hook, uint8_t *opts)'),
    query: bpf.func('int bpf_tc_query(const uint8_t *hook, _Inout_ uint8_t *opts)'),
    testRun: bpf.func('int bpf_prog_test_run_opts(int fd, _Inout_ uint8_t *opts)'),
    info: bpf.func('int bpf_obj_get_info_by_fd(int fd, _Inout_ uint8_t *info, _Inout_ uint32_t *length)'),
    nameToIndex: libc.func('unsigned int if_nametoindex(const char *name)'),
    mmap: libc.func('void *mmap(void *at, size_t octets, int protection, int flags, int fd, int64_t offset)'),
    munmap: libc.func('int munmap(void *at, size_t octets)'),
    pageSize: libc.func('int getpagesize()'),
  };
}

function wrap(lib: Library): Libbpf {
  const outcome = (what: string, result: unknown): Fault | undefined =>
    (result as number) < 0 ? refused(what, result as number) : undefined;
  return {
    version: String(lib.version()),
    load: (options) => load(lib, options),
    pin: (fd, path) => outcome(`pin ${path}`, lib.objPin(fd, path)),
    pinned(path) {
      const fd = lib.objGet(path) as number;
      return fd < 0 ? refused(path, fd) : fd;
    },
    entries: (map) => infoOf(lib, map)?.readUInt32LE(MAP_ENTRIES),
    processors: () => lib.processors() as number,
    programId: (fd) => infoOf(lib, fd)?.readUInt32LE(PROGRAM_ID),
    deviceIndex: (name) => (lib.nameToIndex(name) as number) || undefined,
    read: (map, key, value) => lib.lookup(map, key, value) === 0,
    write: (map, key, value) => outcome('map update', lib.update(map, key, value, 0)),
    remove: (map, key) => outcome('map delete', lib.remove(map, key)),
    nextKey: (map, key, next) => lib.nextKey(map, key ?? null, next) === 0,
    link({ device, hook }, program) {
      const fd = lib.linkCreate(program, device, TCX[hook], linkOpts()) as number;
      return fd < 0 ? refused('tcx link', fd) : fd;
    },
    relink: (link, program) => outcome('tcx link', lib.linkUpdate(link, program, null)),
    linkedTo(link) {
      const info = infoOf(lib, link);
      return info && deviceOfLink(info);
    },
    makeHook(device) {
      const result = lib.hookCreate(hookOf(device, 'both')) as number;
      return result === -EEXIST ? false : (outcome('clsact qdisc', result) ?? true);
    },
    attach(filter, program, replace) {
      const opts = optsOf(filter, program, replace);
      return outcome('tc filter', lib.attach(hookOf(filter.device, filter.hook), opts));
    },
    attached(filter) {
      const opts = optsOf(filter);
      const found = lib.query(hookOf(filter.device, filter.hook), opts) === 0;
      return found ? programOf(opts) : undefined;
    },
    run: (program, options) => run(lib, program, options),
    mapRing: (map) => mapRing(lib, map),
  };
}

function load(lib: Library, { object, pins, sizes = {} }: LoadOptions): BpfObject | Fault {
  const log = Buffer.alloc(LOG_OCTETS);
  const handle: unknown = lib.openFile(object, openOpts(lib, log));
  if (handle === null)
    return createFault('wire-refused', object, { fix: 'it is not a BPF object that libbpf can read' });
  for (let map: unknown = lib.nextMap(handle, null); map !== null; map = lib.nextMap(handle, map)) {
    const name = String(lib.mapName(map));
    const size = sizes[name];
    if (size !== undefined) lib.mapSize(map, size);
    // Sections such as .rodata are maps as well, and nothing to keep.
    if (pins !== undefined && !name.includes('.')) lib.mapPin(map, `${pins}/${name}`);
  }
  const result = lib.load(handle) as number;
  if (result < 0) {
    lib.close(handle);
    return refused(object, result, lastLines(log));
  }
  return {
    program: (name) => descriptor(lib.programFd(lib.findProgram(handle, name)), name),
    map: (name) => descriptor(lib.mapFd(lib.findMap(handle, name)), name),
    close: () => lib.close(handle),
  };
}

function descriptor(fd: unknown, name: string): number {
  if (typeof fd !== 'number' || fd < 0) throw new Error(`no ${name} in the BPF object`);
  return fd;
}

/** `struct bpf_map_info`, `bpf_prog_info` or `bpf_link_info`, as far as it goes. */
function infoOf(lib: Library, fd: number): Buffer | undefined {
  const info = Buffer.alloc(INFO_OCTETS);
  return lib.info(fd, info, [info.length]) === 0 ? info : undefined;
}

/** `struct bpf_object_open_opts`: only where the verifier's words go. */
function openOpts(lib: Library, log: Buffer): Buffer {
  const opts = Buffer.alloc(OPEN_OPTS);
  opts.writeBigUInt64LE(BigInt(OPEN_OPTS), 0);
  opts.writeBigUInt64LE(addressOf(lib, log), OPEN_LOG);
  opts.writeBigUInt64LE(BigInt(log.length), OPEN_LOG + 8);
  return opts;
}

/** `struct bpf_test_run_opts`. */
function run(lib: Library, program: number, { frame, context }: RunOptions): ReturnType<Libbpf['run']> {
  const input = Buffer.from(frame);
  const output = Buffer.alloc(frame.length + HEADROOM);
  const given = context === undefined ? undefined : Buffer.from(context);
  const opts = Buffer.alloc(RUN_OPTS);
  opts.writeBigUInt64LE(BigInt(RUN_OPTS), 0);
  opts.writeBigUInt64LE(addressOf(lib, input), 8);
  opts.writeBigUInt64LE(addressOf(lib, output), 16);
  opts.writeUInt32LE(input.length, 24);
  opts.writeUInt32LE(output.length, 28);
  if (given) opts.writeBigUInt64LE(addressOf(lib, given), 32);
  opts.writeUInt32LE(given?.length ?? 0, 48);
  const result = lib.testRun(program, opts) as number;
  if (result < 0) return refused('test run', result);
  return { verdict: opts.readInt32LE(56), frame: output.subarray(0, opts.readUInt32LE(28)) };
}

/** One page with the reader's position, one with the program's, then the records: kernel/bpf/ringbuf.c. */
function mapRing(lib: Library, map: number): RingMemory | Fault {
  const { koffi, mmap, munmap } = lib;
  const page = lib.pageSize() as number;
  const size = infoOf(lib, map)?.readUInt32LE(MAP_ENTRIES) ?? 0;
  const octets = page + 2 * size;
  const first: unknown = mmap(null, page, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  const rest: unknown = mmap(null, octets, PROT_READ, MAP_SHARED, map, page);
  const unmap = (): void => {
    if (!isFailed(first)) munmap(first, page);
    if (!isFailed(rest)) munmap(rest, octets);
  };
  if (isFailed(first) || isFailed(rest)) {
    unmap();
    return createFault('wire-refused', 'map memory', { fix: 'mmap failed' });
  }
  const memory = koffi.view(rest, octets);
  return {
    size,
    consumer: new BigInt64Array(koffi.view(first, page), 0, 1),
    producer: new BigInt64Array(memory, 0, 1),
    data: new Uint8Array(memory, page),
    unmap,
  };
}

function isFailed(pointer: unknown): boolean {
  return pointer === null || pointer === MAP_FAILED;
}

function addressOf({ koffi }: Library, buffer: Buffer): bigint {
  return BigInt(koffi.address(buffer));
}

function refused(what: string, result: number, log = ''): Fault {
  const [code, words] = getSystemErrorMap().get(result) ?? [`errno ${-result}`, 'refused'];
  const fix = log === '' ? words : `${words}: ${log}`;
  return createFault('wire-refused', what, {
    fix: code === 'EPERM' ? RIGHTS : fix,
    cause: Object.assign(new Error(fix), { code }),
  });
}

/** What the verifier said last tells why. */
function lastLines(log: Buffer): string {
  const text = log.toString('latin1', 0, Math.max(0, log.indexOf(0)));
  return text.trim().split('\n').slice(-3).join('; ').slice(0, 400);
}

export const KOFFI = 'koffi';
export const RIGHTS = 'it needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON';

const EEXIST = 17;
const OPEN_OPTS = 80;
/** `kernel_log_buf`, behind sz, object_name, relaxed_maps, pin_root_path, a reserved word, kconfig and btf_custom_path. */
const OPEN_LOG = 56;
const LOG_OCTETS = 65_536;
const RUN_OPTS = 80;
const INFO_OCTETS = 64;
const MAP_ENTRIES = 16;
const PROGRAM_ID = 4;
const HEADROOM = 64;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
