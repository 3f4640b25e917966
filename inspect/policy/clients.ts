// How many connections each client and each network has and opens; and whether clients can be told apart at all.

import type { Micros } from '../events';
import { CLIENT_WINDOWS, REMEMBERED_NETWORKS } from '../limits';
import { errorsBefore, tooManyConnections, type ClientLimits, type Excess } from './limits-of-load';

/** Whose a connection is. */
export interface Origin {
  /** An IPv4 address, or an IPv6 /64. */
  readonly client: string;
  /** Its /24 or /48. */
  readonly network: string;
  readonly family: 4 | 6;
  /** An address that a foreign client can have: not one of a private network. */
  readonly foreign: boolean;
}

/** What is to be said of the clients as a whole. */
export interface ClientsSeen {
  /** Connections so far. */
  readonly connections: number;
  /** Networks of the last day, and private addresses; three stand for three or more. */
  readonly networks: number;
  /** Many connections, and all from one or two places: something on the path hides who they are. */
  readonly hidden: boolean;
}

export interface Clients {
  /**
   * A connection asks to come in; `at` never goes back. Undefined: no limit is met. It is not counted as open yet.
   * A default limit holds only for clients that are certainly not many behind one address: those with a foreign
   * address, and while clients of several networks came lately.
   */
  judge(origin: Origin, limits: ClientLimits, at: Micros): Excess | undefined;
  /** It is in; one `remove` must follow. */
  add(origin: Origin): void;
  remove(origin: Origin): void;
  /** One of its connections was ended for its errors: for a minute it opens no other, unless it may be many. */
  offend(origin: Origin, at: Micros): void;
  seen(at: Micros): ClientsSeen;
  /** A default limit was met, and did not hold. */
  readonly excused: boolean;
  /** Entries of all tables. */
  readonly size: number;
}

export function createClients(): Clients {
  const state: State = {
    clients: new Map(),
    networks: new Map(),
    windows: new Map(),
    offences: new Map(),
    lately: { 4: new Map(), 6: new Map(), private: new Map() },
    connections: 0,
    excused: false,
  };
  const { clients, networks, windows, offences, lately } = state;
  return {
    judge(origin, limits, at) {
      state.connections += 1;
      remember(state, origin, at);
      const opened = countOpened(state, origin.client, at);
      if (at - (offences.get(origin.client) ?? -MINUTE) < MINUTE && isOneClient(state, origin, at))
        return errorsBefore();
      const counts: readonly (readonly [limit: keyof ClientLimits, count: number])[] = [
        ['newPerMinute', opened],
        ['connectionsPerClient', (clients.get(origin.client) ?? 0) + 1],
        ['connectionsPerNetwork', (networks.get(origin.network) ?? 0) + 1],
      ];
      const met = counts.find(([limit, count]) => {
        const { most, chosen } = limits[limit];
        if (count <= most) return false;
        const holds = chosen || isOneClient(state, origin, at);
        state.excused ||= !holds;
        return holds;
      });
      return met && tooManyConnections(met[0], limits[met[0]].most);
    },
    add({ client, network }) {
      count(clients, client, 1);
      count(networks, network, 1);
    },
    remove({ client, network }) {
      count(clients, client, -1);
      count(networks, network, -1);
    },
    offend({ client }, at) {
      offences.delete(client);
      offences.set(client, at);
      dropFirst(offences, CLIENT_WINDOWS);
    },
    seen(at) {
      const networks = recentlySeen(Object.values(lately), at, DAY);
      const hidden = state.connections >= MANY && networks < SEVERAL;
      return { connections: state.connections, networks, hidden };
    },
    get excused() {
      return state.excused;
    },
    get size() {
      const tables = [clients, networks, windows, offences, ...Object.values(lately)];
      return tables.reduce((sum, { size }) => sum + size, 0);
    },
  };
}

interface State {
  /** Open connections. */
  readonly clients: Map<string, number>;
  readonly networks: Map<string, number>;
  /** What each client opened within its minute; the minute that began first is the first. */
  readonly windows: Map<string, { readonly since: Micros; opened: number }>;
  /** When a connection of a client was last ended for its errors; the last one is the last. */
  readonly offences: Map<string, Micros>;
  /** When networks, or private clients, were last seen; the last one is the last. */
  readonly lately: Readonly<Record<4 | 6 | 'private', Map<string, Micros>>>;
  connections: number;
  excused: boolean;
}

/** Whether what looks like one client is one: a private address may be a firewall's, and so may the only one there is. */
function isOneClient({ lately }: State, { family, foreign }: Origin, at: Micros): boolean {
  return foreign && recentlySeen([lately[family]], at, LATELY) >= SEVERAL;
}

/** How many places were seen within `time`; several are not counted on. */
function recentlySeen(lists: readonly ReadonlyMap<string, Micros>[], at: Micros, time: Micros): number {
  let recent = 0;
  for (const places of lists) {
    for (const last of places.values()) {
      if (at - last <= time) recent += 1;
      if (recent >= SEVERAL) return SEVERAL;
    }
  }
  return recent;
}

function remember({ lately }: State, { network, client, family, foreign }: Origin, at: Micros): void {
  const [known, key] = foreign ? [lately[family], network] : [lately.private, client];
  known.delete(key);
  known.set(key, at);
  dropFirst(known, REMEMBERED_NETWORKS);
}

function countOpened({ windows }: State, client: string, at: Micros): number {
  for (const [oldest, { since }] of windows) {
    if (at - since < MINUTE) break;
    windows.delete(oldest);
  }
  const window = windows.get(client);
  if (window !== undefined) {
    window.opened += 1;
    return window.opened;
  }
  windows.set(client, { since: at, opened: 1 });
  dropFirst(windows, CLIENT_WINDOWS);
  return 1;
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const sum = (counts.get(key) ?? 0) + change;
  if (sum > 0) counts.set(key, sum);
  else counts.delete(key);
}

function dropFirst(map: Map<string, unknown>, most: number): void {
  for (const first of map.keys()) {
    if (map.size <= most) return;
    map.delete(first);
  }
}

const MINUTE: Micros = 60_000_000;
/** From so many networks on no single device hides all clients; two may be the two lines of one firewall. */
const SEVERAL = 3;
/** So long a network counts: a firewall that begins to hide the clients is noticed by then. */
const LATELY: Micros = 600_000_000;
const DAY: Micros = 86_400_000_000;
/** So many connections before it is said that clients are hidden: a new server has few. */
const MANY = 100;
