// libc, as far as Node does not offer it: socket options, transparent sockets. No pointer leaves here.

import { createRequire } from 'node:module';
import type { Server, Socket } from 'node:net';
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import ipaddr from 'ipaddr.js';
import type * as Koffi from 'koffi';

/** How a kernel probes an idle peer for us (tcp(7)); seconds. */
interface KeepAlive {
  /** Idle time before the first probe. */
  readonly idle: number;
  /** Between probes that are not answered. */
  readonly interval: number;
  /** Unanswered probes before the kernel ends the connection. */
  readonly count: number;
}

/** An IP address without brackets or zone, and a port; 0 lets the system choose. */
export interface SocketAddress {
  readonly address: string;
  readonly port: number;
}

/** What the system refused. `code` is the errno's name, or `no-koffi` where there is no way to ask. */
export interface Refusal {
  readonly kind: 'refusal';
  readonly call:
    | 'koffi'
    | 'socket'
    | 'setsockopt'
    | 'bind'
    | 'connect'
    | 'listen'
    | 'epoll_create1'
    | 'if_nametoindex'
    | 'sendto';
  readonly code: string;
}

/** A transparent connection that is on its way. The descriptor is the caller's to close. */
export interface Dial {
  readonly fd: number;
  /** Where it comes from, as the system bound it. */
  readonly port: number;
  /** Calls back once, with the errno's name where the connection failed. The answer ends the waiting. */
  whenSettled(callback: (code: string | undefined) => void): () => void;
}

/**
 * Sets a socket's keep-alive in full. Node cannot: libuv (1.46) goes with any idle time to one probe a second
 * and ten in all, so that ten seconds of outage would end a connection. False where koffi is missing or the
 * socket is gone; the option errors of a live TCP socket do not occur.
 */
export function setKeepAlive(socket: Socket, { idle, interval, count }: KeepAlive): boolean {
  const fd = descriptorOf(socket);
  const c = libc();
  if (fd === undefined || c === undefined) return false;
  const options: readonly Option[] = [
    [IPPROTO_TCP, TCP_KEEPIDLE, idle],
    [IPPROTO_TCP, TCP_KEEPINTVL, interval],
    [IPPROTO_TCP, TCP_KEEPCNT, count],
    [SOL_SOCKET, SO_KEEPALIVE, 1],
  ];
  return options.every((option) => setOption(c, fd, option) === 0);
}

/**
 * Closing the socket will send RST, whatever state it is in (socket(7), SO_LINGER with no time). Where koffi is
 * missing this does nothing, and the peer sees FIN.
 */
export function resetOnClose(socket: Socket): void {
  const fd = descriptorOf(socket);
  if (fd !== undefined) libc()?.setsockopt(fd, SOL_SOCKET, SO_LINGER, [1, 0], LINGER);
}

/**
 * A bound socket, not yet listening, that takes connections to any address which the kernel hands to it (ip(7),
 * IP_TRANSPARENT). Its answers carry `mark`, and so do the sockets that it accepts; 0 is none.
 */
export function bindTransparent(
  local: SocketAddress,
  { ipv6Only, mark }: { readonly ipv6Only: boolean; readonly mark: number },
): number | Refusal {
  return withSocket(local.address, (c, fd) => {
    const six: readonly Option[] = isIPv6(local.address)
      ? [[IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only ? 1 : 0]]
      : [];
    const refused = setAll(c, fd, [...six, ...transparentOptions(mark)]);
    return refused ?? bind(c, fd, local) ?? fd;
  });
}

/** Starts a connection from another host's address. Port 0 of `from` is one that is free. */
export function dialTransparent(from: SocketAddress, to: SocketAddress, mark: number): Dial | Refusal {
  return withSocket(from.address, (c, fd) => {
    // Only with the whole connection known is a port taken: each server may see the same one.
    const late: readonly Option[] = from.port === 0 ? [[IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1]] : [];
    const refused = setAll(c, fd, [...transparentOptions(mark), ...late]) ?? bind(c, fd, from);
    if (refused !== undefined) return refused;
    const address = socketAddress(to);
    if (c.connect(fd, address, address.length) !== 0 && c.koffi.errno() !== EINPROGRESS) {
      return refusal(c, 'connect');
    }
    return { fd, port: localPort(c, fd), whenSettled: (callback) => whenSettled(c, fd, callback) };
  });
}

