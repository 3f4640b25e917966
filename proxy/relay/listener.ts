// One listening socket: which clients are accepted, which get 421, and the calls of the accepted ones.

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { formatAddress, isWithin } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { now, steady } from '../system/clock';
import { rulesFor } from '../config/policy';
import { errno, isFault, listenFault, type Fault } from '../system/fault';
import { startCall } from './call';
import { BUSY, type Admission, type Asking, type Place } from './caps';
import { fillOf, isScarce, limitOfDescriptors } from './descriptors';
import { acceptWaiting } from '../sockets/accept';
import { localEndpoint, remoteEndpoint } from '../sockets/endpoint';
import { cut, type Sockets } from '../sockets/linger';
import { isLocal } from './own-addresses';
import { takeProxyHeader, type Intake } from './proxy-intake';
import { refuse, type Door, type Refusal } from './refusal';
import { connectionOf, type Caller, type CallContext } from './call-context';
import { openTransparentSocket } from '../sockets/transparent';

/** What the listeners of one relay share. */
export interface Gate {
  readonly admission: Admission;
  readonly counters: Counters;
  readonly sockets: Sockets;
}

export interface Counters {
  /** Connections that clients opened. */
  accepted: number;
  /** Of these: refused by a cap or by the rules of the PROXY protocol. */
  blocked: number;
  /** Of these: no upstream was reached. */
  unreachable: number;
}

export interface Listener {
  readonly address: Endpoint;
  /** Takes no more connections; those there are go on. */
  close(): void;
  /** Ends those there are. */
  endAll(): void;
  /** It is closed, and the last connection has ended. */
  readonly ended: Promise<void>;
}

/** `ipv6Only` leaves the same port on IPv4 to another listener. */
export async function openListener(
  route: CallContext,
  gate: Gate,
  options: { readonly ipv6Only: boolean },
): Promise<Listener | Fault> {
  const { listen } = route.listener;
  const room: Room = {
    route,
    gate,
    counters: gate.counters,
    inside: new Set(),
    refusing: 0,
    waiting: new Set(),
    mayWait: () => !room.closed && fillOf(gate.sockets) < WAITING_FILL,
    closed: false,
    onEmpty: () => undefined,
  };
  const server = createServer(SOCKETS, (socket) => {
    onConnection(room, socket);
    for (const next of acceptWaiting(server, SOCKETS)) {
      const isLast = isScarce(next, gate.sockets);
      onConnection(room, next);
      if (isLast) return;
    }
  });
  const failure = await (isTransparent(route)
    ? boundTransparently(server, route, options)
    : bound(server, {
        ...(listen.host === '' ? {} : { host: listen.host }),
        ...options,
        port: listen.port,
        backlog: BACKLOG,
      }));
  if (isFault(failure)) return failure;
  const address = server.address();
  if (failure !== undefined || address === null || typeof address === 'string') {
    return listenFault(formatAddress(listen), failure);
  }
  // EMFILE and its like: the connection is lost, the listener is not.
  server.on('error', (error) => {
    const on = formatAddress(listen);
    route.sink.note('warn', 'accept-failed', { listen: on, code: errno(error) }, { on });
  });
  return {
    address: { address: address.address, port: address.port },
    close() {
      room.closed = true;
      for (const end of [...room.waiting]) end();
      server.close();
    },
    endAll: () => room.inside.forEach((guest) => guest.end()),
    ended: whenEnded(server, room),
  };
}

/** One listener's state. `inside` are the connections that hold a place, or wait for one. */
interface Room extends Door {
  readonly gate: Gate;
  readonly inside: Set<Guest>;
  closed: boolean;
  /** The last one left. */
  onEmpty: () => void;
}

interface Guest {
  end(): void;
}

/** A server is closed when its clients' sockets are; the upstreams' may take a little longer. */
function whenEnded(server: Server, room: Room): Promise<void> {
  return new Promise((resolve) => {
    server.once('close', () => {
      room.onEmpty = resolve;
      if (room.inside.size === 0) resolve();
    });
  });
}

function bound(server: Server, options: ListenOptions & { fd?: number }): Promise<Error | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    // With a descriptor the backlog is heard here only.
    server.listen(options, options.backlog, () => {
      server.off('error', resolve);
      resolve(undefined);
    });
  });
}

async function boundTransparently(
  server: Server,
  { listener, config }: CallContext,
  { ipv6Only }: { readonly ipv6Only: boolean },
): Promise<Error | Fault | undefined> {
  const fd = await openTransparentSocket(listener.listen, { ipv6Only, mark: config.relay.mark });
  return isFault(fd) ? fd : bound(server, { fd, backlog: BACKLOG });
}

function isTransparent({ listener }: CallContext): boolean {
  return listener.upstream === undefined;
}

