// What is known of each server's greetings, and who waits to hear of it.

import ipaddr from 'ipaddr.js';
import type { Micros } from '../../inspect/events';
import type { GreetingKnowledge } from '../../inspect/smtp/greeter';
import type { Address } from '../address';
import { formatAddress } from '../address';
import type { Endpoint } from '../sinks/record';
import type { ServerKnowledge } from './knowledge';

export type Listen = (knowledge: GreetingKnowledge, at: Micros) => void;

/** Hears what was learned of which server. It must not throw. */
export type OnLearned = (server: Endpoint, knowledge: GreetingKnowledge, at: Micros) => void;

/** One server. Connections that wait in its greeting listen, and are told what another one learned. */
export interface ServerMemory {
  readonly knowledge: GreetingKnowledge | undefined;
  listen(listen: Listen): void;
  unlisten(listen: Listen): void;
  /** Everybody is told but the one who learned it, and then `onLearned`. */
  learn(knowledge: GreetingKnowledge, at: Micros, learner: Listen): void;
}

export interface Memory {
  server(endpoint: Endpoint): ServerMemory;
  /** Somebody else learned it, or an earlier run: connections that wait are told, `onLearned` is not. */
  know(known: ServerKnowledge, at: Micros): void;
  /** What is known, the least recently used server first: `know` in this order keeps the order. */
  known(): readonly ServerKnowledge[];
  readonly size: number;
}

export interface MemoryOptions {
  /** Servers. The least recently used one is forgotten at the cap; it would only have to be learned again. */
  readonly capacity?: number;
  readonly onLearned?: OnLearned | undefined;
}

export function createMemory({ capacity = SERVERS, onLearned }: MemoryOptions = {}): Memory {
  const servers = new Map<string, Remembered>();
  const remember = (endpoint: Endpoint): Remembered => {
    const key = formatAddress({ host: endpoint.address, port: endpoint.port });
    const server = servers.get(key) ?? createServerMemory(endpoint, onLearned);
    // A Map keeps the order of insertion: the last used is the last.
    servers.delete(key);
    servers.set(key, server);
    for (const oldest of servers.keys()) {
      if (servers.size <= capacity) break;
      servers.delete(oldest);
    }
    return server;
  };
  return {
    server: remember,
    know: ({ server, knowledge }, at) => remember(server).know(knowledge, at, undefined),
    known: () =>
      [...servers.values()].flatMap(({ server, knowledge }) => (knowledge ? [{ server, knowledge }] : [])),
    get size() {
      return servers.size;
    },
  };
}

interface Remembered extends ServerMemory {
  readonly server: Endpoint;
  know(knowledge: GreetingKnowledge, at: Micros, learner: Listen | undefined): void;
}

function createServerMemory(server: Endpoint, onLearned: OnLearned | undefined): Remembered {
  let known: GreetingKnowledge | undefined;
  const listeners = new Set<Listen>();
  const know: Remembered['know'] = (knowledge, at, learner) => {
    known = knowledge;
    // A copy: who is told may finish, and leave.
    for (const listen of [...listeners]) if (listen !== learner) listen(knowledge, at);
  };
  return {
    server,
    get knowledge() {
      return known;
    },
    listen: (listen) => void listeners.add(listen),
    unlisten: (listen) => void listeners.delete(listen),
    know,
    learn(knowledge, at, learner) {
      know(knowledge, at, learner);
      onLearned?.(server, knowledge, at);
    },
  };
}

/**
 * The name that ehlowire gives where it speaks in the server's place: the configured one, else the name the
 * server was given as, else its address as a literal (RFC 5321 §4.1.3).
 */
export function hostnameFor(configured: string, upstream: Address, endpoint: Endpoint): string {
  if (configured !== '') return configured;
  if (upstream.host !== '' && !ipaddr.isValid(upstream.host)) return upstream.host.replace(/\.$/, '');
  const { address } = endpoint;
  return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`;
}

/** Servers remembered: a relay has a handful; names that resolve anew each day must not add up. */
const SERVERS = 1_024;
