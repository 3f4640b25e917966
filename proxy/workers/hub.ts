// What the workers of one relay have together, in the primary: places, what is known of servers, the watch, the log.

import type { Endpoint } from '../../inspect/address';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import { isRepair } from '../../inspect/greeting/lesson';
import type { ClientsSeen } from '../../inspect/policy/clients';
import type { Excess } from '../../inspect/policy/limits-of-load';
import type { Config } from '../config/config';
import type { PolicyInForce } from '../config/reload';
import type { Admission, NoPlace, Place } from '../relay/caps';
import type { CapturedCall, RelayCapture } from '../relay/capture';
import { createRelayAdmission, createRelayServers } from '../relay/relay';
import { beginWatch, createWatch, openWatch } from '../relay/watch';
import { keyOf } from '../servers/own-connections';
import type { KnownServer } from '../servers/saved';
import type { Servers } from '../servers/servers';
import { createNames, type Connection, type Recorded } from '../sinks/record';
import type { SharedSink } from '../sinks/sink';
import type { Counts, Down, Message, Up } from './messages';

/** What a worker says is done here; what it is told goes through `send`. */
export interface Desk {
  take(message: Up): void;
  readonly counts: Counts;
  /** Connections of its that have a place. */
  readonly held: number;
  /** The worker is gone, and with it its connections. */
  close(): void;
}

export interface Hub {
  readonly servers: Servers;
  readonly watched: boolean;
  /** Connections of all workers that have a place. */
  readonly held: number;
  readonly clients: ClientsSeen;
  open(send: (message: Down) => void): Desk;
  /** The listeners are open. */
  begin(addresses: readonly Endpoint[]): void;
  /** Writes what is left. */
  close(): Promise<void>;
}

export function createHub(
  config: Config,
  sink: SharedSink,
  policy: PolicyInForce,
  known: readonly KnownServer[],
): Hub {
  const workers = new Set<(message: Down) => void>();
  const spread = createSpread((message) => workers.forEach((send) => send(message)));
  const servers = createRelayServers(config, sink, {
    nextSession: createNames('p'),
    known,
    onLearned: spread,
  });
  const watch = createWatch(config, sink);
  openWatch(watch, config, sink);
  const admission = createRelayAdmission(config, sink, policy);
  return {
    servers,
    watched: watch.isOpen(),
    get held() {
      return admission.held;
    },
    get clients() {
      return admission.clients;
    },
    open(send) {
      workers.add(send);
      return createDesk({
        ...{ sink, servers, watch, admission, spread, send },
        onClosed: () => void workers.delete(send),
      });
    },
    begin: (addresses) => beginWatch(watch, config, addresses),
    async close() {
      await watch.close();
      servers.close();
    },
  };
}

/** Tells all workers what is known of a server, where that is not what they were told last. */
function createSpread(tell: (message: Down) => void) {
  const told = new Map<string, string>();
  return (server: Endpoint, knowledge: GreetingKnowledge | undefined): void => {
    const key = keyOf(server);
    const text = JSON.stringify(knowledge);
    if (told.get(key) === text) return;
    if (text === undefined) told.delete(key);
    else told.set(key, text);
    tell({ kind: 'known', server, knowledge });
  };
}

interface DeskOptions {
  readonly sink: SharedSink;
  readonly servers: Servers;
  readonly watch: RelayCapture;
  readonly admission: Admission;
  readonly spread: ReturnType<typeof createSpread>;
  readonly send: (message: Down) => void;
  readonly onClosed: () => void;
}

/** A watched connection until its last line. */
interface Followed {
  readonly connection: Connection;
  readonly call: CapturedCall | undefined;
}

interface State extends DeskOptions {
  readonly places: Map<number, Place>;
  readonly followed: Map<string, Followed>;
  counts: Counts;
}

function createDesk(options: DeskOptions): Desk {
  const state: State = { ...options, places: new Map(), followed: new Map(), counts: NONE };
  return {
    take: (message) => take(state, message),
    get counts() {
      return state.counts;
    },
    get held() {
      return state.places.size;
    },
    close() {
      for (const place of state.places.values()) place.leave();
      state.places.clear();
      state.onClosed();
    },
  };
}

function take(state: State, message: Up): void {
  const { sink, servers, places } = state;
  switch (message.kind) {
    case 'enter':
      return enter(state, message);
    case 'introduce':
      return introduce(state, message);
    case 'offend':
      return places.get(message.id)?.offend();
    case 'leave':
      places.get(message.id)?.leave();
      return void places.delete(message.id);
    case 'server':
      return void servers.server(message.server, message.proxyOut);
    case 'teach':
      return teach(state, message);
    case 'follow':
      return follow(state, message);
    case 'greeted': {
      const followed = state.followed.get(message.session);
      return followed && sink.greet(followed.connection);
    }
    case 'session':
      return finish(state, message);
    case 'omit':
      return sink.omit(message.limit, message.of);
    case 'note':
      return sink.note(message.level, message.what, message.fields, message.about);
    case 'counts':
      state.counts = message.counts;
      return undefined;
    default:
      return undefined;
  }
}

function enter(state: State, { id, client }: Message<Up, 'enter'>): void {
  const { admission, places } = state;
  admission.enter(client, (given, observed) => {
    if (given.kind === 'place') places.set(id, given);
    answer(state, id, given.kind === 'place' ? undefined : given, observed);
  });
}

function introduce(state: State, { id, client }: Message<Up, 'introduce'>): void {
  const { places } = state;
  places.get(id)?.introduce(client, (no, observed) => {
    if (no !== undefined) places.delete(id);
    answer(state, id, no, observed);
  });
}

function answer({ send, admission }: State, id: number, no?: NoPlace, observed?: Excess): void {
  send({ kind: 'answer', id, no, observed, fill: admission.fill });
}

function teach({ servers, sink, spread }: State, { lesson, connection, at }: Message<Up, 'teach'>): void {
  const server = servers.server(connection.server);
  const learned = server.teach(lesson, connection, at);
  if (learned) sink.write(connection, learned);
  // Also where only a detail changed, which is no news.
  spread(connection.server, server.knowledge);
}

function follow(state: State, { connection, client, server, repaired }: Message<Up, 'follow'>): void {
  const { watch, servers, followed } = state;
  const isRepaired = (): boolean => repaired || isRepair(servers.knownOf(connection.server));
  const call = watch.follow(connection, { client, server, repaired: isRepaired });
  followed.set(connection.session, { connection, call });
}

/** Its last line waits until all of its segments that the kernel has seen are read, here, too. */
function finish({ sink, watch, followed }: State, { session, event }: Message<Up, 'session'>): void {
  const { connection, call } = followed.get(session) ?? {};
  followed.delete(session);
  if (connection === undefined) return;
  watch.whenSeen(event.at, () => sink.finish(connection, { ...event, ...call?.facts() } as Recorded));
}

const NONE: Counts = { accepted: 0, blocked: 0, unreachable: 0, sockets: 0 };
