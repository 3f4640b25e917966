// Many TCP sockets by epoll(7), several times cheaper a connection than Node's own: for a measurement, which must not measure itself.

import { arch, endianness } from 'node:os';
import {
  acceptFrom,
  bind,
  SOCK_CLOEXEC,
  EINPROGRESS,
  errnoName,
  INT,
  IPPROTO_TCP,
  isRefusal,
  libc,
  localPort,
  refusal,
  setAll,
  SO_ERROR,
  SO_REUSEADDR,
  socketAddress,
  SOL_SOCKET,
  withSocket,
  type Libc,
  type Refusal,
  type SocketAddress,
} from './libc';

/** Sockets of one thread. Descriptors are the caller's to close. Errors are names of errno, as `ECONNRESET`. */
export interface Poller {
  /** Starts a connection; its end, good or bad, makes an event. */
  connect(to: SocketAddress): number | Refusal;
  listen(at: SocketAddress): { readonly fd: number; readonly port: number } | Refusal;
  /** The next connection of a listener; undefined: none waits, or the system gives none. For one write a turn: Nagle's rule holds. */
  accept(fd: number): number | undefined;
  /** How many octets came: 0 is the end. `EAGAIN`: none for now. */
  receive(fd: number, into: Uint8Array): number | string;
  /** How many octets went out. `EAGAIN`: none for now. */
  send(fd: number, octets: Uint8Array): number | string;
  /** Why a connection failed. */
  errorOf(fd: number): string | undefined;
  /** How many events there are now. They are read by number until the next call. */
  wait(): number;
  descriptorAt(event: number): number;
  flagsAt(event: number): number;
  /** No more events of it; the descriptor stays open. */
  remove(fd: number): void;
  /** Closes a descriptor. */
  drop(fd: number): void;
  /** Closes the poller. */
  end(): void;
}

/** Of `flagsAt`. */
export const READABLE = 0x1;
export const WRITABLE = 0x4;
/** The connection failed, both its sides are closed, or the peer's is. */
export const FAILED = 0x8;
export const HUNG_UP = 0x10;
export const PEER_CLOSED = 0x2000;

/** `onReady` is called, by the event loop, while there may be events. */
export function openPoller(onReady: () => void): Poller | Refusal {
  const c = libc();
  if (c === undefined) return { kind: 'refusal', call: 'koffi', code: 'no-koffi' };
  const e = (declared ??= declare(c));
  const epoll = e.create(EPOLL_CLOEXEC);
  if (epoll < 0) return refusal(c, 'epoll_create1');
  const poll = c.koffi.node.poll(epoll, { readable: true }, onReady);
  const { view, events, add } = createRoom(e, epoll);
  // Nearly all connections go to one address, which is read once.
  let last: { readonly to: SocketAddress; readonly octets: Uint8Array } | undefined;
  const octetsOf = (to: SocketAddress): Uint8Array => {
    if (last?.to !== to) last = { to, octets: socketAddress(to) };
    return last.octets;
  };
  const result = (count: number): number | string => (count >= 0 ? count : errnoName(c));
  return {
    connect: (to) =>
      withSocket(to.address, (_c, fd) => {
        const refused = setAll(c, fd, [[IPPROTO_TCP, TCP_NODELAY, 1]]);
        if (refused) return refused;
        const address = octetsOf(to);
        if (c.connect(fd, address, address.length) !== 0 && c.koffi.errno() !== EINPROGRESS) {
          return refusal(c, 'connect');
        }
        add(fd, STREAM);
        return fd;
      }),
    listen(at) {
      const fd = withSocket(at.address, (_c, made) => {
        const refused = setAll(c, made, [[SOL_SOCKET, SO_REUSEADDR, 1]]) ?? bind(c, made, at);
        return refused ?? (e.listen(made, BACKLOG) === 0 ? made : refusal(c, 'listen'));
      });
      if (isRefusal(fd)) return fd;
      add(fd, READABLE);
      return { fd, port: localPort(c, fd) };
    },
    accept(listener) {
      const fd = acceptFrom(c, listener);
      if (fd === undefined) return undefined;
      add(fd, STREAM);
      return fd;
    },
    receive: (fd, into) => result(e.recv(fd, into, into.length, 0)),
    send: (fd, octets) => result(e.send(fd, octets, octets.length, MSG_NOSIGNAL)),
    errorOf(fd) {
      const value = [0];
      c.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, [INT]);
      return value[0] === 0 ? undefined : errnoName(c, value[0]);
    },
    wait: () => Math.max(0, e.wait(epoll, events, EVENTS, 0)),
    descriptorAt: (event) => view.getInt32(event * EVENT.size + EVENT.data, LITTLE),
    flagsAt: (event) => view.getUint32(event * EVENT.size, LITTLE),
    remove: (fd) => void e.control(epoll, EPOLL_CTL_DEL, fd, events),
    drop: (fd) => void c.close(fd),
    end() {
      poll.close();
      c.close(epoll);
    },
  };
}

/** Where the kernel writes events, and what adds a descriptor to those that make them. */
function createRoom(e: Calls, epoll: number) {
  const events = new Uint8Array(EVENTS * EVENT.size);
  const one = new Uint8Array(EVENT.size);
  const oneView = new DataView(one.buffer);
  const add = (fd: number, flags: number): void => {
    oneView.setUint32(0, flags, LITTLE);
    oneView.setInt32(EVENT.data, fd, LITTLE);
    e.control(epoll, EPOLL_CTL_ADD, fd, one);
  };
  return { events, view: new DataView(events.buffer), add };
}

interface Calls {
  create(flags: number): number;
  control(epoll: number, operation: number, fd: number, event: Uint8Array): number;
  wait(epoll: number, events: Uint8Array, most: number, timeout: number): number;
  listen(fd: number, backlog: number): number;
  recv(fd: number, octets: Uint8Array, length: number, flags: number): number;
  send(fd: number, octets: Uint8Array, length: number, flags: number): number;
}

let declared: Calls | undefined;

function declare({ koffi }: Libc): Calls {
  const so = koffi.load('libc.so.6');
  return {
    create: so.func('int epoll_create1(int flags)'),
    control: so.func('int epoll_ctl(int epoll, int operation, int fd, const uint8_t *event)'),
    // The octets are written in place: no copy is made for either side.
    wait: so.func('int epoll_wait(int epoll, uint8_t *events, int most, int timeout)'),
    listen: so.func('int listen(int fd, int backlog)'),
    recv: so.func('long recv(int fd, uint8_t *octets, size_t length, int flags)'),
    send: so.func('long send(int fd, const uint8_t *octets, size_t length, int flags)'),
  };
}

const LITTLE = endianness() === 'LE';
/** `struct epoll_event`: packed on x86-64 alone (epoll_ctl(2)). */
const EVENT = arch() === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
const EVENTS = 256;
/** The kernel caps it at net.core.somaxconn. */
const BACKLOG = 65_535;
const EPOLL_CLOEXEC = SOCK_CLOEXEC;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
/** Edge-triggered: one registration serves a connection's beginning, its octets and its end. */
const EDGE = 0x8000_0000;
const STREAM = (READABLE | WRITABLE | PEER_CLOSED | EDGE) >>> 0;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