/** Connections that wait to be accepted; 0 where that cannot be found out. */
export function countWaiting(server: Server): number {
  const fd = descriptorOf(server);
  const c = libc();
  if (fd === undefined || c === undefined) return 0;
  const info = new Uint8Array(TCP_INFO_OCTETS);
  if (c.getsockoptOctets(fd, IPPROTO_TCP, TCP_INFO, info, [info.length]) !== 0) return 0;
  return new DataView(info.buffer).getUint32(TCPI_UNACKED, endianness() === 'LE');
}

/** Accepts one connection, not blocking; undefined where none waits, or there is no descriptor for it. */
export function acceptDescriptor(server: Server): number | undefined {
  const fd = descriptorOf(server);
  const c = libc();
  return fd === undefined || c === undefined ? undefined : acceptFrom(c, fd);
}

/** The same, by the listener's descriptor. */
export function acceptFrom(c: Libc, listener: number): number | undefined {
  const fd = c.accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return fd >= 0 ? fd : undefined;
}

/** For a descriptor that no socket of Node's has taken over. */
export function closeDescriptor(fd: number): void {
  libc()?.close(fd);
}

function whenSettled(c: Libc, fd: number, callback: (code: string | undefined) => void): () => void {
  let settled = false;
  const stop = (): void => {
    if (settled) return;
    settled = true;
    poll.close();
  };
  const poll = c.koffi.node.poll(fd, { writable: true }, () => {
    stop();
    const [value, length] = [[0], [INT]];
    c.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length);
    callback(value[0] === 0 ? undefined : errnoName(c, value[0]));
  });
  return stop;
}

/** A non-blocking TCP socket for what `make` does with it; closed again where that is refused. */
export function withSocket<T>(address: string, make: (c: Libc, fd: number) => T | Refusal): T | Refusal {
  const c = libc();
  if (c === undefined) return { kind: 'refusal', call: 'koffi', code: 'no-koffi' };
  const family = isIPv6(address) ? AF_INET6 : AF_INET;
  const fd = c.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return refusal(c, 'socket');
  const made = make(c, fd);
  if (isRefusal(made)) c.close(fd);
  return made;
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'refusal';
}

function transparentOptions(mark: number): readonly Option[] {
  const options: Option[] = [
    [SOL_SOCKET, SO_REUSEADDR, 1],
    // One flag for both families, whatever the socket's own is.
    [IPPROTO_IP, IP_TRANSPARENT, 1],
  ];
  if (mark !== 0) options.push([SOL_SOCKET, SO_MARK, mark | 0]);
  return options;
}

export function setAll(c: Libc, fd: number, options: readonly Option[]): Refusal | undefined {
  return options.every((option) => setOption(c, fd, option) === 0) ? undefined : refusal(c, 'setsockopt');
}

export function bind(c: Libc, fd: number, local: SocketAddress): Refusal | undefined {
  const address = socketAddress(local);
  return c.bind(fd, address, address.length) === 0 ? undefined : refusal(c, 'bind');
}

/** The port stands at the same place in both families' addresses. */
export function localPort(c: Libc, fd: number): number {
  const address = new Uint8Array(SOCKADDR_IN6);
  c.getsockname(fd, address, [address.length]);
  return new DataView(address.buffer).getUint16(2);
}

/** `struct sockaddr_in` or `sockaddr_in6`: the family in the machine's order, the rest in the network's. */
export function socketAddress({ address, port }: SocketAddress): Uint8Array {
  const octets = ipaddr.parse(address).toByteArray();
  const six = octets.length === 16;
  const bytes = new Uint8Array(six ? SOCKADDR_IN6 : SOCKADDR_IN);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, six ? AF_INET6 : AF_INET, endianness() === 'LE');
  view.setUint16(2, port);
  bytes.set(octets, six ? 8 : 4);
  return bytes;
}

function isIPv6(address: string): boolean {
  return address.includes(':');
}

export function refusal(c: Libc, call: Refusal['call']): Refusal {
  return { kind: 'refusal', call, code: errnoName(c) };
}

