// libc, as far as Node does not offer it: socket options. Declarations and typed results, no pointer leaves here.

import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type * as Koffi from 'koffi';

/** How a kernel probes an idle peer for us (tcp(7)); seconds. */
export interface KeepAlive {
  /** Idle time before the first probe. */
  readonly idle: number;
  /** Between probes that are not answered. */
  readonly interval: number;
  /** Unanswered probes before the kernel ends the connection. */
  readonly count: number;
}

/**
 * Sets a socket's keep-alive in full. Node cannot: libuv (1.46) goes with any idle time to one probe a second
 * and ten in all, so that ten seconds of outage would end a connection. False where koffi is missing or the
 * socket is gone; the option errors of a live TCP socket do not occur.
 */
export function setKeepAlive(socket: Socket, { idle, interval, count }: KeepAlive): boolean {
  const fd = descriptorOf(socket);
  const set = setsockopt();
  if (fd === undefined || set === undefined) return false;
  const options: readonly (readonly [level: number, name: number, value: number])[] = [
    [IPPROTO_TCP, TCP_KEEPIDLE, idle],
    [IPPROTO_TCP, TCP_KEEPINTVL, interval],
    [IPPROTO_TCP, TCP_KEEPCNT, count],
    [SOL_SOCKET, SO_KEEPALIVE, 1],
  ];
  return options.every(([level, name, value]) => set(fd, level, name, [value], 4) === 0);
}

type SetSockOpt = (fd: number, level: number, name: number, value: number[], length: number) => number;

let loaded: SetSockOpt | undefined | null = null;

function setsockopt(): SetSockOpt | undefined {
  if (loaded !== null) return loaded;
  try {
    // Optional: a machine without it relays on.
    const koffi = createRequire(__filename)('koffi') as typeof Koffi;
    const libc = koffi.load('libc.so.6');
    loaded = libc.func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)');
  } catch {
    loaded = undefined;
  }
  return loaded;
}

/** Node keeps the descriptor on the handle, without a public way to it. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
