// The relay path: every listener with its upstream, from the start to the last connection.

import type { Config, ListenerConfig } from '../config/config';
import { createPolicyInForce, type PolicyInForce } from '../config/reload';
import { formatAddress, formatEndpoint } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { createFault, formatFault, isFault, type Fault } from '../system/fault';
import type { KnownServer } from '../servers/saved';
import { createServers, type Servers, type ServersOptions } from '../servers/servers';
import { createNames, type Connection, type Sink } from '../sinks/record';
import { createAdmission, type Admission } from './caps';
import { createIdlers } from './idlers';
import { hiddenClients } from './origin';
import type { ClientsSeen } from '../../inspect/policy/clients';
import { createSockets } from '../sockets/linger';
import { openListener, type Counters, type Gate, type Listener } from './listener';
import { answersAt } from './own-addresses';
import type { CallContext } from './call-context';
import { createTransparentUpstream } from '../sockets/transparent';
import { resolveUpstream } from '../sockets/upstream';
import type { RelayCapture } from './capture';
import { beginWatch, createWatch, openWatch } from './watch';

export interface Relay {
  /** Where it listens, in the order of the configuration; ports are the real ones. */
  readonly addresses: readonly Endpoint[];
  /** Takes no more connections, lets those there are end, and ends them after `relay.drainMs`. */
  drain(): Promise<void>;
  /** Takes no more connections and ends those there are. */
  stop(): Promise<void>;
  readonly servers: Servers;
  /** What is to be said of the clients as a whole. */
  readonly clients: ClientsSeen;
  readonly counters: Readonly<Counters> & {
    /** Connections that are open now. */
    readonly active: number;
    /** Sockets of theirs, on both sides; those of clients that are being refused are among them. */
    readonly sockets: number;
  };
}

interface RelayOptions {
  /** What earlier runs learned. */
  readonly known?: readonly KnownServer[];
  /** What is known of servers, where others use it too; they close it. */
  readonly servers?: Servers;
  /** Absent: the configuration's, for good. */
  readonly policy?: PolicyInForce;
  /** This is one of several processes of one relay. */
  readonly shared?: Shared;
}

/** What the processes of one relay have together; its maker closes it, and notes what the relay does. */
export interface Shared {
  readonly servers: Servers;
  readonly watch: RelayCapture;
  readonly admission: Admission;
  readonly nextSession: () => string;
}

/**
 * Opens all listeners, or none. Faults: an upstream's name is not found, an address cannot be listened on, or an
 * upstream is one of the listeners.
 */
export async function startRelay(
  config: Config,
  sink: Sink,
  options: RelayOptions = {},
): Promise<Relay | Fault> {
  const { relay } = config;
  const policy = options.policy ?? createPolicyInForce(config.policy);
  const shared = options.shared ?? createOwn(config, sink, policy, options);
  const { servers, watch } = shared;
  const gate: Gate = {
    admission: shared.admission,
    counters: { accepted: 0, blocked: 0, unreachable: 0 },
    sockets: createSockets(),
  };
  const idlers = createIdlers(() => policy.current.limits.busyWait);
  const close = (): void => {
    if (options.shared !== undefined) return;
    void watch.close();
    if (options.servers === undefined) servers.close();
  };
  const routes = await resolveRoutes(config, sink, gate, { ...shared, policy, idlers });
  if (isFault(routes)) {
    close();
    return routes;
  }
  if (options.shared === undefined) openWatch(watch, config, sink);
  const listeners = await openAll(routes, gate);
  if (isFault(listeners)) {
    close();
    return listeners;
  }
  if (options.shared === undefined) {
    const addresses = listeners.map(({ address }) => address);
    beginWatch(watch, config, addresses);
    noteListening(config, addresses, sink);
  }
  return {
    addresses: listeners.map(({ address }) => address),
    drain: () => drain(listeners, gate, relay.drainMs, sink).finally(close),
    stop: () => drain(listeners, gate, 0, sink).finally(close),
    servers,
    get clients() {
      return gate.admission.clients;
    },
    counters: countersOf(gate),
  };
}

function countersOf({ counters, admission, sockets }: Gate): Relay['counters'] {
  return {
    get accepted() {
      return counters.accepted;
    },
    get blocked() {
      return counters.blocked;
    },
    get unreachable() {
      return counters.unreachable;
    },
    get active() {
      return admission.held;
    },
    get sockets() {
      return sockets.open;
    },
  };
}

function createOwn(
  config: Config,
  sink: Sink,
  policy: PolicyInForce,
  { known, servers }: RelayOptions,
): Shared {
  const nextSession = createNames();
  return {
    servers: servers ?? createRelayServers(config, sink, { nextSession, known }),
    watch: createWatch(config, sink),
    admission: createRelayAdmission(config, sink, policy),
    nextSession,
  };
}

export function createRelayAdmission({ relay }: Config, sink: Sink, policy: PolicyInForce): Admission {
  const onHidden = (clients: ClientsSeen): void => {
    if (policy.current.rules.load === 'off') return;
    sink.note('warn', 'clients-hidden', { message: hiddenClients(clients) });
  };
  return createAdmission({ total: relay.maxConnections, limits: () => policy.current.limits, onHidden });
}

