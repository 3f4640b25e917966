// What is known of servers as a text that outlives the process: its form, written and read. store.ts keeps it in a file.

import ipaddr from 'ipaddr.js';
import type { GreetingClass, Policy } from '../../inspect/events';
import { TEXT } from '../../inspect/limits';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import { isRepair, type Standing, type Way } from '../../inspect/greeting/lesson';
import type { Endpoint } from '../../inspect/address';

export interface KnownServer {
  readonly server: Endpoint;
  readonly knowledge: GreetingKnowledge;
  readonly way: Way;
  /** When it was learned, milliseconds since the epoch; 0: by a version that did not write it down. */
  readonly learned: number;
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

/** Of what the kernel counted, what the log has reported. */
export interface Reported {
  /** Records that found no room. */
  readonly lost: number;
  /** Connections that were not recorded. */
  readonly unwatched: number;
}

/** What outlives a process. */
export interface Saved {
  /** The least recently used server first. */
  readonly servers: readonly KnownServer[];
  /** For `status`: nothing is learned from these. */
  readonly suspects: readonly Suspect[];
  readonly reported: Reported;
}

export const NOTHING_SAVED: Saved = { servers: [], suspects: [], reported: { lost: 0, unwatched: 0 } };

/** What `readSaved` found; `wrong`: what of it could not be used. */
export interface SavedReading {
  readonly saved: Saved;
  readonly wrong?: string;
}

/** `JSON.stringify` and `JSON.parse` keep it as it is. */
export function toSaved({ servers, suspects, reported }: Saved): Record<string, unknown> {
  return { schema: SCHEMA, servers, suspects, ...reported };
}

/**
 * An entry that makes no sense is left out, and so is all of another schema: it would only have to be learned again,
 * while a wrong entry would make us guess. (Schema 1 kept repairs that were not verified.)
 */
export function readSaved(json: unknown): SavedReading {
  if (!isRecord(json)) return { saved: NOTHING_SAVED, wrong: 'it is not a JSON object' };
  const { schema, servers, suspects = [], lost, unwatched } = json;
  if (schema !== SCHEMA) {
    const is = isWhole(schema) ? `it is of version ${schema}` : 'it has no version';
    return { saved: NOTHING_SAVED, wrong: `${is}, and this ehlowire reads version ${SCHEMA}` };
  }
  if (!Array.isArray(servers) || !Array.isArray(suspects))
    return { saved: NOTHING_SAVED, wrong: 'it has no list of servers' };
  const saved: Saved = {
    servers: servers.flatMap((each: unknown) => readServer(each) ?? []),
    suspects: suspects.flatMap((each: unknown) => readSuspect(each) ?? []),
    reported: { lost: isWhole(lost) ? lost : 0, unwatched: isWhole(unwatched) ? unwatched : 0 },
  };
  const senseless = servers.length + suspects.length - saved.servers.length - saved.suspects.length;
  return senseless === 0 ? { saved } : { saved, wrong: `${senseless} of its entries make no sense` };
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

function readServer(saved: unknown): KnownServer | undefined {
  if (!isRecord(saved) || !isRecord(saved['knowledge'])) return undefined;
  const server = readEndpoint(saved['server']);
  const { greeting, policy, lines, delay } = saved['knowledge'];
  if (server === undefined || !isWhole(lines) || !isWhole(delay)) return undefined;
  if (!isOneOf(GREETINGS, greeting) || !isOneOf(POLICIES, policy)) return undefined;
  const { way, learned = 0 } = saved;
  const knowledge = { greeting, policy, lines, delay };
  if (!isWhole(learned) || !isOneOf(WAYS, way) || (isRepair(knowledge) && way === 'seen')) return undefined;
  return { server, knowledge, way, learned };
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
