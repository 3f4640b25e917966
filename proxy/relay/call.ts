// A client's call from its acceptance on: the upstream is reached and joined, or the client is told why not.

import type { Socket } from 'node:net';
import type { Close, Micros } from '../../inspect/events';
import { createSession } from '../../inspect/smtp/session';
import { now } from '../clock';
import type { Config, ListenerConfig } from '../config';
import { isFault, type Fault } from '../fault';
import { setKeepAlive } from '../native/libc';
import { SUBMISSIONS } from '../ports';
import type { Connection, Endpoint, Sink } from '../sinks/record';
import type { Complaints } from './complaints';
import { createDialogue, isRecorded, type Dialogue, type Outlet } from './dialogue';
import { dismiss, ignoreErrors } from './farewell';
import { localEndpoint, remoteEndpoint } from './endpoint';
import { hostnameFor, type Memory } from './memory';
import { formatProxyHeader } from './proxy-header';
import { createPump, type Pump } from './pump';
import type { Ends, Target, Upstream } from './upstream';
import type { Watch, Watched } from './watch';

/** A client that was let in. Its addresses may come from a PROXY header. */
export interface Caller extends Ends {
  readonly socket: Socket;
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
  const target = route.upstream.targetOf(caller);
  const called: Called = { caller, target, session };
  let pump: Pump | undefined;
  let connecting = true;

  const giveUp = (close: Close, line: string): void => {
    connecting = false;
    socket.off('close', onGone);
    recordFailure(called, route, close);
    if (socket.closed) return onClosed();
    socket.once('close', onClosed);
    return dismiss(socket, isImplicitTls(target, route) ? '' : line);
  };
  const onGone = (): void => {
    cancel();
    giveUp({ by: 'client', how: 'rst' }, '');
  };
  const cancel = route.upstream.connect(caller, route.config.relay.timeoutsMs.connect, (result) => {
    if (isFault(result)) {
      route.onUnreachable(result);
      const how = result.code === 'timed-out' ? 'timeout' : 'fin';
      return giveUp({ by: 'shim', how }, `421 4.4.1 ${nameOf(target, route)} upstream ${result.what}\r\n`);
    }
    connecting = false;
    socket.off('close', onGone);
    pump = join(called, route, result, onClosed);
  });

  ignoreErrors(socket);
  socket.once('close', onGone);
  return {
    end() {
      if (pump !== undefined) return pump.end();
      if (!connecting) return void socket.destroy();
      cancel();
      return giveUp(
        { by: 'shim', how: 'fin' },
        `421 4.3.2 ${nameOf(target, route)} service shutting down\r\n`,
      );
    },
  };
}

/** What a call is about from its first moment on. */
interface Called {
  readonly caller: Caller;
  readonly target: Target;
  readonly session: string;
}

/** The name that ehlowire gives to clients of this server. */
export function nameOf({ address, endpoint }: Target, { config }: Route): string {
  return hostnameFor(config.greeting.hostname, address, endpoint);
}

/** RFC 8314 §3.3: on 465 the client speaks first, and in TLS; a line of ours would only be noise. */
export function isImplicitTls({ address }: Target, { listener }: Route): boolean {
  const { listen, upstream } = listener;
  return address.port === SUBMISSIONS || (upstream !== undefined && listen.port === SUBMISSIONS);
}

function join(called: Called, route: Route, upstream: Socket, onClosed: () => void): Pump {
  const connected = now();
  const { caller, target } = called;
  const { endpoint } = target;
  const connection = connectionOf(called, {
    ...endpoint,
    address: upstream.remoteAddress ?? endpoint.address,
  });
  const watched = observe(caller.socket, upstream, route, connection);
  const header = outgoingHeader(caller, route);
  if (header !== undefined) upstream.write(header);
  return createPump({
    client: caller.socket,
    upstream,
    dialogue: (outlet) => openDialogue(called, route, connection, connected, watched, outlet),
    hostname: nameOf(target, route),
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
  const back = route.listener.upstream === undefined ? undefined : { caller: own, called: server };
  const watched = route.watch.follow(connection, { caller, called }, back);
  if (watched && probeAfterMs > 0) {
    const probing = { ...PROBING, idle: Math.max(1, Math.round(probeAfterMs / 1000)) };
    setKeepAlive(client, probing);
    setKeepAlive(upstream, probing);
  }
  return watched;
}

function openDialogue(
  { caller: { opened }, target }: Called,
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
    implicitTls: isImplicitTls(target, route),
    repair: listener.repair,
    patienceMs: config.greeting.patienceMs,
    hostname: hostnameFor(config.greeting.hostname, target.address, connection.server),
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
function recordFailure(called: Called, { sink }: Route, close: Close): void {
  const at = now();
  const connection = connectionOf(called, called.target.endpoint);
  for (const event of createSession({ started: called.caller.opened, connected: at }).close(close, at)) {
    if (isRecorded(event)) sink.write(connection, event);
  }
}

function connectionOf({ caller: { client }, session }: Called, server: Endpoint): Connection {
  return { session, path: 'relay', client, server };
}

/** Seconds between probes, and so many unanswered ones that the relay's own timeouts come first. */
const PROBING = { interval: 10, count: 120 } as const;
