// A client's call from its acceptance on: the upstream is connected and joined, or the client gets a reply that says why not.

import type { Socket } from 'node:net';
import type { Close, CloseReason, Micros } from '../../inspect/events';
import { formatLocalHeader, formatProxyHeader } from '../../inspect/grammar/proxy-header';
import { factsOf } from '../../inspect/smtp/proxy-header';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import type { ConnectionLimits } from '../../inspect/policy/limits-of-load';
import type { Rules } from '../../inspect/policy/rules';
import { isRepair } from '../../inspect/greeting/lesson';
import { now } from '../system/clock';
import { rulesFor } from '../config/policy';
import { repairOf, type Repair } from '../config/servers';
import { errno, isFault, type Fault, type FaultCode } from '../system/fault';
import { setKeepAlive } from '../native/libc';
import type { Connection } from '../sinks/record';
import { createDialogue, type Dialogue } from './dialogue';
import { cut, dismiss } from '../sockets/linger';
import { localEndpoint, remoteEndpoint } from '../sockets/endpoint';
import { redactionOf } from '../sinks/envelope-address';
import type { Idler } from './idlers';
import { limitDialogue } from './limited';
import { createPump, type Pump } from './pump';
import { recordUnreached } from './refusal';
import {
  type Caller,
  connectionOf,
  hostnameFor,
  isImplicitTls,
  nameOf,
  type CallContext,
} from './call-context';
import type { Target } from '../sockets/upstream';
import type { CapturedCall } from './capture';
import { NO_OCTETS } from '../../inspect/octets';

interface Call {
  /** Ends it now; `onClosed` follows. */
  end(): void;
}

/** `onClosed` is called once, when nothing of the call is left. */
export function startCall(caller: Caller, route: CallContext, onClosed: () => void): Call {
  const { socket } = caller;
  const target = route.upstream.targetOf(caller);
  const called: Called = { caller, target };
  const connection = connectionOf(caller, route);
  // It went while it waited for its place.
  if (socket.destroyed) {
    recordUnreached(connection, caller, route.sink, { by: 'client', how: 'rst' });
    onClosed();
    return { end: () => undefined };
  }
  let pump: Pump | undefined;
  let connecting = true;
  let gone = false;

  const giveUp = (close: Close, line: string): void => {
    connecting = false;
    socket.off('close', onGone);
    recordUnreached(connection, caller, route.sink, close);
    if (gone) return onClosed();
    socket.once('close', onClosed);
    return dismiss(socket, isImplicitTls(target, route) ? '' : line);
  };
  const onGone = (): void => {
    gone = true;
    cancel();
    giveUp({ by: 'client', how: 'rst' }, '');
  };
  const cancel = route.upstream.connect(caller, route.config.relay.timeoutsMs.connect, (result) => {
    if (isFault(result)) {
      route.onUnreachable(result, connection);
      const how = result.code === 'timed-out' ? 'timeout' : 'fin';
      const close: Close = { by: 'shim', how, reason: reasonOf(result) };
      return giveUp(close, `421 4.4.1 ${nameOf(target, route)} upstream ${result.what}\r\n`);
    }
    connecting = false;
    socket.off('close', onGone);
    pump = join(called, route, result, onClosed);
  });

  socket.once('close', onGone);
  return {
    end() {
      if (pump !== undefined) return pump.end();
      if (!connecting) return cut(socket);
      cancel();
      return giveUp(
        { by: 'shim', how: 'fin', reason: 'shutdown' },
        `421 4.3.2 ${nameOf(target, route)} service shutting down\r\n`,
      );
    },
  };
}

/** What a call is about from its first moment on. */
interface Called {
  readonly caller: Caller;
  readonly target: Target;
}

function join(called: Called, route: CallContext, upstream: Socket, onClosed: () => void): Pump {
  const connected = now();
  const { caller, target } = called;
  const { endpoint } = target;
  const server = { address: upstream.remoteAddress ?? endpoint.address, port: endpoint.port };
  const connection: Connection = { session: caller.session, path: 'relay', client: caller.client, server };
  const watched = observe(caller.socket, upstream, route, connection);
  const header = outgoingHeader(caller, route);
  if (header !== undefined) upstream.write(header);
  const known = route.servers.server(server, route.listener.proxyOut);
  const { current } = route.policy;
  const rules = rulesFor(current, connection.client, connection.server);
  const idler = route.idlers.join(() => pump.giveWay());
  const dialogue = openDialogue(called, route, connection, rules, connected, watched, known.knowledge);
  const pump = createPump({
    client: caller.socket,
    upstream,
    dialogue: limited(dialogue, rules, current.limits, caller, idler),
    connection,
    server: known,
    sink: route.sink,
    hostname: nameOf(target, route),
    onClosed,
  });
  return pump;
}

