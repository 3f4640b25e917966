// The gate: coverage decides what a finding may become. There is no other way from a judge to a verdict.

import type { Anomaly, AnomalyEvent, VerdictEvent } from '../events';
import { isSeenSide, isWhole, type Coverage } from './coverage';
import type { Finding, Premise } from './finding';

/** The verdict that coverage allows; absent where it may not be said. */
export function admit({ worth, premises, ...facts }: Finding, coverage: Coverage): VerdictEvent | undefined {
  const holds = (premise: Premise): boolean => HOLDS[premise](coverage);
  if (!premises.toSay.every(holds)) return undefined;
  const proved = worth === 'proved' && (premises.toProve ?? NONE).every(holds);
  return { kind: 'verdict', ...facts, certainty: proved ? 'proved' : 'suspected' };
}

const HOLDS: Readonly<Record<Premise, (coverage: Coverage) => boolean>> = {
  'both-sides': ({ client, server }) => client.segments > 0 && server.segments > 0,
  handshake: ({ client, server }) => client.begin !== 'unseen' && server.begin !== 'unseen',
  options: ({ client, server }) => client.begin === 'seen' && server.begin === 'seen',
  'client-octets': ({ client }) => isSeenSide(client),
  'server-octets': ({ server }) => isSeenSide(server),
  'nothing-missed': ({ client, server, blind }) => !blind && client.missed === 0 && server.missed === 0,
  'losses-counted': ({ counted }) => counted,
  'in-order': ({ client, server }) => client.disordered === 0 && server.disordered === 0,
};

/**
 * Whether an oddity of the dialogue may be said. What was not observed can look like any of them; of a silence nothing that
 * was observed tells it.
 */
export function isAdmitted({ anomaly }: Pick<AnomalyEvent, 'anomaly'>, coverage: Coverage): boolean {
  return OF_COVERAGE.has(anomaly) || (isWhole(coverage) && (coverage.counted || anomaly !== 'silence'));
}

/** They say themselves that something was not observed, or that no more is read. */
const OF_COVERAGE: ReadonlySet<Anomaly> = new Set(['gap', 'opaque']);
const NONE: readonly Premise[] = [];
