// Sockets with another host's address: the relay between two peers that see only each other.

import { lookup } from 'node:dns/promises';
import { Socket } from 'node:net';
import { type Address, formatAddress, formatEndpoint } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { connectFault, createFault, listenFault, type Fault } from '../system/fault';
import {
  bindTransparent,
  closeDescriptor,
  dialTransparent,
  isRefusal,
  type Dial,
  type Refusal,
} from '../native/libc';
import type { Sockets } from './linger';
import type { Upstream } from './upstream';

/**
 * A socket for `Server.listen({ fd })` that takes what the kernel hands to it, whatever address it was sent to.
 * `ipv6Only` as in `openListener`. Faults: those of listening, `transparent-forbidden`, `library-missing`.
 */
export async function openTransparentSocket(
  listen: Address,
  options: { readonly ipv6Only: boolean; readonly mark: number },
): Promise<number | Fault> {
  const on = formatAddress(listen);
  const { port } = listen;
  if (listen.host !== '') {
    try {
      const { address } = await lookup(listen.host);
      return settled(on, bindTransparent({ address, port }, options));
    } catch (error) {
      return listenFault(on, error);
    }
  }
  const both = bindTransparent({ address: '::', port }, options);
  // A machine without IPv6.
  const without = isRefusal(both) && NO_IPV6.has(both.code);
  return settled(on, without ? bindTransparent({ address: '0.0.0.0', port }, options) : both);
}

/** Every call goes to where its client meant, with the client's address, and its port where that is free. */
export function createTransparentUpstream(mark: number, sockets: Sockets): Upstream {
  // Connections of ours that come from a port of ours: one that is diverted again would call itself for ever.
  // (From the client's own port there is none: its SYN meets the socket that is already there.)
  const ours = new Set<string>();
  return {
    targetOf: ({ destination }) => ({
      address: { host: destination.address, port: destination.port },
      endpoint: destination,
    }),
    connect({ client, destination }, timeoutMs, done) {
      const on = formatEndpoint(destination);
      const dial = dialFrom(client, destination, mark);
      if (isRefusal(dial)) {
        const immediate = setImmediate(() => done(refused(on, dial)));
        return () => clearImmediate(immediate);
      }
      if (dial.port === client.port) return join(dial, on, timeoutMs, sockets, done, () => undefined);
      const key = keyOf({ address: client.address, port: dial.port }, destination);
      ours.add(key);
      return join(dial, on, timeoutMs, sockets, done, () => ours.delete(key));
    },
    isOurs: ({ client, destination }) => ours.has(keyOf(client, destination)),
    addresses: [],
  };
}

/**
 * A connection of our own, with our own address and the mark of all that a transparent relay sends: rules that divert
 * must let it pass. `done` as of `Upstream.connect`.
 */
export function connectMarked(
  server: Endpoint,
  mark: number,
  timeoutMs: number,
  sockets: Sockets,
  done: (result: Socket | Fault) => void,
): () => void {
  const on = formatEndpoint(server);
  const any = { address: server.address.includes(':') ? '::' : '0.0.0.0', port: 0 };
  const dial = dialTransparent(any, server, mark);
  if (!isRefusal(dial)) return join(dial, on, timeoutMs, sockets, done, () => undefined);
  const immediate = setImmediate(() => done(refused(on, dial)));
  return () => clearImmediate(immediate);
}

function dialFrom(client: Endpoint, destination: Endpoint, mark: number): Dial | Refusal {
  const dial = dialTransparent(client, destination, mark);
  // Another process has the port, or it is below 1024 and this process may not use it.
  if (!isRefusal(dial) || !PORT_TAKEN.has(dial.code)) return dial;
  return dialTransparent({ address: client.address, port: 0 }, destination, mark);
}

/** Waits for the connection and makes it a socket. `onGone` is called once, when nothing of it is left. */
function join(
  { fd, whenSettled }: Dial,
  on: string,
  timeoutMs: number,
  sockets: Sockets,
  done: (result: Socket | Fault) => void,
  onGone: () => void,
): () => void {
  const release = sockets.hold();
  const giveUp = (): void => {
    clearTimeout(timer);
    stop();
    closeDescriptor(fd);
    release();
    onGone();
  };
  const stop = whenSettled((code) => {
    if (code !== undefined) {
      giveUp();
      return done(connectFault(on, { code }));
    }
    clearTimeout(timer);
    release();
    return done(sockets.keep(socketOf(fd)).once('close', onGone));
  });
  const timer = setTimeout(() => {
    giveUp();
    done(createFault('timed-out', on));
  }, timeoutMs);
  return giveUp;
}

/** As `net.connect` would have made it; nothing of what was received is lost. */
function socketOf(fd: number): Socket {
  const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  return socket.setNoDelay(true);
}

function settled(on: string, bound: number | Refusal): number | Fault {
  return isRefusal(bound) ? refusedListen(on, bound) : bound;
}

function refusedListen(on: string, refusal: Refusal): Fault {
  return special(on, refusal) ?? listenFault(on, refusal);
}

function refused(on: string, refusal: Refusal): Fault {
  return special(on, refusal) ?? connectFault(on, refusal);
}

function special(on: string, { call, code }: Refusal): Fault | undefined {
  if (call === 'koffi') return createFault('library-missing', 'koffi', { fix: KOFFI });
  if (call === 'setsockopt' && code === 'EPERM') return createFault('transparent-forbidden', on);
  return undefined;
}

function keyOf(from: Endpoint, to: Endpoint): string {
  return `${from.address} ${from.port} ${to.address} ${to.port}`;
}

const KOFFI =
  'transparent sockets need it: npm install koffi (it was left out, or has no build for this machine)';
const NO_IPV6: ReadonlySet<string> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);
const PORT_TAKEN: ReadonlySet<string> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES']);
