// Rules of chance, and what a dialogue must know of them.

import type { Chance } from '../degraded/chance';
import type { Rules } from './rules';

export interface FuzzRules {
  /** For `--set policy.KEY=VALUE`. */
  readonly settings: Rules;
  /** Verbs that the server may not get. */
  readonly refused: readonly string[];
  /** Of the EHLO reply, never to be seen by a client. */
  readonly hidden: readonly string[];
  /** AUTH before TLS is refused. */
  readonly noAuth: boolean;
  /** The 220 to STARTTLS ends all that is plain. */
  readonly guardsTls: boolean;
  /** Groups of commands are as RFC 2920 §3.1 has them: NOOP and VRFY only at the end of one. */
  readonly strictGroups: boolean;
}

const REFUSED = ['VRFY', 'EXPN', 'DEBUG', 'WIZ', 'TURN', 'XEXCH50', 'XCLIENT', 'XFORWARD'];
const FURTHER = ['ETRN', 'HELP', 'XSEND', 'SAML', 'X-SECRET'];
/** Keywords, and the verbs that they offer. */
const KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  CHUNKING: ['BDAT'],
  PIPELINING: [],
  DSN: [],
  ETRN: ['ETRN'],
  VRFY: ['VRFY'],
};
const STRICTNESS = ['off', 'observe', 'enforce'];

export function makeRules(chance: Chance): FuzzRules {
  const pick = (from: readonly string[]): string => from[chance.below(from.length)] ?? '';
  const some = (from: readonly string[], share: number): string[] => from.filter(() => chance.next() < share);
  // All at their defaults in one of four, since that is what most will have.
  if (chance.below(4) === 0) {
    return {
      settings: {},
      refused: REFUSED,
      hidden: [],
      noAuth: false,
      guardsTls: true,
      strictGroups: false,
    };
  }
  const further = some(FURTHER, 0.5);
  const hidden = some(Object.keys(KEYWORDS), 0.4);
  const [starttls, authBeforeTls, synchronization] = [pick(STRICTNESS), pick(STRICTNESS), pick(STRICTNESS)];
  const settings: Rules = {
    smuggling: pick(['off', 'observe', 'normalize', 'enforce']),
    starttls,
    synchronization,
    lines: pick(STRICTNESS),
    nul: pick(STRICTNESS),
    authBeforeTls,
    refusedCommands: [...REFUSED, ...further].join(','),
    ...(hidden.length > 0 ? { hiddenKeywords: hidden.join(',') } : {}),
    // All clients here have one address, and many of them are a nuisance.
    ...(chance.below(3) === 0 ? {} : { load: 'off' }),
    ...(chance.below(3) === 0 ? { banner: 'fuzz.example ESMTP' } : {}),
  };
  return {
    settings,
    refused: [...REFUSED, ...further, ...hidden.flatMap((keyword) => KEYWORDS[keyword] ?? [])],
    hidden,
    noAuth: authBeforeTls === 'enforce',
    guardsTls: starttls === 'enforce',
    strictGroups: synchronization === 'enforce',
  };
}
