// The control process: reads the ring, decides about servers, relays where that is configured. Frames need none of it.

import type { Micros } from '../../inspect/events';
import { now } from '../system/clock';
import type { Config } from '../config/config';
import { rulesThatRelay, withoutDefaults } from '../config/relayed-rules';
import { createPolicyInForce, type PolicyInForce } from '../config/reload';
import type { Endpoint } from '../../inspect/address';
import { openKeptEvidence } from '../report/evidence/evidence';
import { formatFault, isFault, type Fault } from '../system/fault';
import { SUBMISSIONS } from '../system/address';
import { startRelay, type Relay } from '../relay/relay';
import { createServers, type Servers } from '../servers/servers';
import { createNames, type Sink } from '../sinks/record';
import { redactionOf } from '../sinks/envelope-address';
import { createLearner } from './learner';
import { createPolicies, type Policies } from './policies';
import { createPace, createSteadyPace } from './pace';
import { createPriority } from './priority';
import { openProbes, type WireProbes } from '../sources/probes';
import { createReader } from './record-reader';
import { monotonic, readUntil } from './ring-loop';
import { openStore, readServers } from '../servers/store';
import type { KnownServer } from '../servers/saved';
import type { Wire } from './wire';

export interface RunOptions {
  readonly config: Config;
  /** The rules that hold: those of `config` may be replaced. */
  readonly policy: PolicyInForce;
  readonly sink: Sink;
  readonly wire: Wire;
  readonly path: 'auto' | 'wire' | 'relay';
  /** The interface that faces the clients. */
  readonly wan: string;
  /** Where connections can be handed to a relay: its mark, the bridge's address on the link, and not only by IPv4. */
  readonly relay: { readonly mark: number; readonly mac: string; readonly ipv6: boolean } | undefined;
  readonly signal: AbortSignal;
}

/**
 * Before the program sees its first frame: the ports, and what was learned of servers. Tables that are taken over
 * have it; those of another version, or made anew, would let greetings pass unrepaired until `runWire` fills them.
 */
export function prepareWire(config: Config, { adopted, tables }: Wire): void {
  if (adopted) return;
  const { repair, servers: decided } = config.greeting;
  const mustRelay = (): boolean => false;
  const asked = { path: 'wire', repair, servers: decided, canRelay: false, mustRelay } as const;
  const { unknown, apply, decide } = createPolicies(tables, asked);
  const { saved } = readServers(config.servers.file);
  decide(() => undefined);
  for (const { server, knowledge } of saved.servers) apply(server, knowledge);
  tables.setPorts(config.wire.ports);
  tables.configure({ unknown, relay: undefined });
}

/** Runs until the signal; then everything that is attached and pinned goes on by itself. */
export async function runWire(options: RunOptions): Promise<Fault | undefined> {
  const { config, sink, wire, path, relay: way, signal } = options;
  const store = openStore(config.servers.file, sink);
  const policies = openPolicies(options);
  const nextSession = createNames('w');
  const servers = openServers(options, policies, nextSession, store.saved.servers);
  bringIn(options, policies, servers);
  const relay = await openRelay(options, policies, servers);
  if (isFault(relay)) {
    servers.close();
    return relay;
  }
  wire.tables.setPorts(config.wire.ports);
  wire.tables.configure({
    unknown: policies.unknown,
    relay: way &&
      relay && {
        mark: way.mark,
        socketMark: socketMark(config, way.mark),
        mac: way.mac,
        port: relay.addresses[0]?.port ?? 0,
      },
  });
  const probes = openProbing(options);
  const evidence = openKeptEvidence(config, sink);
  const reader = createReader({
    sink,
    ports: config.wire.ports,
    implicitTlsPorts: config.wire.ports.filter((port) => port === SUBMISSIONS),
    redact: redactionOf(config.log.addresses),
    connections: config.wire.connections,
    servers,
    learner: createLearner({ patience: config.greeting.patienceMs * 1_000, knownOf: servers.knownOf }),
    probes,
    evidence,
    origin: createOrigin(),
    nextSession,
  });
  const pace = relay === undefined ? createPace(createPriority(sink, signal)) : createSteadyPace();
  sink.note('info', 'wire-open', { path, adopted: wire.adopted, relayed: relay !== undefined });
  store.report(store.saved.reported);
  store.share(servers);
  const { reported } = store.saved;
  await readUntil({ signal, wire, reader, evidence, sink, pace, servers, reported, report: store.report });
  // What waits for a relay that is going must not wait: from now on all of it crosses the bridge.
  wire.tables.configure({
    unknown: policies.unknown === 'relay' ? 'observe' : policies.unknown,
    relay: undefined,
  });
  await relay?.drain();
  servers.close();
  reader.end(now());
  probes?.close();
  await store.close();
  return undefined;
}

