// `ehlowire bridge`: in line between two interfaces.

import type { Config } from '../../proxy/config/config';
import { createPolicyInForce } from '../../proxy/config/reload';
import { isFault, isFaults, type Outcome } from '../../proxy/system/fault';
import { type RunOptions, runWire } from '../../proxy/wire/run';
import { readLinks } from '../network/links';
import { enterBridge, enterHost, type InPlace } from '../attach/attach';
import { type BridgeFlags, type HostFlags, readPath, type Start, withoutRelay } from './flags';
import { serve } from './serve';

/** Stays until a signal ends it. */
export async function runBridge(given: Start, { path: asked, wan, lan }: BridgeFlags): Promise<Outcome> {
  const path = readPath(asked);
  if (isFault(path)) return path;
  const start = path === 'wire' ? withoutRelay(given, '--path wire') : given;
  if (isFaults(start)) return start;
  const { config } = start;
  const policy = createPolicyInForce(config.policy);
  const { bridge: name, mark, table, priority } = config.deploy;
  const divert = path === 'wire' || mark === 0 ? undefined : { mark, table, priority };
  const wish = { ports: { wan, lan }, name, pins: config.wire.pins, divert, mustRelay: path === 'relay' };
  return serve({
    start,
    policy,
    getIn: (hands) => enterBridge(wish, hands),
    run: (place, wire, sink, signal) =>
      runWire({ config, policy, sink, wire, path, wan, relay: relayOf(config, place), signal }),
  });
}

function relayOf({ deploy }: Config, { journal, divert }: InPlace): RunOptions['relay'] {
  if (divert === undefined || divert.families.length === 0 || journal.place.kind !== 'bridge')
    return undefined;
  const { bridge } = journal.place;
  const links = readLinks();
  const mac = isFault(links) ? undefined : links.find(({ name }) => name === bridge)?.address;
  return mac === undefined ? undefined : { mark: deploy.mark, mac, ipv6: divert.families.includes(6) };
}

/** Stays until a signal ends it. */
export async function runHost(given: Start, { dev }: HostFlags): Promise<Outcome> {
  const start = withoutRelay(given, '`ehlowire host`', ON_HOST);
  if (isFaults(start)) return start;
  const { config } = start;
  const policy = createPolicyInForce(config.policy);
  return serve({
    start,
    policy,
    getIn: (hands) => enterHost(dev, config.wire.pins, hands),
    run: (_, wire, sink, signal) =>
      runWire({ config, policy, sink, wire, path: 'wire', wan: dev, relay: undefined, signal }),
  });
}

const ON_HOST =
  'on a host nothing is held or changed: use `ehlowire bridge` or `ehlowire relay`, or set it to observe, or leave it out';