/** Where it listens, in the order of the configuration. */
export function noteListening({ relay }: Config, addresses: readonly Endpoint[], sink: Sink): void {
  addresses.forEach((address, index) => {
    const upstream = relay.listeners[index]?.upstream;
    const listen = formatEndpoint(address);
    const to = upstream === undefined ? { transparent: true } : { upstream: formatAddress(upstream) };
    sink.note('info', 'listening', { listen, ...to });
  });
}

export function createRelayServers(
  { greeting, relay }: Config,
  sink: Sink,
  more: Pick<ServersOptions, 'nextSession' | 'known' | 'onLearned'>,
): Servers {
  const { patienceMs } = greeting;
  const connectMs = relay.timeoutsMs.connect;
  // Rules that divert know what is ours by the mark; where nothing is diverted it would only take a right more.
  const mark = relay.listeners.some(({ upstream }) => upstream === undefined) ? relay.mark : 0;
  const patience = patienceMs * 1_000;
  const decided = greeting.servers;
  return createServers({ ...more, sink, path: 'relay', patience, connectMs, mark, decided });
}

async function resolveRoutes(
  config: Config,
  sink: Sink,
  gate: Gate,
  { servers, watch, nextSession, policy, idlers }: Shared & Pick<CallContext, 'policy' | 'idlers'>,
): Promise<readonly CallContext[] | Fault> {
  const onUnreachable = (fault: Fault, connection: Connection): void => {
    gate.counters.unreachable += 1;
    const fields = { upstream: fault.on, message: formatFault(fault) };
    sink.note('warn', `upstream-${fault.code}`, fields, { on: fault.on, connection });
  };
  const transparent = createTransparentUpstream(config.relay.mark, gate.sockets);
  const routes: CallContext[] = [];
  for (const listener of config.relay.listeners) {
    const upstream = listener.upstream ? await resolveUpstream(listener.upstream, gate.sockets) : transparent;
    if (isFault(upstream)) return upstream;
    const own = { listener, upstream, config, sink, onUnreachable };
    routes.push({ ...own, servers, watch, nextSession, policy, idlers });
  }
  return routes;
}

async function openAll(routes: readonly CallContext[], gate: Gate): Promise<readonly Listener[] | Fault> {
  const listeners: Listener[] = [];
  for (const route of routes) {
    const listener = await openListener(route, gate, { ipv6Only: leavesIpv4(route.listener, routes) });
    if (isFault(listener)) {
      await drain(listeners, gate, 0, route.sink);
      return listener;
    }
    listeners.push(listener);
  }
  const looping = routes.findIndex((_, index) => leadsBack(index, routes, listeners));
  const { listener, sink } = routes[looping] ?? {};
  if (listener?.upstream === undefined || sink === undefined) return listeners;
  await drain(listeners, gate, 0, sink);
  return createFault('upstream-is-relay', formatAddress(listener.upstream));
}

/** A listener's upstream is itself, or another one that leads back to it, or a transparent one. */
function leadsBack(start: number, routes: readonly CallContext[], listeners: readonly Listener[]): boolean {
  let index = start;
  for (let step = 0; step < routes.length; step += 1) {
    const { listener, upstream } = routes[index] ?? {};
    // Our own connections are not diverted: this one would arrive at the transparent listener, and be refused.
    if (listener?.upstream === undefined || upstream === undefined) return index !== start;
    const { port } = listener.upstream;
    index = listeners.findIndex(
      ({ address }) =>
        address.port === port && upstream.addresses.some((each) => answersAt(address.address, each)),
    );
    if (index === start) return true;
    if (index < 0) return false;
  }
  return false;
}

/** `[::]:25` takes IPv4 too, unless `0.0.0.0:25` is there as well. */
function leavesIpv4({ listen }: ListenerConfig, routes: readonly CallContext[]): boolean {
  if (listen.host !== '::') return false;
  return routes.some((other) => {
    const { host, port } = other.listener.listen;
    return host === '0.0.0.0' && port === listen.port && port !== 0;
  });
}

/** Settles in any case: what is left when those that were ended have had their time is destroyed. */
async function drain(
  listeners: readonly Listener[],
  { admission, sockets }: Gate,
  patienceMs: number,
  sink: Sink,
): Promise<void> {
  for (const listener of listeners) listener.close();
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number): Promise<void> => new Promise((resolve) => timers.push(setTimeout(resolve, ms)));
  const ended = Promise.all(listeners.map((listener) => listener.ended)).then(() => sockets.whenNone());
  const atLast = async (): Promise<void> => {
    if (patienceMs > 0) await after(patienceMs);
    listeners.forEach((listener) => listener.endAll());
    await after(ENDING_MS);
    sink.note('warn', 'cut-off', { connections: admission.held, sockets: sockets.open });
    sockets.destroyAll();
    await after(CUT_MS);
  };
  await Promise.race([ended, atLast()]);
  timers.forEach(clearTimeout);
}

/** What `dismiss` gives the last words, and more. */
const ENDING_MS = 3_000;
/** Until a socket that was destroyed is closed. */
const CUT_MS = 500;
