// The relay path: every listener with its upstream, from the start to the last connection.

import type { Config, ListenerConfig } from '../config';
import { formatAddress } from '../address';
import { formatFault, isFault, type Fault } from '../fault';
import type { Endpoint, Sink } from '../sinks/record';
import { createCap } from './caps';
import { createComplaints } from './complaints';
import { SUBMISSIONS, type Route } from './call';
import { openListener, type Counters, type Gate, type Listener } from './listener';
import { createMemory } from './memory';
import { resolveUpstream } from './upstream';
import { createWatch, type Watch, type WatchOptions } from './watch';

export interface Relay {
  /** Where it listens, in the order of the configuration; ports are the real ones. */
  readonly addresses: readonly Endpoint[];
  /** Takes no more connections, lets those there are end, and ends them after `relay.drainMs`. */
  drain(): Promise<void>;
  /** Takes no more connections and ends those there are. */
  stop(): Promise<void>;
  readonly counters: Readonly<Counters> & {
    /** Connections that are open now. */
    readonly active: number;
  };
}

/**
 * Opens all listeners, or none. Rejects with a `Fault` where an upstream's name is not found or an address
 * cannot be listened on.
 */
export async function startRelay(config: Config, sink: Sink): Promise<Relay> {
  const { relay } = config;
  const gate: Gate = {
    total: createCap(relay.maxConnections),
    perClient: createCap(relay.maxConnectionsPerClient),
    counters: { accepted: 0, blocked: 0, unreachable: 0 },
  };
  const watch = createWatch(sink);
  const routes = await resolveRoutes(config, sink, gate, watch);
  const listeners = await openAll(routes, gate);
  if (config.evidence.watch === 'auto') watch.open(watchOptions(config, listeners));
  listeners.forEach(({ address }, index) => {
    const { host, port } = routes[index]?.listener.upstream ?? { host: '', port: 0 };
    const listen = formatAddress({ host: address.address, port: address.port });
    sink.note('info', 'listening', { listen, upstream: formatAddress({ host, port }) });
  });
  return {
    addresses: listeners.map(({ address }) => address),
    drain: () => drain(listeners, relay.drainMs).finally(watch.close),
    stop: () => drain(listeners, 0).finally(watch.close),
    counters: {
      get accepted() {
        return gate.counters.accepted;
      },
      get blocked() {
        return gate.counters.blocked;
      },
      get unreachable() {
        return gate.counters.unreachable;
      },
      get active() {
        return gate.total.held;
      },
    },
  };
}

async function resolveRoutes(config: Config, sink: Sink, gate: Gate, watch: Watch): Promise<Route[]> {
  const memory = createMemory();
  const complaints = createComplaints(sink);
  const nextSession = createNames();
  const onUnreachable = (fault: Fault): void => {
    gate.counters.unreachable += 1;
    complaints.tell(`upstream-${fault.code}`, fault.on, { upstream: fault.on, message: formatFault(fault) });
  };
  const routes: Route[] = [];
  for (const listener of config.relay.listeners) {
    const upstream = await resolveUpstream(listener.upstream);
    if (isFault(upstream)) throw upstream;
    routes.push({ listener, upstream, config, sink, memory, complaints, watch, nextSession, onUnreachable });
  }
  return routes;
}

/** The ports as they are: a listener on port 0 has been given one. */
function watchOptions({ evidence, relay }: Config, listeners: readonly Listener[]): WatchOptions {
  const upstreams = relay.listeners.map(({ upstream }) => upstream.port);
  const ports = [...new Set([...listeners.map(({ address }) => address.port), ...upstreams])];
  return {
    interface: evidence.interface,
    ports,
    implicitTlsPorts: ports.filter((port) => port === SUBMISSIONS),
  };
}

async function openAll(routes: readonly Route[], gate: Gate): Promise<Listener[]> {
  const listeners: Listener[] = [];
  for (const route of routes) {
    const listener = await openListener(route, gate, { ipv6Only: leavesIpv4(route.listener, routes) });
    if (isFault(listener)) {
      await drain(listeners, 0);
      throw listener;
    }
    listeners.push(listener);
  }
  return listeners;
}

/** `[::]:25` takes IPv4 too, unless `0.0.0.0:25` is there as well. */
function leavesIpv4({ listen }: ListenerConfig, routes: readonly Route[]): boolean {
  if (listen.host !== '::') return false;
  return routes.some((other) => {
    const { host, port } = other.listener.listen;
    return host === '0.0.0.0' && port === listen.port && port !== 0;
  });
}

async function drain(listeners: readonly Listener[], patienceMs: number): Promise<void> {
  const endAll = (): void => listeners.forEach((listener) => listener.endAll());
  for (const listener of listeners) listener.close();
  if (patienceMs === 0) endAll();
  const timer = patienceMs === 0 ? undefined : setTimeout(endAll, patienceMs);
  await Promise.all(listeners.map(({ ended }) => ended));
  clearTimeout(timer);
}

/** Session ids: the millisecond of the start, then a number, both in base 36. Unique over restarts. */
function createNames(): () => string {
  const start = Date.now().toString(36);
  let count = 0;
  return () => {
    count += 1;
    return `${start}-${count.toString(36)}`;
  };
}
