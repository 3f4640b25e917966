// A server, the relay before it and a sink that remembers, for one scene.

import type { Close } from '../../../inspect/events';
import { parseNetwork, type Network } from '../../../proxy/system/address';
import type { LoadLimits } from '../../../inspect/policy/limits-of-load';
import type { Rules } from '../../../inspect/policy/rules';
import type { PolicyConfig } from '../../../proxy/config/policy';
import { policyOf } from '../../../proxy/config/reload';
import type { Config, ListenerConfig, TimeoutsMs } from '../../../proxy/config/config';
import { startRelay, type Relay } from '../../../proxy/relay/relay';
import { formatFault, isFault, type Fault } from '../../../proxy/system/fault';
import { createBounds } from '../../../proxy/sinks/bounds';
import type { Connection, Fields, Recorded, Sink } from '../../../proxy/sinks/record';
import { eventually, firstOf, playServer, type Peer, type Played } from './peers';

export interface Remembered extends Sink {
  readonly lines: { readonly connection: Connection | undefined; readonly event: Recorded }[];
  readonly notes: { readonly what: string; readonly fields: Fields }[];
  of<K extends Recorded['kind']>(kind: K): Extract<Recorded, { kind: K }>[];
}

export function rememberingSink(): Remembered {
  const lines: Remembered['lines'] = [];
  const notes: Remembered['notes'] = [];
  const bounds = createBounds(() => undefined);
  return {
    lines,
    notes,
    of: (kind) => lines.map(({ event }) => event).filter((event) => event.kind === kind) as never,
    write: (connection, event) => void lines.push({ connection, event }),
    note(_level, what, given = {}, about) {
      const fields = about === undefined ? given : bounds.admitAbout(what, about, given);
      if (fields) notes.push({ what, fields });
    },
    waiting: () => 0,
    reopen: () => undefined,
    close: () => Promise.resolve(),
  };
}

export interface Wishes {
  readonly listeners?: readonly Partial<ListenerConfig>[];
  readonly timeouts?: Partial<TimeoutsMs>;
  readonly trusted?: readonly string[];
  readonly relay?: Partial<Config['relay']>;
  readonly greeting?: Partial<Config['greeting']>;
  /** Instead of the defaults. */
  readonly rules?: Partial<Rules>;
  readonly limits?: Partial<LoadLimits>;
}

/** Policy as it is where nothing is configured. */
export function defaultPolicy(rules: Partial<Rules> = {}): PolicyConfig {
  const policy = policyOf({});
  return { ...policy, rules: { ...policy.rules, ...rules } };
}

function withLimits(policy: PolicyConfig, limits: Partial<LoadLimits> = {}): PolicyConfig {
  return { ...policy, limits: { ...policy.limits, ...limits } };
}

export function configOf(upstreamPort: number, wishes: Wishes = {}): Config {
  const { listeners = [{}], timeouts = {}, trusted = [], relay = {}, greeting = {} } = wishes;
  const hour = 3_600_000;
  const names = ['connect', 'proxyHeader', 'greeting', 'hello', 'mail', 'rcpt', 'data', 'block', 'message'];
  const all = Object.fromEntries([...names, 'command', 'opaque'].map((name) => [name, hour]));
  return {
    log: { file: undefined, format: 'auto', level: 'info', addresses: 'full' },
    greeting: {
      repair: 'learn',
      servers: new Map(),
      patienceMs: hour,
      hostname: 'shim.example',
      ...greeting,
    },
    servers: { file: undefined },
    evidence: {
      watch: 'off',
      interface: 'any',
      probeAfterMs: 0,
      folder: undefined,
      connections: 1,
      octets: 1,
    },
    relay: {
      listeners: listeners.map((listener) => ({
        listen: { host: '127.0.0.1', port: 0 },
        upstream: { host: '127.0.0.1', port: upstreamPort },
        repair: 'learn',
        tls: 'auto',
        proxyIn: false,
        proxyOut: undefined,
        ...listener,
      })),
      trustedProxies: trusted.map((text) => parseNetwork(text) as Network),
      workers: 1,
      maxConnections: 100,
      drainMs: hour,
      state: undefined,
      mark: 0,
      timeoutsMs: { ...(all as unknown as TimeoutsMs), ...timeouts },
      ...relay,
    },
    policy: withLimits(defaultPolicy(wishes.rules), wishes.limits),
    wire: { pins: '/nowhere', attach: 'auto', ports: [25], ringOctets: 1 << 26, connections: 1_000 },
    deploy: { bridge: 'none', journal: '/nowhere', mark: 0, table: 1, priority: 1 },
    values: new Map(),
  };
}

export interface Stage {
  readonly server: Played;
  readonly relay: Relay;
  readonly sink: Remembered;
  readonly port: number;
}

/** Server, relay, the scene, and everything away again. */
export async function onStage(
  play: (peer: Peer) => void,
  wishes: Wishes,
  scene: (stage: Stage) => Promise<void>,
): Promise<void> {
  const server = await playServer(play);
  const sink = rememberingSink();
  const relay = await openRelay(configOf(server.port, wishes), sink);
  try {
    await scene({ server, relay, sink, port: relay.addresses[0]?.port ?? 0 });
  } finally {
    await relay.stop();
    await server.close();
  }
}

/** A relay that starts. */
export async function openRelay(...args: Parameters<typeof startRelay>): Promise<Relay> {
  const relay = await startRelay(...args);
  if (isFault(relay)) throw new Error(formatFault(relay));
  return relay;
}

/** Why a relay does not start; undefined: it does. */
export async function faultOf(config: Config): Promise<Fault | undefined> {
  const relay = await startRelay(config, rememberingSink());
  if (isFault(relay)) return relay;
  await relay.stop();
  return undefined;
}

/** The close of a scene's one session line. */
export async function closeOf({ of }: Remembered): Promise<Close> {
  await eventually('a session line', () => of('session').length > 0);
  const sessions = of('session');
  if (sessions.length !== 1) throw new Error(`${sessions.length} session lines`);
  return firstOf(sessions).close;
}

/** The server's side of a scene's first connection. */
export async function upstreamOf({ server }: Stage): Promise<Peer> {
  await eventually('the upstream was reached', () => server.peers.length > 0);
  return firstOf(server.peers);
}
