// Relays that run by themselves, for a person and as JSON.

import type { RelayStatus, RelayStatuses } from '../../proxy/relay/status-file';
import { printable } from '../../proxy/sinks/wording';
import { hiddenClients } from '../../proxy/relay/origin';
import { learnedLines } from './servers';

export function linesOfRelays({ relays, closed }: RelayStatuses): readonly string[] {
  return [
    ...relays.flatMap(relayText),
    ...closed.map((folder) => `Only root can see the relays of ${folder}`),
  ];
}

function relayText({
  pid,
  since,
  version,
  listeners,
  counters,
  clients,
  servers,
  suspects,
}: RelayStatus): readonly string[] {
  const { active, accepted, blocked, unreachable } = counters;
  const count = (number: number): string => number.toLocaleString('en');
  return [
    `Relaying, by process ${pid}, since ${printable(since)}, version ${printable(version)}`,
    ...listeners.map(
      ({ listen, upstream }) =>
        `  ${printable(listen)} → ${upstream === undefined ? 'the server that each client addressed' : printable(upstream)}`,
    ),
    `  connections: ${count(active)} open, ${count(accepted)} accepted so far, ${count(blocked)} refused, ${count(unreachable)} whose server could not be reached`,
    ...(clients?.hidden ? [`  clients: ${hiddenClients(clients)}`] : []),
    '  servers:',
    ...learnedLines(servers, suspects).map((line) => `    ${line}`),
  ];
}
