// The limits of the rule `load`, as configured.

import type { Micros } from '../../inspect/events';
import type { ClientLimit, LoadLimits } from '../../inspect/policy/limits-of-load';

export function readLimits(get: (key: string) => unknown): LoadLimits {
  const of = (name: string): number => get(`policy.limits.${name}`) as number;
  const most = (name: string): number => of(name) || Number.POSITIVE_INFINITY;
  const micros = (name: string): Micros => of(name) * 1_000;
  const ofClients = (name: keyof typeof STANDARD): ClientLimit => {
    const chosen = get(`policy.limits.${name}`) as number | null;
    return { most: chosen === null ? STANDARD[name] : most(name), chosen: chosen !== null };
  };
  return {
    connectionsPerClient: ofClients('connectionsPerClient'),
    connectionsPerNetwork: ofClients('connectionsPerNetwork'),
    newPerMinute: ofClients('newPerMinute'),
    errors: most('errors'),
    errorsWithoutTransaction: most('errorsWithoutTransaction'),
    errorsBeforeDelay: most('errorsBeforeDelay'),
    errorDelay: micros('errorDelay'),
    messages: most('messages'),
    firstCommand: micros('firstCommand'),
    commandLine: micros('commandLine'),
    messageRate: of('messageRate'),
    withoutTransaction: micros('withoutTransaction'),
    busyWait: micros('busyWait'),
    refusalDelay: micros('refusalDelay'),
  };
}

/**
 * Postfix and Exim open 20 connections to a host, qmail up to 255; a network of Google or Microsoft sends from some hundred
 * hosts. 50 new ones a second: a mailing list that opens one for each message, 20 at a time, stays below.
 */
export const STANDARD = {
  connectionsPerClient: 256,
  connectionsPerNetwork: 1_024,
  newPerMinute: 3_000,
} as const;