/** `ECONNRESET` and so on; by default of the last call. */
export function errnoName(c: Libc, errno = c.koffi.errno()): string {
  return getSystemErrorName(-errno);
}

type Option = readonly [level: number, name: number, value: number];

function setOption(c: Libc, fd: number, [level, name, value]: Option): number {
  return c.setsockopt(fd, level, name, [value], INT);
}

export interface Libc {
  readonly koffi: typeof Koffi;
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: number[], length: number): number;
  getsockopt(fd: number, level: number, name: number, value: number[], length: number[]): number;
  getsockoptOctets(fd: number, level: number, name: number, value: Uint8Array, length: number[]): number;
  accept4(fd: number, address: null, length: null, flags: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  sched_setscheduler(thread: number, policy: number, parameters: number[]): number;
  getsockname(fd: number, address: Uint8Array, length: number[]): number;
  if_nametoindex(name: string): number;
  sendto(
    fd: number,
    octets: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  close(fd: number): number;
}

let loaded: Libc | undefined | null = null;

/** Undefined where koffi is missing: it is optional, and a machine without it relays on. */
export function libc(): Libc | undefined {
  if (loaded !== null) return loaded;
  let koffi: typeof Koffi;
  let so: Koffi.LibraryHandle;
  try {
    koffi = createRequire(__filename)('koffi') as typeof Koffi;
    so = koffi.load('libc.so.6');
  } catch {
    return (loaded = undefined);
  }
  return (loaded = declare(koffi, so));
}

function declare(koffi: typeof Koffi, so: Koffi.LibraryHandle): Libc {
  return {
    koffi,
    socket: so.func('int socket(int family, int type, int protocol)'),
    setsockopt: so.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)'),
    getsockopt: so.func(
      'int getsockopt(int fd, int level, int name, _Out_ int *value, _Inout_ uint32_t *length)',
    ),
    getsockoptOctets: so.func(
      'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
    ),
    accept4: so.func('int accept4(int fd, void *address, void *length, int flags)'),
    bind: so.func('int bind(int fd, const uint8_t *address, uint32_t length)'),
    connect: so.func('int connect(int fd, const uint8_t *address, uint32_t length)'),
    sched_setscheduler: so.func('int sched_setscheduler(int thread, int policy, const int *parameters)'),
    getsockname: so.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)'),
    if_nametoindex: so.func('uint32_t if_nametoindex(const char *name)'),
    sendto: so.func(
      'long sendto(int fd, const uint8_t *octets, size_t length, int flags, const uint8_t *address, uint32_t addressLength)',
    ),
    close: so.func('int close(int fd)'),
  };
}

/**
 * Lets a thread of this process run only where a processor has nothing else to do (sched(7), SCHED_IDLE), as the
 * threads that it makes later. False where that was refused.
 */
export function runWhenIdle(thread: number): boolean {
  return libc()?.sched_setscheduler(thread, SCHED_IDLE, [0]) === 0;
}

/** Undoes that. False where it was refused: it needs CAP_SYS_NICE, or an RLIMIT_NICE that allows its nice value. */
export function runAsOthers(thread: number): boolean {
  return libc()?.sched_setscheduler(thread, SCHED_OTHER, [0]) === 0;
}

/** Node keeps the descriptor on the handle, without a public way to it. Undefined where the socket is gone. */
export function descriptorOf(socket: Socket | Server): number | undefined {
  const { _handle: handle } = socket as (Socket | Server) & {
    readonly _handle?: { readonly fd?: number } | null;
  };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

const SCHED_OTHER = 0;
const SCHED_IDLE = 5;
export const INT = 4;
/** `struct linger`: on, and seconds. */
const LINGER = 8;
const SOCKADDR_IN = 16;
const SOCKADDR_IN6 = 28;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
/** Not among the errors that libuv has a name for. */
export const EINPROGRESS = 115;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const SO_MARK = 36;
const IPPROTO_IP = 0;
const IP_TRANSPARENT = 19;
const IP_BIND_ADDRESS_NO_PORT = 24;
export const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** Of a listening socket: connections that wait (`struct tcp_info` of linux/tcp.h). */
const TCPI_UNACKED = 24;
const TCP_INFO_OCTETS = 28;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
