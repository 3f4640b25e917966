// What a worker has of what its relay has once: places, what is known of servers, the watch. Each asks the primary, or tells it.

import type { Endpoint } from '../../inspect/address';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import type { Micros } from '../../inspect/events';
import type { ClientsSeen } from '../../inspect/policy/clients';
import type { Excess } from '../../inspect/policy/limits-of-load';
import { now, steady } from '../system/clock';
import type { Admission, NoPlace, Place } from '../relay/caps';
import type { RelayCapture } from '../relay/capture';
import type { Listen, Server, Servers } from '../servers/servers';
import type { KnownServer } from '../servers/saved';
import { keyOf } from '../servers/own-connections';
import type { Connection } from '../sinks/record';
import type { Message, Down, Up } from './messages';

type Send = (message: Up) => void;

/** Places of the whole relay: the primary gives them. */
export interface RemoteAdmission extends Admission {
  answer(message: Message<Down, 'answer'>): void;
}

export function createRemoteAdmission(send: Send): RemoteAdmission {
  const asked = new Map<number, (no: NoPlace | undefined, observed?: Excess) => void>();
  let last = 0;
  let held = 0;
  let fill = 0;
  return {
    enter(client, answer) {
      const id = (last += 1);
      send({ kind: 'enter', id, client });
      asked.set(id, (no, observed) => {
        if (no !== undefined) return answer(no, observed);
        held += 1;
        return answer(placeOf(id), observed);
      });
    },
    answer({ id, no, observed, fill: now }) {
      const take = asked.get(id);
      asked.delete(id);
      fill = now;
      take?.(no, observed);
    },
    get fill() {
      return fill;
    },
    // The primary knows.
    clients: NO_CLIENTS,
    get held() {
      return held;
    },
  };

  function placeOf(id: number): Place {
    let inside = true;
    const gone = (): boolean => {
      if (!inside) return true;
      inside = false;
      held -= 1;
      return false;
    };
    return {
      kind: 'place',
      introduce(client, answer) {
        if (!inside) return;
        send({ kind: 'introduce', id, client });
        asked.set(id, (no, observed) => {
          if (no !== undefined) gone();
          answer(no, observed);
        });
      },
      offend() {
        if (inside) send({ kind: 'offend', id });
      },
      leave() {
        if (!gone()) send({ kind: 'leave', id });
      },
    };
  }
}

/** What is known of servers, as the primary last said it. */
export interface RemoteServers extends Servers {
  learn(message: Message<Down, 'known'>): void;
}

interface Entry extends Server {
  knowledge: GreetingKnowledge | undefined;
  readonly listeners: Set<Listen>;
  /** When the primary heard last that it is used; of the steady clock. */
  asked: Micros;
}

export function createRemoteServers(send: Send, saved: readonly KnownServer[]): RemoteServers {
  const entries = new Map<string, Entry>();
  const entryOf = (endpoint: Endpoint): Entry => {
    const key = keyOf(endpoint);
    const entry = entries.get(key) ?? createEntry(send);
    entries.delete(key);
    entries.set(key, entry);
    for (const [oldest, { listeners }] of entries) {
      if (entries.size <= SERVERS) break;
      if (listeners.size === 0) entries.delete(oldest);
    }
    return entry;
  };
  for (const { server, knowledge } of saved) entryOf(server).knowledge = knowledge;
  return {
    server(server, proxyOut) {
      const entry = entryOf(server);
      const at = steady();
      if (at - entry.asked >= ASK_EVERY) {
        entry.asked = at;
        send({ kind: 'server', server, proxyOut });
      }
      return entry;
    },
    knownOf: (endpoint) => entries.get(keyOf(endpoint))?.knowledge,
    learn({ server, knowledge }) {
      const entry = entryOf(server);
      entry.knowledge = knowledge;
      // A copy: a listener may finish, and leave.
      if (knowledge) for (const listen of [...entry.listeners]) listen(knowledge, now());
    },
    // The rest is the primary's.
    known: () => [],
    suspects: () => [],
    adopt: () => undefined,
    lessons: 0,
    owns: () => false,
    spoil: () => undefined,
    missed: () => undefined,
    withdrawn: () => undefined,
    close: () => undefined,
  };
}

function createEntry(send: Send): Entry {
  const listeners = new Set<Listen>();
  return {
    knowledge: undefined,
    listeners,
    asked: Number.NEGATIVE_INFINITY,
    listen: (listen) => void listeners.add(listen),
    unlisten: (listen) => void listeners.delete(listen),
    // The primary writes what was learned.
    teach(lesson, connection, at) {
      send({ kind: 'teach', lesson, connection, at });
      return undefined;
    },
  };
}

/** Connections that the primary watches. */
export interface RemoteWatch extends RelayCapture {
  watches(connection: Connection): boolean;
}

export function createRemoteWatch(send: Send, isOn: boolean): RemoteWatch {
  const watched = new WeakSet<Connection>();
  return {
    open: () => undefined,
    begin: () => undefined,
    isOpen: () => isOn,
    follow(connection, { client, server, repaired }) {
      if (!isOn) return undefined;
      watched.add(connection);
      send({ kind: 'follow', connection, client, server, repaired: repaired() });
      return { facts: () => undefined };
    },
    whenSeen: (_at, then) => then(),
    close: () => Promise.resolve(),
    watches: (connection) => watched.has(connection),
  };
}

const NO_CLIENTS: ClientsSeen = { connections: 0, networks: 0, hidden: false };
/** A server that connections go to is verified, and remembered, by that. */
const ASK_EVERY: Micros = 1_000_000;
/** As of `createServers`. */
const SERVERS = 16_384;