/**
 * A repair that the kernel withdrew while no process ran is not known any more. The others hold at once, and are verified
 * again at once.
 */
function openServers(
  { config, sink, wire: { tables } }: RunOptions,
  { apply }: Policies,
  nextSession: () => string,
  known: readonly KnownServer[],
): Servers {
  return createServers({
    sink,
    path: 'wire',
    patience: config.greeting.patienceMs * 1_000,
    connectMs: config.relay.timeoutsMs.connect,
    nextSession,
    known: known.filter(({ server }) => tables.server(server)?.contradicted !== true),
    decided: config.greeting.servers,
    onLearned: apply,
    settleMs: SETTLE_MS,
  });
}

function openPolicies({ config, policy, wire, path, relay, sink }: RunOptions): Policies {
  const { repair, servers } = config.greeting;
  const mustRelay = (server: Endpoint): boolean => rulesThatRelay(policy.current, server).length > 0;
  return createPolicies(
    wire.tables,
    { path, repair, servers, canRelay: relay !== undefined, mustRelay },
    sink,
  );
}

/** What the operator decided for single servers, and what the rules need, also when they are replaced. */
function bringIn(options: RunOptions, policies: Policies, servers: Servers): void {
  policies.decide(servers.knownOf);
  tellNotEnforced(options, policies);
  options.policy.listen(() => {
    policies.decide(servers.knownOf);
    for (const { server, knowledge } of servers.known()) policies.apply(server, knowledge);
    tellNotEnforced(options, policies);
  });
}

/** A rule that refuses something needs a relay. */
function tellNotEnforced({ policy, path, sink }: RunOptions, { unknown }: Policies): void {
  const rules = rulesThatRelay(policy.current);
  if (path === 'wire' || unknown === 'relay' || rules.length === 0) return;
  const because = 'no connection can be relayed here: see `ehlowire status`';
  sink.note('warn', 'rules-not-enforced', { rules: rules.join(', '), because });
}

/** A relay for what the wire may not do: transparent, on any free port, for this machine only. */
async function openRelay(
  { config, policy, path, sink, relay: way }: RunOptions,
  policies: Policies,
  servers: Servers,
): Promise<Relay | Fault | undefined> {
  if (policies.unknown !== 'relay' || way === undefined) return undefined;
  const listener = {
    upstream: undefined,
    repair: config.greeting.repair,
    tls: 'auto' as const,
    proxyIn: false,
    proxyOut: undefined,
  };
  // A family that finds no listener is not diverted.
  const listen = { host: way.ipv6 ? '::' : '0.0.0.0', port: 0 };
  const own: Config = {
    ...config,
    // The ring shows the client's leg; a capture would have to carry all that the wire carries.
    evidence: { ...config.evidence, watch: 'off' },
    relay: {
      ...config.relay,
      mark: socketMark(config, way.mark),
      listeners: [{ listen, ...listener }],
    },
  };
  return startRelay(own, sink, { servers, policy: path === 'auto' ? withoutTheDefaults(policy) : policy });
}

/** See `withoutDefaults`. */
function withoutTheDefaults(policy: PolicyInForce): PolicyInForce {
  const own = createPolicyInForce(withoutDefaults(policy.current));
  policy.listen((next) => own.replace(withoutDefaults(next)));
  return own;
}

/**
 * The relay's sockets have it, and those of a process that takes its port after it was killed do not: only a process that may
 * change the network can set it. Not the frames' own mark: its routing rule would bring the relay's answers back here.
 */
function socketMark({ relay }: Config, framesMark: number): number {
  if (relay.mark !== 0) return relay.mark;
  return framesMark > 1 ? framesMark - 1 : framesMark + 1;
}

function openProbing({ config, sink, wan }: RunOptions): WireProbes | undefined {
  if (config.evidence.probeAfterMs === 0) return undefined;
  const probes = openProbes(wan);
  if (!isFault(probes)) return probes;
  sink.note('warn', 'probes-off', { interface: wan, message: formatFault(probes) });
  return undefined;
}

/** Anchored once, so that differences stay exact; moved where the wall clock was stepped. */
function createOrigin(): () => Micros {
  let origin = 0;
  let checked = 0;
  return () => {
    const looked = performance.now();
    if (looked - checked < CHECK_MS && origin !== 0) return origin;
    checked = looked;
    const found = now() - monotonic();
    if (Math.abs(found - origin) > STEP) origin = found;
    return origin;
  };
}

/** A repair of our own in the way of our own connection is in the ring by then. */
const SETTLE_MS = 1_500;
const CHECK_MS = 1_000;
const STEP: Micros = 10_000;
