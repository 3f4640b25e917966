// Watching a relay's own connections: opened before it listens, begun when its ports are known.

import type { Endpoint } from '../../inspect/address';
import type { Config } from '../config/config';
import { openKeptEvidence } from '../report/evidence/evidence';
import { redactionOf } from '../sinks/envelope-address';
import type { Sink } from '../sinks/record';
import { SMTP_PORTS, SUBMISSIONS } from '../system/address';
import { ANY, createRelayCapture, type RelayCapture, type RelayCaptureOptions } from './capture';

/** It sees nothing until `openWatch`, and where the configuration says so it never does. */
export function createWatch(config: Config, sink: Sink): RelayCapture {
  const watched = config.evidence.watch !== 'off';
  return createRelayCapture(sink, watched ? openKeptEvidence(config, sink) : undefined);
}

/** Between two transparent sockets a frame does not say which leg it is of; its interface does. */
export function openWatch(watch: RelayCapture, config: Config, sink: Sink): void {
  const { listeners } = config.relay;
  if (config.evidence.watch === 'off') return;
  const transparent = listeners.filter(({ upstream }) => upstream === undefined).length;
  const blind = config.evidence.interface === ANY ? transparent : 0;
  if (blind > 0) {
    const message = 'evidence.interface must name the interface that clients, and no servers, come in by';
    sink.note('warn', 'evidence-off', { message, unseen: 'segments of transparent connections' });
  }
  if (blind < listeners.length) watch.open({ interface: config.evidence.interface, ...watchedPorts(config) });
}

/** `addresses`: of the listeners, in the order of the configuration. */
export function beginWatch(watch: RelayCapture, config: Config, addresses: readonly Endpoint[]): void {
  watch.begin({ ...watchedPorts(config, addresses), redact: redactionOf(config.log.addresses) });
}

/** Ports of listeners as they are; before those are open, as they are configured. */
function watchedPorts(
  { relay }: Config,
  open: readonly Endpoint[] = [],
): Pick<RelayCaptureOptions, 'ports' | 'implicitTlsPorts'> {
  const all = relay.listeners.flatMap(({ upstream, listen }, index) =>
    upstream ? [upstream.port, open[index]?.port ?? listen.port] : SMTP_PORTS,
  );
  const ports = [...new Set(all)];
  return { ports, implicitTlsPorts: ports.filter((port) => port === SUBMISSIONS) };
}
