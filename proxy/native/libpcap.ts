// libpcap through koffi: live captures. Declarations and typed results; no pointer leaves this file.

import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { createFault, isFault, type Fault } from '../system/fault';

export interface PcapOptions {
  readonly device: string;
  /** In the language of pcap-filter(7); the first one that the link type takes is used. */
  readonly filters: readonly string[];
  readonly snaplen: number;
  /** How long the kernel may wait for more frames before it hands over a block. */
  readonly blockMs: number;
  /** Octets of the kernel's ring. */
  readonly ring: number;
  /** Only frames that leave. Not a word of the filter: libpcap itself filters the first blocks, and knows no `outbound`. */
  readonly leaving?: boolean;
}

/** A frame's facts; its octets are in the handle's `buffer`. */
export interface PcapFrame {
  seconds: number;
  micros: number;
  captured: number;
  length: number;
}

export interface PcapHandle {
  /** LINKTYPE_ or DLT_: where they differ the reader of frames knows both. */
  readonly linkType: number;
  /** Where `next` puts octets; used again by each call. */
  readonly buffer: Uint8Array;
  /** Fills `frame` and `buffer`; false where no frame waits, a fault where the capture is over. */
  next(frame: PcapFrame): boolean | Fault;
  /** Replaces the filter; what has come by then stays. */
  filter(filters: readonly string[]): Fault | undefined;
  /** Puts a whole frame on the device. */
  send(frame: Uint8Array): Fault | undefined;
  /** Frames that came, and that found no room in the ring: totals, modulo 2^32. */
  stats(): { readonly received: number; readonly dropped: number };
  /** Calls back when frames may be waiting. The answer ends that. */
  whenReadable(callback: () => void): () => void;
  close(): void;
}

type Library = ReturnType<typeof declare>;

let library: Library | Fault | undefined;

/**
 * Opens a device for capture, non-blocking, with the kernel's own time stamps in microseconds. Faults:
 * `interface-unknown`, `capture-forbidden`, `library-missing`, `capture-failed`.
 */
export function openPcap(options: PcapOptions): PcapHandle | Fault {
  library ??= load();
  if (isFault(library)) return library;
  const lib = library;
  const error = Buffer.alloc(ERROR_OCTETS);
  const handle: unknown = lib.create(options.device, error);
  if (handle === null) return failed(options.device, text(error));
  const fault = activate(lib, handle, options);
  if (fault) {
    lib.close(handle);
    return fault;
  }
  return wrap(lib, handle, options);
}

function load(): Library | Fault {
  let koffi: typeof Koffi;
  try {
    koffi = createRequire(__filename)('koffi') as typeof Koffi;
  } catch (error) {
    return createFault('library-missing', 'koffi', { fix: KOFFI, cause: error });
  }
  try {
    return declare(koffi);
  } catch (error) {
    return createFault('library-missing', 'libpcap', { fix: LIBPCAP, cause: error });
  }
}

function declare(koffi: typeof Koffi) {
  const pcap = koffi.load('libpcap.so.0.8');
  koffi.opaque('pcap_t');
  const insns = koffi.struct('bpf_program', { bf_len: 'uint', bf_insns: 'void *' });
  koffi.struct('pcap_stat', { ps_recv: 'uint', ps_drop: 'uint', ps_ifdrop: 'uint' });
  return {
    koffi,
    insns,
    create: pcap.func('pcap_t *pcap_create(const char *source, _Out_ uint8_t *errbuf)'),
    snaplen: pcap.func('int pcap_set_snaplen(pcap_t *p, int snaplen)'),
    promisc: pcap.func('int pcap_set_promisc(pcap_t *p, int promisc)'),
    timeout: pcap.func('int pcap_set_timeout(pcap_t *p, int ms)'),
    ring: pcap.func('int pcap_set_buffer_size(pcap_t *p, int octets)'),
    activate: pcap.func('int pcap_activate(pcap_t *p)'),
    direction: pcap.func('int pcap_setdirection(pcap_t *p, int direction)'),
    nonblock: pcap.func('int pcap_setnonblock(pcap_t *p, int on, _Out_ uint8_t *errbuf)'),
    compile: pcap.func(
      'int pcap_compile(pcap_t *p, _Out_ bpf_program *fp, const char *s, int optimize, uint32_t netmask)',
    ),
    filter: pcap.func('int pcap_setfilter(pcap_t *p, bpf_program *fp)'),
    freecode: pcap.func('void pcap_freecode(bpf_program *fp)'),
    datalink: pcap.func('int pcap_datalink(pcap_t *p)'),
    fd: pcap.func('int pcap_get_selectable_fd(pcap_t *p)'),
    next: pcap.func('int pcap_next_ex(pcap_t *p, _Out_ uintptr_t *header, _Out_ uintptr_t *octets)'),
    inject: pcap.func('int pcap_inject(pcap_t *p, const uint8_t *octets, size_t length)'),
    stats: pcap.func('int pcap_stats(pcap_t *p, _Out_ pcap_stat *ps)'),
    error: pcap.func('const char *pcap_geterr(pcap_t *p)'),
    close: pcap.func('void pcap_close(pcap_t *p)'),
    // The process itself has it, whatever its C library is called.
    copy: koffi.load(null).func('void *memcpy(_Out_ uint8_t *to, uintptr_t from, size_t octets)'),
    long: koffi.sizeof('long'),
  };
}

