// Relays that run by themselves, for a person and as JSON.

import { formatAddress } from '../../proxy/address';
import type { ServerKnowledge } from '../../proxy/servers/knowledge';
import type { RelayState, RelayStates } from '../../proxy/relay/state';
import { printable } from '../../proxy/sinks/wording';

export function linesOfRelays({ relays, closed }: RelayStates): readonly string[] {
  return [
    ...relays.flatMap(relayText),
    ...closed.map((folder) => `Relays that tell of themselves in ${folder} can be seen by root only`),
  ];
}

function relayText({ pid, since, version, listeners, counters, servers }: RelayState): readonly string[] {
  const { active, accepted, blocked, unreachable } = counters;
  const count = (number: number): string => number.toLocaleString('en');
  return [
    `Relaying, by process ${pid}, since ${printable(since)}, version ${printable(version)}`,
    ...listeners.map(
      ({ listen, upstream }) =>
        `  ${printable(listen)} → ${upstream === undefined ? 'the server that each client meant' : printable(upstream)}`,
    ),
    `  connections: ${count(active)} open, ${count(accepted)} taken so far, ${count(blocked)} turned away, ${count(unreachable)} whose server could not be reached`,
    '  servers:',
    ...(servers.length === 0 ? ['    none known yet'] : servers.slice(-SERVERS).map(serverLine)),
    ...(servers.length > SERVERS ? [`    … ${servers.length - SERVERS} more: --json`] : []),
  ];
}

/** All that is known of one server. */
function serverLine({ server, knowledge, way }: ServerKnowledge): string {
  const where = formatAddress({ host: server.address, port: server.port });
  return `    ${where.padEnd(28)}${knowledge.greeting}, ${knowledge.policy}: ${WAYS[way]}`;
}

/** How it was learned. */
const WAYS: Readonly<Record<ServerKnowledge['way'], string>> = {
  seen: 'as its connections showed',
  verified: 'verified by a connection of our own',
  networks: 'seen by clients of several networks',
};

const SERVERS = 20;
