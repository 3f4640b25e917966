// `ehlowire host`: the wire path on the mail server's own interface.

import type { Config } from '../../proxy/config/config';
import type { Outcome } from '../../proxy/system/fault';
import { runWire } from '../../proxy/wire/run';
import { enterHost } from '../attach/attach';
import type { HostFlags } from './flags';
import { serve } from './serve';

/** Stays until a signal ends it. */
export async function runHost(config: Config, { dev }: HostFlags): Promise<Outcome> {
  return serve({
    config,
    getIn: (hands) => enterHost(dev, config.wire.pins, hands),
    run: (_, wire, sink, signal) =>
      runWire({ config, sink, wire, path: 'wire', wan: dev, relay: undefined, signal }),
  });
}