/** What this client may cost, unless the rule is off for it. */
function limited(
  dialogue: Dialogue,
  { load }: Rules,
  limits: ConnectionLimits,
  { observed, offend }: Caller,
  { touch }: Idler,
): Dialogue {
  return load === 'off'
    ? dialogue
    : limitDialogue(dialogue, { mode: load, limits, observed, offend, onTurn: touch });
}

/** Has both legs watched, and probed by the kernel while they are silent: the answers are the proof. */
function observe(
  client: Socket,
  upstream: Socket,
  route: CallContext,
  connection: Connection,
): CapturedCall | undefined {
  if (!route.watch.isOpen()) return undefined;
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
  const repaired = (): boolean =>
    repairFor(route, connection) === 'now' || isRepair(route.servers.knownOf(connection.server));
  const watched = route.watch.follow(connection, { client: { caller, called }, server: back, repaired });
  if (watched && probeAfterMs > 0) {
    const probing = { ...PROBING, idle: Math.max(1, Math.round(probeAfterMs / 1000)) };
    setKeepAlive(client, probing);
    setKeepAlive(upstream, probing);
  }
  return watched;
}

function repairFor({ config, listener }: CallContext, { server }: Connection): Repair {
  return repairOf(config.greeting.servers, server) ?? listener.repair;
}

function openDialogue(
  { caller: { opened, proxy }, target }: Called,
  route: CallContext,
  connection: Connection,
  rules: Rules,
  connected: Micros,
  watched: CapturedCall | undefined,
  known: GreetingKnowledge | undefined,
): Dialogue {
  const { config } = route;
  return createDialogue({
    opened,
    connected,
    implicitTls: isImplicitTls(target, route),
    redact: redactionOf(route.config.log.addresses),
    proxy: proxy && factsOf(proxy),
    rules,
    repair: repairFor(route, connection),
    patienceMs: config.greeting.patienceMs,
    hostname: hostnameFor(config.greeting.hostname, target.address, connection.server),
    timeouts: config.relay.timeoutsMs,
    known,
    watched,
  });
}

/**
 * What a proxy says of itself it does not say of a client: to a server that knows LOCAL that is sent, and to one of
 * version 1, whose servers refuse UNKNOWN, the proxy's own connection, as HAProxy does in its checks.
 */
function outgoingHeader(
  { client, destination, proxy }: Caller,
  { listener, sink }: CallContext,
): Uint8Array | undefined {
  const { proxyOut } = listener;
  if (proxyOut === undefined) return undefined;
  if (proxyOut === 'v1') return formatProxyHeader(1, client, destination);
  if (proxy?.command === 'local') return formatLocalHeader();
  const extensions = proxy?.extensions ?? NO_OCTETS;
  if (extensions.length <= EXTENSIONS) return formatProxyHeader(2, client, destination, extensions);
  const fields = { client: client.address, octets: extensions.length };
  sink.note('warn', 'proxy-extensions-left-out', fields, { on: client.address });
  return formatProxyHeader(2, client, destination);
}

function reasonOf({ code, cause }: Fault): CloseReason {
  if (NO_DESCRIPTORS.has(errno(cause))) return 'descriptors';
  return UNREACHED[code] ?? 'upstream-failed';
}

const UNREACHED: Partial<Record<FaultCode, CloseReason>> = {
  refused: 'upstream-refused',
  'timed-out': 'upstream-timed-out',
  unreachable: 'upstream-unreachable',
  'name-unknown': 'upstream-unresolved',
  'name-unresolved': 'upstream-unresolved',
};
const NO_DESCRIPTORS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE']);

/** Of a header's extensions (TLVs): a client's certificate has 1 to 2 KiB. Servers read a header into small memory. */
const EXTENSIONS = 4_096;

/** Seconds between probes, and so many unanswered ones that the relay's own timeouts come first. */
const PROBING = { interval: 10, count: 120 } as const;
