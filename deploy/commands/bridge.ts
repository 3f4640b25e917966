// `ehlowire bridge`: in line between two interfaces.

import type { Config } from '../../proxy/config';
import { createFault, isFault, type Fault } from '../../proxy/fault';
import type { Outcome } from '../../proxy/commands/outcome';
import { runWire, type RunOptions } from '../../proxy/wire/run';
import { retreat, type Hands } from '../journal/enter';
import { readLinks } from '../network/links';
import { enterBridge, isFaults, type InPlace } from '../place';
import { isConfig, readConfig, readPath, type BridgeFlags, type Path } from './flags';
import { serve } from './serve';

/** Stays until a signal ends it. */
export async function runBridge(flags: BridgeFlags): Promise<Outcome> {
  const path = readPath(flags.path);
  if (isFault(path)) return path;
  const config = readConfig(flags);
  if (!isConfig(config)) return config;
  return serve({
    config,
    getIn: (hands) => getIn(config, flags, path, hands),
    run: (place, wire, sink, signal) =>
      runWire({ config, sink, wire, path, wan: flags.wan, relay: relayOf(config, place), signal }),
  });
}

function getIn(
  config: Config,
  { wan, lan }: BridgeFlags,
  path: Path,
  hands: Hands,
): InPlace | readonly Fault[] {
  const { bridge: name, mark, table, priority } = config.deploy;
  const divert = path === 'wire' || mark === 0 ? undefined : { mark, table, priority };
  const place = enterBridge({ ports: { wan, lan }, name, pins: config.wire.pins, divert }, hands);
  if (isFaults(place) || path !== 'relay' || (place.divert?.families.length ?? 0) > 0) return place;
  // Asked for and impossible: the wire would be another thing than what was asked for.
  const because = place.divert?.because.join('; ') ?? 'deploy.mark is 0';
  return [createFault('no-way-to-relay', because), ...retreat(hands.file, place.journal)];
}

function relayOf({ deploy }: Config, { journal, divert }: InPlace): RunOptions['relay'] {
  if (divert === undefined || divert.families.length === 0 || journal.place.kind !== 'bridge')
    return undefined;
  const { bridge } = journal.place;
  const links = readLinks();
  const mac = isFault(links) ? undefined : links.find(({ name }) => name === bridge)?.address;
  return mac === undefined ? undefined : { mark: deploy.mark, mac, ipv6: divert.families.includes(6) };
}
