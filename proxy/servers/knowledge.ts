// What is known of servers as a plain value, which survives a restart as JSON. Where it is kept is the caller's.

import ipaddr from 'ipaddr.js';
import type { GreetingClass, Policy } from '../../inspect/events';
import { TEXT } from '../../inspect/limits';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import { isRepair, type Standing, type Way } from '../../inspect/greeting/lesson';
import type { Endpoint } from '../../inspect/address';

export interface ServerKnowledge {
  readonly server: Endpoint;
  readonly knowledge: GreetingKnowledge;
  readonly way: Way;
}

/** A server that clients were greeted by in a way that would need a repair, and that is not repaired: for `status`. */
export interface Suspect {
  readonly server: Endpoint;
  /** What clients saw, how many of them, and of how many networks. */
  readonly greeting: GreetingClass;
  readonly clients: number;
  readonly networks: number;
  /** Connections of ehlowire's own that were greeted honestly. */
  readonly honest: number;
  /** Why ehlowire cannot connect itself. */
  readonly unreachable?: string;
}

export function suspectOf(server: Endpoint, { known, suspicion, own }: Standing): Suspect | undefined {
  if (suspicion === undefined || isRepair(known)) return undefined;
  const { finding, clients, networks } = suspicion;
  return {
    server,
    greeting: finding.knowledge.greeting,
    clients,
    networks: networks.length,
    honest: own.honest,
    ...(own.unreachable !== undefined && { unreachable: own.unreachable }),
  };
}

/** `JSON.stringify` and `JSON.parse` keep it as it is. */
export interface SavedKnowledge {
  readonly schema: typeof SCHEMA;
  /** The least recently used server first. */
  readonly servers: readonly ServerKnowledge[];
  /** Nothing is learned from these. */
  readonly suspects: readonly Suspect[];
}

export function saveKnowledge(
  servers: readonly ServerKnowledge[],
  suspects: readonly Suspect[] = [],
): SavedKnowledge {
  return { schema: SCHEMA, servers, suspects };
}

/**
 * Reads what was saved. An entry that makes no sense is left out, and so is another schema (the first one kept repairs
 * that nobody had verified): it would only have to be learned again, while a wrong one would make us guess.
 */
export function readKnowledge(saved: unknown): readonly ServerKnowledge[] {
  if (!isRecord(saved) || saved['schema'] !== SCHEMA || !Array.isArray(saved['servers'])) return [];
  return saved['servers'].flatMap((each: unknown) => readServer(each) ?? []);
}

/** As `readKnowledge`. */
export function readSuspects(saved: unknown): readonly Suspect[] {
  if (!isRecord(saved) || saved['schema'] !== SCHEMA || !Array.isArray(saved['suspects'])) return [];
  return saved['suspects'].flatMap((each: unknown) => readSuspect(each) ?? []);
}

function readSuspect(saved: unknown): Suspect | undefined {
  if (!isRecord(saved)) return undefined;
  const { greeting, clients, networks, honest, unreachable } = saved;
  const server = readEndpoint(saved['server']);
  if (server === undefined || !isOneOf(GREETINGS, greeting)) return undefined;
  if (!isWhole(clients) || !isWhole(networks) || !isWhole(honest)) return undefined;
  const why = typeof unreachable === 'string' ? { unreachable: unreachable.slice(0, TEXT) } : {};
  return { server, greeting, clients, networks, honest, ...why };
}

function readEndpoint(saved: unknown): Endpoint | undefined {
  if (!isRecord(saved)) return undefined;
  const { address, port } = saved;
  if (typeof address !== 'string' || !ipaddr.isValid(address)) return undefined;
  return isWhole(port, 65_535) && port !== 0 ? { address, port } : undefined;
}

function readServer(saved: unknown): ServerKnowledge | undefined {
  if (!isRecord(saved) || !isRecord(saved['knowledge'])) return undefined;
  const server = readEndpoint(saved['server']);
  const { greeting, policy, lines, delay } = saved['knowledge'];
  if (server === undefined || !isWhole(lines) || !isWhole(delay)) return undefined;
  if (!isOneOf(GREETINGS, greeting) || !isOneOf(POLICIES, policy)) return undefined;
  const { way } = saved;
  const knowledge = { greeting, policy, lines, delay };
  if (!isOneOf(WAYS, way) || (isRepair(knowledge) && way === 'seen')) return undefined;
  return { server, knowledge, way };
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