/** Settings, start and filter, in the order that libpcap wants; says what it refused. */
function activate(lib: Library, handle: unknown, options: PcapOptions): Fault | undefined {
  lib.snaplen(handle, options.snaplen);
  // A mirror port hears what is not for it.
  lib.promisc(handle, 1);
  lib.timeout(handle, options.blockMs);
  lib.ring(handle, options.ring);
  const status = lib.activate(handle) as number;
  // Positive ones are warnings.
  if (status < 0) return refused(options.device, status, String(lib.error(handle)));
  const error = Buffer.alloc(ERROR_OCTETS);
  if (lib.nonblock(handle, 1, error) < 0) return failed(options.device, text(error));
  if (options.leaving && (lib.direction(handle, DIRECTION_OUT) as number) !== 0) {
    return failed(options.device, String(lib.error(handle)));
  }
  return setFilter(lib, handle, options);
}

function setFilter(lib: Library, handle: unknown, { device, filters }: PcapOptions): Fault | undefined {
  const program = {};
  if (!filters.some((each) => lib.compile(handle, program, each, 1, NETMASK_UNKNOWN) === 0)) {
    return failed(device, String(lib.error(handle)));
  }
  const refused = lib.filter(handle, program) !== 0;
  const why = refused ? String(lib.error(handle)) : '';
  lib.freecode(program);
  return refused ? failed(device, why) : undefined;
}

function wrap(lib: Library, handle: unknown, options: PcapOptions): PcapHandle {
  const { device, snaplen } = options;
  const [headerAt, octetsAt] = [new BigUint64Array(1), new BigUint64Array(1)];
  const header = new DataView(new ArrayBuffer(2 * lib.long + 8));
  const headerOctets = new Uint8Array(header.buffer);
  const buffer = new Uint8Array(snaplen);
  const long = (at: number): number =>
    lib.long === 8 ? Number(header.getBigInt64(at, true)) : header.getInt32(at, true);
  let stop = (): void => undefined;
  let open = true;
  return {
    linkType: lib.datalink(handle) as number,
    buffer,
    next(frame) {
      const got = lib.next(handle, headerAt, octetsAt) as number;
      if (got === 0) return false;
      if (got !== 1) return failed(device, String(lib.error(handle)));
      lib.copy(headerOctets, headerAt[0], headerOctets.length);
      frame.seconds = long(0);
      frame.micros = long(lib.long);
      frame.captured = Math.min(header.getUint32(2 * lib.long, true), snaplen);
      frame.length = header.getUint32(2 * lib.long + 4, true);
      lib.copy(buffer, octetsAt[0], frame.captured);
      return true;
    },
    filter: (filters) => setFilter(lib, handle, { ...options, filters }),
    send: (frame) =>
      (lib.inject(handle, frame, frame.length) as number) === frame.length
        ? undefined
        : failed(device, `no frame can be sent: ${String(lib.error(handle))}`),
    stats() {
      const stat = {} as { ps_recv?: number; ps_drop?: number };
      lib.stats(handle, stat);
      return { received: stat.ps_recv ?? 0, dropped: stat.ps_drop ?? 0 };
    },
    whenReadable(callback) {
      const poll = lib.koffi.node.poll(lib.fd(handle) as number, { readable: true }, callback);
      stop = () => poll.close();
      return () => stop();
    },
    close() {
      if (!open) return;
      open = false;
      stop();
      lib.close(handle);
    },
  };
}

function failed(device: string, fix: string): Fault {
  return createFault('capture-failed', device, { fix });
}

/** By the codes of pcap.h, PCAP_ERROR_…; what else there is says it in its own words. */
function refused(device: string, status: number, words: string): Fault {
  switch (status) {
    case -5:
      return createFault('interface-unknown', device);
    case -8:
    case -11:
      return createFault('capture-forbidden', device);
    case -9:
      return failed(device, `the interface is down: ip link set ${device} up`);
    default:
      return failed(device, words);
  }
}

function text(error: Buffer): string {
  return error.toString('utf8', 0, Math.max(0, error.indexOf(0)));
}

/** PCAP_ERRBUF_SIZE. */
const ERROR_OCTETS = 256;
/** PCAP_D_OUT. */
const DIRECTION_OUT = 2;
const NETMASK_UNKNOWN = 0xffff_ffff;
const KOFFI = 'live captures need it: npm install koffi (it was left out, or has no build for this machine)';
const LIBPCAP = 'live captures need it: apt install libpcap0.8';
