// `ehlowire host`: the wire path on the mail server's own interface.

import type { Outcome } from '../../proxy/commands/outcome';
import { runWire } from '../../proxy/wire/run';
import { enterHost } from '../place';
import { isConfig, readConfig, type HostFlags } from './flags';
import { serve } from './serve';

/** Stays until a signal ends it. */
export async function runHost(flags: HostFlags): Promise<Outcome> {
  const config = readConfig(flags);
  if (!isConfig(config)) return config;
  return serve({
    config,
    getIn: (hands) => enterHost(flags.dev, config.wire.pins, hands),
    run: (_, wire, sink, signal) =>
      runWire({ config, sink, wire, path: 'wire', wan: flags.dev, relay: undefined, signal }),
  });
}
