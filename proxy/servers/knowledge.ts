// What is known of servers as a plain value, which survives a restart as JSON. Where it is kept is the caller's.

import ipaddr from 'ipaddr.js';
import type { GreetingClass, Policy } from '../../inspect/events';
import type { GreetingKnowledge } from '../../inspect/smtp/greeter';
import { isRepair, type Way } from '../../inspect/smtp/greeting-lesson';
import type { Endpoint } from '../sinks/record';

export interface ServerKnowledge {
  readonly server: Endpoint;
  readonly knowledge: GreetingKnowledge;
  readonly way: Way;
}

/** `JSON.stringify` and `JSON.parse` keep it as it is. */
export interface SavedKnowledge {
  readonly schema: typeof SCHEMA;
  /** The least recently used server first. */
  readonly servers: readonly ServerKnowledge[];
}

export function saveKnowledge(servers: readonly ServerKnowledge[]): SavedKnowledge {
  return { schema: SCHEMA, servers };
}

/**
 * Reads what was saved. An entry that makes no sense is left out, and so is another schema (the first one kept repairs
 * that nobody had verified): it would only have to be learned again, while a wrong one would make us guess.
 */
export function readKnowledge(saved: unknown): readonly ServerKnowledge[] {
  if (!isRecord(saved) || saved['schema'] !== SCHEMA || !Array.isArray(saved['servers'])) return [];
  return saved['servers'].flatMap((each: unknown) => readServer(each) ?? []);
}

function readServer(saved: unknown): ServerKnowledge | undefined {
  if (!isRecord(saved) || !isRecord(saved['server']) || !isRecord(saved['knowledge'])) return undefined;
  const { address, port } = saved['server'];
  const { greeting, policy, lines, delay } = saved['knowledge'];
  if (typeof address !== 'string' || !ipaddr.isValid(address)) return undefined;
  if (!isWhole(port, 65_535) || port === 0 || !isWhole(lines) || !isWhole(delay)) return undefined;
  if (!isOneOf(GREETINGS, greeting) || !isOneOf(POLICIES, policy)) return undefined;
  const { way } = saved;
  const knowledge = { greeting, policy, lines, delay };
  if (!isOneOf(WAYS, way) || (isRepair(knowledge) && way === 'seen')) return undefined;
  return { server: { address, port }, knowledge, way };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isWhole(value: unknown, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function isOneOf<T extends string>(words: Readonly<Record<T, true>>, value: unknown): value is T {
  return typeof value === 'string' && Object.hasOwn(words, value);
}

const SCHEMA = 2;
// Records, so that a word more in the vocabulary does not compile until it is here.
const GREETINGS: Readonly<Record<GreetingClass, true>> = {
  wellformed: true,
  teaser: true,
  truncated: true,
  malformed: true,
};
const WAYS: Readonly<Record<Way, true>> = { seen: true, verified: true, networks: true };
const POLICIES: Readonly<Record<Policy, true>> = { observe: true, repair: true, relay: true };
