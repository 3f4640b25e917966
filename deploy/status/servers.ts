// What is known of servers, a line each, for a person.

import { formatEndpoint } from '../../proxy/system/address';
import { decideFor } from '../../proxy/config/servers';
import type { KnownServer, Suspect } from '../../proxy/servers/saved';
import { printable } from '../../proxy/sinks/wording';

/** All of them, those that need a decision last. */
export function learnedLines(
  servers: readonly KnownServer[],
  suspects: readonly Suspect[],
): readonly string[] {
  const lines = servers.slice(-SHOWN).map(serverLine);
  const more = servers.length > SHOWN ? [`… ${servers.length - SHOWN} more: --json`] : [];
  const open = suspects.slice(-SHOWN).flatMap(suspectLines);
  const all = [...more, ...lines, ...open];
  return all.length === 0 ? ['none yet'] : all;
}

function serverLine({ server, knowledge, way }: KnownServer): string {
  return `${where(server)}${knowledge.greeting}, ${knowledge.policy}: ${WAYS[way]}`;
}

function suspectLines({
  server,
  greeting,
  clients,
  networks,
  honest,
  unreachable,
}: Suspect): readonly string[] {
  const seen = `${clients} client${clients === 1 ? '' : 's'} of ${networks} network${networks === 1 ? '' : 's'}`;
  const own =
    unreachable === undefined
      ? `ehlowire's own connections got a complete greeting ${honest} time${honest === 1 ? '' : 's'}`
      : `ehlowire cannot connect to it (${printable(unreachable)})`;
  return [
    `${where(server)}suspected ${greeting}, not repaired: seen by ${seen}; ${own}`,
    `  ${decideFor(server)}; otherwise nothing changes until both show the same`,
  ];
}

function where(server: KnownServer['server']): string {
  return formatEndpoint(server).padEnd(28);
}

/** How it was learned. */
const WAYS: Readonly<Record<KnownServer['way'], string>> = {
  seen: "as clients' connections showed",
  verified: "verified by a connection of ehlowire's own",
  networks: 'shown by clients of three networks, because ehlowire cannot connect to it',
};
const SHOWN = 20;