function onConnection(room: Room, socket: Socket): void {
  const { gate, route } = room;
  const opened = now();
  gate.sockets.keep(socket);
  gate.counters.accepted += 1;
  const client = remoteEndpoint(socket);
  const destination = localEndpoint(socket);
  if (client === undefined || destination === undefined) return cut(socket);
  const session = route.nextSession();
  const caller: Caller = {
    socket,
    session,
    client,
    destination,
    proxy: undefined,
    opened,
    observed: undefined,
    offend: nothing,
  };
  if (isTransparent(route) && isAstray(route, caller)) return turnRound(room, caller);
  route.idlers.makeRoom(Math.max(gate.admission.fill, fillOf(gate.sockets)), steady());
  if (isScarce(socket, gate.sockets)) {
    noteFewDescriptors(room, caller);
    return refuse(room, caller, { ...BUSY, reason: 'descriptors' });
  }
  return enter(room, caller);
}

/** Asks for a place. Until the answer the client waits; it may be gone by then. */
function enter(room: Room, caller: Caller): void {
  const guest: Guest = { end: () => cut(caller.socket) };
  const { proxyIn } = room.route.listener;
  room.inside.add(guest);
  room.gate.admission.enter(proxyIn ? undefined : askingOf(room, caller), (answer, observed) => {
    if (answer.kind === 'no-place') turnAway(room, caller, guest, answer);
    else if (proxyIn) awaitHeader(room, caller, guest, answer);
    else letIn(room, { ...caller, observed, offend: answer.offend }, guest, answer);
  });
}

function askingOf({ route }: Room, caller: Caller): Asking {
  const { client } = caller;
  const { load } = rulesFor(route.policy.current, client, route.upstream.targetOf(caller).endpoint);
  return { address: client.address, load };
}

/** It has no place, or none any more. */
function turnAway(room: Room, caller: Caller, guest: Guest, refusal: Refusal): void {
  leave(room, guest);
  refuse(room, caller, refusal);
}

function leave({ inside, onEmpty }: Room, guest: Guest): void {
  inside.delete(guest);
  if (inside.size === 0) onEmpty();
}

/** A proxy names the client; only proxies may connect to such a listener. */
function awaitHeader(room: Room, caller: Caller, guest: Guest, place: Place): void {
  const { relay } = room.route.config;
  const end = (refusal: Refusal): void => {
    place.leave();
    turnAway(room, caller, guest, refusal);
  };
  if (!isWithin(caller.client.address, relay.trustedProxies)) {
    return end({ reason: 'proxy-source', detail: 'not a trusted proxy' });
  }
  const cancel = takeProxyHeader(caller.socket, relay.timeoutsMs.proxyHeader, (intake: Intake) => {
    if (intake.kind === 'refused') {
      return end({ reason: 'proxy-header', detail: intake.why, left: intake.left });
    }
    const { source = caller.client, destination = caller.destination } = intake;
    const introduced = { ...caller, client: source, destination, proxy: intake };
    guest.end = () => cut(caller.socket);
    return place.introduce(askingOf(room, introduced), (no, observed) => {
      if (no === undefined) letIn(room, { ...introduced, observed, offend: place.offend }, guest, place);
      else turnAway(room, introduced, guest, no);
    });
  });
  guest.end = () => {
    cancel();
    end({ reason: 'shutdown', detail: 'service shutting down' });
  };
  return undefined;
}

function letIn(room: Room, caller: Caller, guest: Guest, place: Place): void {
  const onClosed = (): void => {
    place.leave();
    leave(room, guest);
  };
  guest.end = startCall(caller, room.route, onClosed).end;
}

/**
 * Meant for this machine itself, or a call of our own that was diverted again: to go on would be to call oneself.
 * (A mail server on this machine cannot be called like that: its answers would never come by the relay.)
 */
function isAstray({ upstream }: CallContext, caller: Caller): boolean {
  return isLocal(caller.destination.address) || upstream.isOurs(caller);
}

function turnRound(room: Room, caller: Caller): void {
  const { address, port } = caller.destination;
  const to = formatAddress({ host: address, port });
  const connection = connectionOf(caller, room.route);
  room.route.sink.note('warn', 'not-diverted', { to }, { on: to, connection });
  refuse(room, caller, {
    reason: 'not-diverted',
    code: '421 4.3.5',
    detail: 'this is a transparent relay, not a mail server',
  });
}

function noteFewDescriptors(room: Room, caller: Caller): void {
  const message = `${NO_DESCRIPTORS}: raise LimitNOFILE= (systemd) or \`ulimit -n\`, or lower relay.maxConnections`;
  const fields = { limit: limitOfDescriptors(), sockets: room.gate.sockets.open, message };
  const connection = connectionOf(caller, room.route);
  room.route.sink.note('warn', 'descriptors-few', fields, { on: '', connection });
}

const nothing = (): void => undefined;
/** So many of all descriptors may be in use, and a refused client still waits for its 421. */
const WAITING_FILL = 0.5;
/** A burst of deliveries should wait here, not be refused (the system may hold it lower: somaxconn). */
const BACKLOG = 4_096;
const NO_DESCRIPTORS = 'no file descriptors are left for more connections';

// Without keep-alive: libuv's would end a connection after ten seconds of outage. Who vanished is found out by
// the timeouts, and `call.ts` has the kernel probe where that proves something.
const SOCKETS = {
  allowHalfOpen: true,
  noDelay: true,
} as const;
