// A client's call from its acceptance on: the upstream is reached and joined, or the client is told why not.

import type { Socket } from 'node:net';
import type { Close, Micros } from '../../inspect/events';
import { createSession } from '../../inspect/smtp/session';
import { now } from '../clock';
import type { Config, ListenerConfig } from '../config';
import { isFault, type Fault } from '../fault';
import { setKeepAlive } from '../native/libc';
import type { Connection, Endpoint, Sink } from '../sinks/record';
import type { Complaints } from './complaints';
import { createDialogue, isRecorded, type Dialogue, type Outlet } from './dialogue';
import { dismiss, ignoreErrors } from './farewell';
import { localEndpoint, remoteEndpoint } from './endpoint';
import { hostnameFor, type Memory } from './memory';
import { formatProxyHeader } from './proxy-header';
import { createPump, type Pump } from './pump';
import { connectUpstream, type Upstream } from './upstream';
import type { Watch, Watched } from './watch';

/** A client that was let in. Its addresses may come from a PROXY header. */
export interface Caller {
  readonly socket: Socket;
  readonly client: Endpoint;
  /** Where it thinks it is connected to. */
  readonly destination: Endpoint;
  /** A proxy speaks for itself, as in a health check. */
  readonly local: boolean;
  readonly opened: Micros;
}

/** What the calls of one listener share. */
export interface Route {
  readonly listener: ListenerConfig;
  readonly upstream: Upstream;
  readonly config: Config;
  readonly sink: Sink;
  readonly memory: Memory;
  readonly complaints: Complaints;
  readonly watch: Watch;
  readonly nextSession: () => string;
  readonly onUnreachable: (fault: Fault) => void;
}

export interface Call {
  /** Ends it now; `onClosed` follows. */
  end(): void;
}

/** `onClosed` is called once, when nothing of the call is left. */
export function startCall(caller: Caller, route: Route, onClosed: () => void): Call {
  const { socket } = caller;
  const session = route.nextSession();
  let pump: Pump | undefined;
  let connecting = true;

  const giveUp = (close: Close, line: string): void => {
    connecting = false;
    socket.off('close', onGone);
    recordFailure(caller, route, connectionOf(caller, session, route.upstream.endpoint), close);
    if (socket.closed) return onClosed();
    socket.once('close', onClosed);
    return dismiss(socket, isImplicitTls(route) ? '' : line);
  };
  const onGone = (): void => {
    cancel();
    giveUp({ by: 'client', how: 'rst' }, '');
  };
  const cancel = connectUpstream(route.listener.upstream, route.config.relay.timeoutsMs.connect, (result) => {
    if (isFault(result)) {
      route.onUnreachable(result);
      const how = result.code === 'timed-out' ? 'timeout' : 'fin';
      return giveUp({ by: 'shim', how }, `421 4.4.1 ${nameOf(route)} upstream ${result.what}\r\n`);
    }
    connecting = false;
    socket.off('close', onGone);
    pump = join(caller, route, session, result, onClosed);
  });

  ignoreErrors(socket);
  socket.once('close', onGone);
  return {
    end() {
      if (pump !== undefined) return pump.end();
      if (!connecting) return void socket.destroy();
      cancel();
      return giveUp({ by: 'shim', how: 'fin' }, `421 4.3.2 ${nameOf(route)} service shutting down\r\n`);
    },
  };
}

/** The name that ehlowire gives to clients of this route. */
export function nameOf({ config, listener, upstream }: Route): string {
  return hostnameFor(config.greeting.hostname, listener.upstream, upstream.endpoint);
}

/** RFC 8314 §3.3: on 465 the client speaks first, and in TLS; a line of ours would only be noise. */
export function isImplicitTls({ listener }: Route): boolean {
  return listener.upstream.port === SUBMISSIONS || listener.listen.port === SUBMISSIONS;
}

function join(caller: Caller, route: Route, session: string, upstream: Socket, onClosed: () => void): Pump {
  const connected = now();
  const server = {
    address: upstream.remoteAddress ?? route.upstream.endpoint.address,
    port: route.listener.upstream.port,
  };
  const connection = connectionOf(caller, session, server);
  const watched = observe(caller.socket, upstream, route, connection);
  const header = outgoingHeader(caller, route);
  if (header !== undefined) upstream.write(header);
  return createPump({
    client: caller.socket,
    upstream,
    dialogue: (outlet) => openDialogue(caller, route, connection, connected, watched, outlet),
    hostname: nameOf(route),
    onClosed,
  });
}

/** Has both legs watched, and probed by the kernel while they are silent: the answers are the proof. */
function observe(
  client: Socket,
  upstream: Socket,
  route: Route,
  connection: Connection,
): Watched | undefined {
  const ends = [
    remoteEndpoint(client),
    localEndpoint(client),
    localEndpoint(upstream),
    remoteEndpoint(upstream),
  ];
  const [caller, called, own, server] = ends;
  if (!caller || !called || !own || !server) return undefined;
  const { probeAfterMs } = route.config.evidence;
  const watched = route.watch.follow(connection, { caller, called }, { caller: own, called: server });
  if (watched && probeAfterMs > 0) {
    const probing = { ...PROBING, idle: Math.max(1, Math.round(probeAfterMs / 1000)) };
    setKeepAlive(client, probing);
    setKeepAlive(upstream, probing);
  }
  return watched;
}

function openDialogue(
  { opened }: Caller,
  route: Route,
  connection: Connection,
  connected: Micros,
  watched: Watched | undefined,
  outlet: Outlet,
): Dialogue {
  const { config, listener, memory, sink } = route;
  const options = {
    connection,
    opened,
    connected,
    implicitTls: isImplicitTls(route),
    repair: listener.repair,
    patienceMs: config.greeting.patienceMs,
    hostname: hostnameFor(config.greeting.hostname, listener.upstream, connection.server),
    timeouts: config.relay.timeoutsMs,
    memory: memory.server(connection.server),
    watched,
    sink,
  };
  return createDialogue(options, outlet);
}

function outgoingHeader({ client, destination, local }: Caller, route: Route): Uint8Array | undefined {
  const { proxyOut } = route.listener;
  if (proxyOut === undefined) return undefined;
  const version = proxyOut === 'v1' ? 1 : 2;
  return local
    ? formatProxyHeader(version, undefined, undefined)
    : formatProxyHeader(version, client, destination);
}

/** A connection without a server has a record too: how long it tried, and how it ended. */
function recordFailure({ opened }: Caller, { sink }: Route, connection: Connection, close: Close): void {
  const at = now();
  for (const event of createSession({ started: opened, connected: at }).close(close, at)) {
    if (isRecorded(event)) sink.write(connection, event);
  }
}

function connectionOf({ client }: Caller, session: string, server: Endpoint): Connection {
  return { session, path: 'relay', client, server };
}

/** Seconds between probes, and so many unanswered ones that the relay's own timeouts come first. */
const PROBING = { interval: 10, count: 120 } as const;
/** RFC 8314 §3.3. */
export const SUBMISSIONS = 465;
