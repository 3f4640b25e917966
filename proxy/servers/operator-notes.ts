// What the operator reads between two `learned` lines: suspicions, what our own connections showed, and what to decide.

import { isContested, type Standing, type Verification } from '../../inspect/greeting/lesson';
import { formatEndpoint } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { decideFor, type Repair } from '../config/servers';
import type { Sink } from '../sinks/record';

/** The first client that saw it is news. */
export function tellSuspicion(sink: Sink, server: Endpoint, before: Standing, { suspicion }: Standing): void {
  if (suspicion === undefined || suspicion === before.suspicion || suspicion.clients > 1) return;
  const { knowledge, because } = suspicion.finding;
  sink.note('warn', 'server-suspected', {
    server: formatEndpoint(server),
    greeting: knowledge.greeting,
    because,
    next: VERIFYING,
  });
}

export function tellVerification(
  sink: Sink,
  endpoint: Endpoint,
  before: Standing,
  after: Standing,
  result: Verification,
  decided: Repair | undefined,
): void {
  const server = formatEndpoint(endpoint);
  const next = decided === undefined ? decideFor(endpoint) : `greeting.servers says "${decided}" for it`;
  if (result.kind === 'unreachable') {
    if (before.own.unreachable === result.why) return;
    return sink.note('warn', 'server-unverified', { server, why: result.why, next: `${BY_HAND}; ${next}` });
  }
  const { knowledge, because } = result.finding;
  const { greeting, policy } = knowledge;
  sink.note('info', 'server-verified', { server, greeting, policy, because });
  if (!isContested(after)) return;
  sink.note('warn', 'server-contested', {
    server,
    clients: after.suspicion?.clients,
    clients_greeting: after.suspicion?.finding.knowledge.greeting,
    own: after.own.honest,
    own_greeting: greeting,
    next: `${CONTESTED}; ${next}`,
  });
}

const VERIFYING =
  'ehlowire connects to the server itself to verify it; until then nothing is repaired for other clients';
const BY_HAND = 'clients of three networks must show the same before it is repaired for all';
const CONTESTED = 'clients and ehlowire are greeted in different ways, so nothing is learned of it for all';
