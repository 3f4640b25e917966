// One listening socket: who is let in, who is told to come later, and the calls of those inside.

import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import type { Micros } from '../../inspect/events';
import { formatAddress, isWithin } from '../address';
import { now } from '../clock';
import { errno, isFault, listenFault, type Fault } from '../fault';
import type { Endpoint } from '../sinks/record';
import { isImplicitTls, nameOf, startCall, type Caller, type Route } from './call';
import { clientKey, type Cap } from './caps';
import { localEndpoint, remoteEndpoint } from './endpoint';
import { dismiss, ignoreErrors } from './farewell';
import { isLocal } from './local';
import { takeProxyHeader, type Intake } from './proxy-intake';
import { openTransparentSocket } from './transparent';

/** What the listeners of one relay share. */
export interface Gate {
  readonly total: Cap;
  readonly perClient: Cap;
  readonly counters: Counters;
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
  route: Route,
  gate: Gate,
  options: { readonly ipv6Only: boolean },
): Promise<Listener | Fault> {
  const { listen } = route.listener;
  const room: Room = {
    route,
    gate,

    inside: new Set(),
    refusing: 0,
    onEmpty: () => undefined,
  };
  const server = createServer(SOCKETS, (socket) => onConnection(room, socket));
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
    route.complaints.tell('accept-failed', on, { listen: on, code: errno(error) });
  });
  return {
    address: { address: address.address, port: address.port },
    close: () => void server.close(),
    endAll: () => room.inside.forEach((guest) => guest.end()),
    ended: whenEnded(server, room),
  };
}

/** One listener's state. `inside` are the connections that hold a place under the total cap. */
interface Room {
  readonly route: Route;
  readonly gate: Gate;
  readonly inside: Set<Guest>;
  /** Sockets that are being told to come later. */
  refusing: number;
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
  { listener, config }: Route,
  { ipv6Only }: { readonly ipv6Only: boolean },
): Promise<Error | Fault | undefined> {
  const fd = await openTransparentSocket(listener.listen, { ipv6Only, mark: config.relay.mark });
  return isFault(fd) ? fd : bound(server, { fd, backlog: BACKLOG });
}

function isTransparent({ listener }: Route): boolean {
  return listener.upstream === undefined;
}

function onConnection(room: Room, socket: Socket): void {
  const { gate, route } = room;
  const opened = now();
  ignoreErrors(socket);
  gate.counters.accepted += 1;
  const client = remoteEndpoint(socket);
  const destination = localEndpoint(socket);
  if (client === undefined || destination === undefined) return void socket.destroy();
  const caller: Caller = { socket, client, destination, local: false, opened };
  if (isTransparent(route) && isAstray(route, caller)) return turnRound(room, caller);
  if (!gate.total.take(ALL)) {
    return refuse(room, caller, 'connections', '421 4.3.2', 'too many connections, try again later');
  }
  const guest: Guest = { end: () => socket.destroy() };
  const leave = (): void => {
    room.inside.delete(guest);
    gate.total.give(ALL);
    if (room.inside.size === 0) room.onEmpty();
  };
  room.inside.add(guest);
  if (!route.listener.proxyIn) return letIn(room, caller, guest, leave);
  return introduce(room, caller, (introduced) => {
    if (introduced === undefined) leave();
    else letIn(room, introduced, guest, leave);
  });
}

/** Who comes through a proxy is who the proxy says; nobody else may come to such a listener. */
function introduce(room: Room, caller: Caller, done: (caller: Caller | undefined) => void): void {
  const { relay } = room.route.config;
  if (!isWithin(caller.client.address, relay.trustedProxies)) {
    turnAway(room, caller, 'proxy-source', 'not a trusted proxy');
    return done(undefined);
  }
  return takeProxyHeader(caller.socket, relay.timeoutsMs.proxyHeader, (intake: Intake) => {
    if (intake.kind === 'refused') {
      turnAway(room, caller, 'proxy-header', intake.why);
      return done(undefined);
    }
    const { source = caller.client, destination = caller.destination, local } = intake;
    return done({ ...caller, client: source, destination, local });
  });
}

function letIn(room: Room, caller: Caller, guest: Guest, leave: () => void): void {
  const { perClient } = room.gate;
  const key = clientKey(caller.client.address);
  if (!perClient.take(key)) {
    leave();
    return refuse(room, caller, 'connections-per-client', '421 4.7.0', 'too many connections from you');
  }
  const call = startCall(caller, room.route, () => {
    perClient.give(key);
    leave();
  });
  guest.end = call.end;
  return undefined;
}

/**
 * Meant for this machine itself, or a call of our own that was diverted again: to go on would be to call oneself.
 * (A mail server on this machine cannot be called like that: its answers would never come by the relay.)
 */
function isAstray({ upstream }: Route, caller: Caller): boolean {
  return isLocal(caller.destination.address) || upstream.isOurs(caller);
}

function turnRound(room: Room, caller: Caller): void {
  const { address, port } = caller.destination;
  const to = formatAddress({ host: address, port });
  room.route.complaints.tell('not-diverted', to, { to, client: caller.client.address });
  refuse(room, caller, 'not-diverted', '421 4.3.5', 'this is a transparent relay, not a mail server');
}

/** A 421 that arrives, as long as few are refused at a time; in a flood, one that may not. */
function refuse(room: Room, caller: Caller, rule: string, code: string, text: string): void {
  const { socket } = caller;
  block(room, caller, rule, 'refuse', text);
  const target = room.route.upstream.targetOf(caller);
  const line = isImplicitTls(target, room.route) ? '' : `${code} ${nameOf(target, room.route)} ${text}\r\n`;
  if (room.refusing >= REFUSING) {
    if (socket.writable) socket.write(line, 'latin1');
    socket.destroySoon();
    return;
  }
  room.refusing += 1;
  socket.once('close', () => (room.refusing -= 1));
  dismiss(socket, line, REFUSED_MS);
}

/** Without a word: who sends no proper header is no mail client. */
function turnAway(room: Room, caller: Caller, rule: string, why: string): void {
  block(room, caller, rule, 'close', why);
  caller.socket.destroy();
}

function block(room: Room, caller: Caller, rule: string, action: string, detail: string): void {
  const { route, gate } = room;
  gate.counters.blocked += 1;
  const at: Micros = now();
  const { client } = caller;
  const server = route.upstream.targetOf(caller).endpoint;
  const connection = { session: route.nextSession(), path: 'relay', client, server } as const;
  route.sink.write(connection, { kind: 'blocked', at, rule, action, direction: 'client', detail });
}

const ALL = '';
/** A burst of deliveries should wait here, not be refused (the system may hold it lower: somaxconn). */
const BACKLOG = 4_096;
/** So long a refused client has for reading its 421, and so many may take that time at once. */
const REFUSED_MS = 1_000;
const REFUSING = 256;

// Without keep-alive: libuv's would end a connection after ten seconds of outage. Who vanished is found out by
// the timeouts, and `call.ts` has the kernel probe where that proves something.
const SOCKETS = {
  allowHalfOpen: true,
  noDelay: true,
} as const;
