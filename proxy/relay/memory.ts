// What is known of each server's greetings, and who waits to hear of it.

import ipaddr from 'ipaddr.js';
import type { Micros } from '../../inspect/events';
import type { GreetingKnowledge } from '../../inspect/smtp/greeter';
import type { Address } from '../address';
import { formatAddress } from '../address';
import type { Endpoint } from '../sinks/record';

export type Listen = (knowledge: GreetingKnowledge, at: Micros) => void;

/** One server. Connections that wait in its greeting listen, and are told what another one learned. */
export interface ServerMemory {
  readonly knowledge: GreetingKnowledge | undefined;
  listen(listen: Listen): void;
  unlisten(listen: Listen): void;
  /** Everybody is told but the one who learned it. */
  learn(knowledge: GreetingKnowledge, at: Micros, learner: Listen): void;
}

export interface Memory {
  server(endpoint: Endpoint): ServerMemory;
  readonly size: number;
}

/** The least recently used server is forgotten at the cap; it would only have to be learned again. */
export function createMemory(capacity: number = SERVERS): Memory {
  const servers = new Map<string, ServerMemory>();
  return {
    server({ address, port }) {
      const key = formatAddress({ host: address, port });
      const server = servers.get(key) ?? createServerMemory();
      // A Map keeps the order of insertion: the last used is the last.
      servers.delete(key);
      servers.set(key, server);
      for (const oldest of servers.keys()) {
        if (servers.size <= capacity) break;
        servers.delete(oldest);
      }
      return server;
    },
    get size() {
      return servers.size;
    },
  };
}

function createServerMemory(): ServerMemory {
  let known: GreetingKnowledge | undefined;
  const listeners = new Set<Listen>();
  return {
    get knowledge() {
      return known;
    },
    listen: (listen) => void listeners.add(listen),
    unlisten: (listen) => void listeners.delete(listen),
    learn(knowledge, at, learner) {
      known = knowledge;
      // A copy: who is told may finish, and leave.
      for (const listen of [...listeners]) if (listen !== learner) listen(knowledge, at);
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
