// What is known of each server: one store for the relay, the wire and the program in the kernel.

import type { LearnedEvent, Micros } from '../../inspect/events';
import { findWithdrawn, type GreetingKnowledge } from '../../inspect/greeting/known';
import {
  isRepair,
  teach,
  teachVerified,
  UNKNOWN,
  verifyingWait,
  type Lesson,
  type Standing,
  type Taught,
  type Verification,
} from '../../inspect/greeting/lesson';
import { formatEndpoint, networkOf } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { now, steady } from '../system/clock';
import { repairOf, type Repair, type ServerRepairs } from '../config/servers';
import { createSockets, type Sockets } from '../sockets/linger';
import type { Connection, Sink } from '../sinks/record';
import { createOwn, keyOf, type Own } from './own-connections';
import { suspectOf, type KnownServer, type Suspect } from './saved';
import { tellSuspicion, tellVerification } from './operator-notes';
import { createSchedule } from './schedule';
import { ownHeader, verifyServer, type ProxyVersion, type Verifier, type VerifyServer } from './verification';

export type Listen = (knowledge: GreetingKnowledge, at: Micros) => void;

/** One server. Connections that wait in its greeting listen, and hear what was learned. */
export interface Server {
  readonly knowledge: GreetingKnowledge | undefined;
  listen(listen: Listen): void;
  unlisten(listen: Listen): void;
  /** What a client's connection showed; the answer is to be written as that connection's, if something changed. */
  teach(lesson: Lesson, connection: Connection, at: Micros): LearnedEvent | undefined;
}

export interface Servers {
  /** `proxyOut`: the PROXY header that it expects, of our own connections, too. */
  server(endpoint: Endpoint, proxyOut?: ProxyVersion): Server;
  knownOf(endpoint: Endpoint): GreetingKnowledge | undefined;
  /** What outlives the process, the least recently used server first. */
  known(): readonly KnownServer[];
  /** Servers that are not repaired though clients' connections would ask for it. */
  suspects(): readonly Suspect[];
  /** Takes over what another process has learned, where it is newer than what is known here. */
  adopt(known: readonly KnownServer[]): void;
  /** How often something was learned or suspected here: whether there is news to be saved. */
  readonly lessons: number;
  /** The address and port are those of a connection of our own: nothing of it is a client's. */
  owns(endpoint: Endpoint): boolean;
  /** What our own connection saw had been changed by ourselves: it shows nothing. */
  spoil(own: Endpoint): void;
  /** Segments were not recorded, and it is not known of which connections: `spoil` may not come where it should. */
  missed(): void;
  /** The program in the kernel took back the repair by itself, as the server ended its greeting behind it. */
  withdrawn(endpoint: Endpoint, at: Micros): void;
  /** Gives up the connections of our own. */
  close(): void;
}

export interface ServersOptions {
  readonly sink: Sink;
  readonly path: Connection['path'];
  readonly patience: Micros;
  readonly connectMs: number;
  /** Firewall mark of our own connections' packets; 0, as is the default: none. */
  readonly mark?: number;
  /** Names for the connections of our own. */
  readonly nextSession: () => string;
  /** From an earlier run. */
  readonly known?: readonly KnownServer[] | undefined;
  /** By the operator, for single servers: the operator is not asked again. */
  readonly decided?: ServerRepairs;
  /** Servers. The least recently used one is forgotten at the cap; it would only have to be learned again. */
  readonly capacity?: number;
  /** What is known changed; `undefined`: nothing is known any more. It must not throw. */
  readonly onLearned?: ((server: Endpoint, knowledge: GreetingKnowledge | undefined) => void) | undefined;
  /** For how long `spoil` may come behind what was seen. */
  readonly settleMs?: number;
  readonly visit?: VerifyServer;
}

interface Entry extends Server {
  readonly key: string;
  readonly endpoint: Endpoint;
  readonly listeners: Set<Listen>;
  standing: Standing;
  /** When `standing.known` was learned, milliseconds since the epoch. */
  learned: number;
  proxyOut: ProxyVersion | undefined;
  visit: Verifier | undefined;
  /** The client's connection that taught last: where we cannot connect, what is learned is learned by it. */
  witness: Connection | undefined;
  /** When our own connection last confirmed the repair in force; of the monotonic clock. */
  verifiedAt: Micros;
}

export function createServers(options: ServersOptions): Servers {
  const state: State = {
    options,
    entries: new Map(),
    schedule: createSchedule(),
    sockets: createSockets(),
    own: createOwn(),
    lessons: 0,
    timer: setInterval(() => begin(state), LOOK_MS).unref(),
    closed: false,
  };
  for (const each of options.known ?? []) adopt(state, entryOf(state, each.server), each);
  return {
    server(endpoint, proxyOut) {
      const entry = entryOf(state, endpoint);
      if (proxyOut !== undefined) entry.proxyOut = proxyOut;
      if (isRepair(entry.standing.known) && isDue(entry)) verify(state, entry);
      return entry;
    },
    knownOf: (endpoint) => state.entries.get(keyOf(endpoint))?.standing.known,
    known: () =>
      [...state.entries.values()].flatMap(({ endpoint, learned, standing: { known, way } }) =>
        known ? [{ server: endpoint, knowledge: known, way, learned }] : [],
      ),
    adopt(known) {
      for (const each of known) {
        const entry = state.entries.get(keyOf(each.server));
        const isFull = state.entries.size >= (options.capacity ?? SERVERS);
        if (entry ? each.learned > entry.learned : !isFull) adopt(state, entryOf(state, each.server), each);
      }
    },
    suspects: () =>
      [...state.entries.values()].flatMap((entry) =>
        decisionOn(state, entry) === undefined ? (suspectOf(entry.endpoint, entry.standing) ?? []) : [],
      ),
    get lessons() {
      return state.lessons;
    },
    owns: (endpoint) => state.own.has(endpoint),
    spoil: (own) => state.own.spoil(own),
    missed: () => state.own.missed(),
    withdrawn(endpoint, at) {
      const entry = state.entries.get(keyOf(endpoint));
      if (!entry) return;
      const finding = findWithdrawn(formatEndpoint(endpoint), options.patience);
      const event = learn(state, entry, teach(entry.standing, { kind: 'ended', finding }, ''), at);
      if (event) options.sink.write(entry.witness, event);
    },
    close() {
      state.closed = true;
      clearInterval(state.timer);
      for (const { visit } of state.entries.values()) visit?.abort();
      state.sockets.destroyAll();
    },
  };
}

interface State {
  readonly options: ServersOptions;
  /** The last used is the last: a Map keeps the order of insertion. */
  readonly entries: Map<string, Entry>;
  readonly schedule: ReturnType<typeof createSchedule>;
  readonly sockets: Sockets;
  readonly own: Own;
  lessons: number;
  readonly timer: NodeJS.Timeout;
  closed: boolean;
}

function entryOf(state: State, endpoint: Endpoint): Entry {
  const { entries, options } = state;
  const key = keyOf(endpoint);
  const entry = entries.get(key) ?? createEntry(state, key, endpoint);
  entries.delete(key);
  entries.set(key, entry);
  while (entries.size > (options.capacity ?? SERVERS)) forget(state, leastNeeded(state, entry));
  return entry;
}

/** The one that was used least recently; servers under repair last, since the wire hears little of them. */
function leastNeeded({ entries }: State, but: Entry): Entry {
  let oldest: Entry | undefined;
  for (const each of entries.values()) {
    if (each === but) continue;
    if (!isRepair(each.standing.known)) return each;
    oldest ??= each;
  }
  return oldest ?? but;
}

function forget({ entries, options, schedule }: State, entry: Entry): void {
  entries.delete(entry.key);
  schedule.drop(entry.key);
  entry.visit?.abort();
  if (entry.standing.known !== undefined) options.onLearned?.(entry.endpoint, undefined);
}

function createEntry(state: State, key: string, endpoint: Endpoint): Entry {
  const entry: Entry = {
    key,
    endpoint,
    listeners: new Set(),
    standing: UNKNOWN,
    learned: 0,
    proxyOut: undefined,
    visit: undefined,
    witness: undefined,
    verifiedAt: Number.NEGATIVE_INFINITY,
    get knowledge() {
      return entry.standing.known;
    },
    listen: (listen) => void entry.listeners.add(listen),
    unlisten: (listen) => void entry.listeners.delete(listen),
    teach(lesson, connection, at) {
      const before = entry.standing;
      entry.witness = connection;
      const taught = teach(before, lesson, networkOf(connection.client.address));
      const event = learn(state, entry, taught, at);
      tellSuspicion(state.options.sink, endpoint, before, entry.standing);
      if (taught.verify) verify(state, entry);
      return event;
    },
  };
  return entry;
}

/** Takes the step; what changed is passed to all that wait, and then to `onLearned`. */
function learn(
  state: State,
  entry: Entry,
  { standing, because }: Taught,
  at: Micros,
): LearnedEvent | undefined {
  const before = entry.standing;
  entry.standing = standing;
  const { known, way } = standing;
  if (before.suspicion !== standing.suspicion || before.own !== standing.own) state.lessons += 1;
  if (because === undefined || known === undefined) return undefined;
  state.lessons += 1;
  entry.learned = Math.floor(now() / 1_000);
  publish(state, entry, known, at);
  return { kind: 'learned', at, greeting: known.greeting, policy: known.policy, way, because };
}

/** It holds at once, and is verified again: on the wire now, for a relay when it is known how to speak to the server. */
function adopt(state: State, entry: Entry, { knowledge, way, learned }: KnownServer): void {
  entry.standing = { ...UNKNOWN, known: knowledge, way };
  entry.learned = learned;
  publish(state, entry, knowledge, now());
  if (state.options.path === 'wire' && isRepair(knowledge)) verify(state, entry);
}

function publish(state: State, entry: Entry, known: GreetingKnowledge, at: Micros): void {
  // A copy: a listener may finish, and leave.
  for (const listen of [...entry.listeners]) listen(known, at);
  state.options.onLearned?.(entry.endpoint, known);
}

function decisionOn({ options: { decided } }: State, { endpoint }: Entry): Repair | undefined {
  const word = decided && repairOf(decided, endpoint);
  return word === 'learn' ? undefined : word;
}

/** A visit as soon as the schedule allows one. */
function verify(state: State, entry: Entry): void {
  if (state.closed) return;
  state.schedule.want(entry.key);
  begin(state);
}

function begin(state: State): void {
  const at = steady();
  state.own.expire(at);
  for (const entry of state.entries.values()) {
    if (isRepair(entry.standing.known) && entry.verifiedAt > 0 && isDue(entry))
      state.schedule.want(entry.key);
  }
  for (const key of state.schedule.begin(at)) {
    const entry = state.entries.get(key);
    if (entry) visit(state, entry);
  }
}

function isDue({ verifiedAt }: Entry): boolean {
  return steady() - verifiedAt >= AGAIN;
}

function visit(state: State, entry: Entry): void {
  const { options, own } = state;
  const wait = verifyingWait(entry.standing, options.patience);
  let mine: Endpoint | undefined;
  const make = options.visit ?? verifyServer;
  entry.visit = make({
    server: entry.endpoint,
    sockets: state.sockets,
    connectMs: options.connectMs,
    mark: options.mark ?? 0,
    wait,
    header: entry.proxyOut && ownHeader(entry.proxyOut),
    onOpen(endpoint) {
      mine = endpoint;
      own.open(endpoint);
    },
    done(result) {
      const settled = setTimeout(() => conclude(state, entry, mine, wait, result), options.settleMs ?? 0);
      entry.visit = { abort: () => clearTimeout(settled) };
    },
  });
}

function conclude(
  state: State,
  entry: Entry,
  mine: Endpoint | undefined,
  wait: Micros,
  seen: Verification,
): void {
  const { options, own, schedule } = state;
  entry.visit = undefined;
  const at = steady();
  const before = entry.standing;
  const result = own.end(mine, seen, isRepair(before.known), at);
  if (result === undefined) {
    entry.verifiedAt = at - AGAIN + RETRY;
    schedule.ended(entry.key, at, false);
    return begin(state);
  }
  // A client has shown meanwhile that the server may take longer than was waited for.
  const short =
    result.kind === 'greeted' &&
    result.finding.knowledge.greeting === 'truncated' &&
    verifyingWait(entry.standing, options.patience) > wait;
  if (short) {
    schedule.ended(entry.key, at - AGAIN, false);
    return verify(state, entry);
  }
  const taught = teachVerified(before, result);
  if (result.kind === 'greeted') entry.verifiedAt = at;
  else if (isRepair(before.known)) entry.verifiedAt = at - AGAIN + RETRY;
  schedule.ended(entry.key, at, taught.because === undefined);
  const event = learn(state, entry, taught, now());
  const connection: Connection | undefined = mine
    ? { session: options.nextSession(), path: options.path, client: mine, server: entry.endpoint }
    : entry.witness;
  tellVerification(options.sink, entry.endpoint, before, entry.standing, result, decisionOn(state, entry));
  if (event) options.sink.write(connection, event);
  begin(state);
}

/** A relay has a handful, a bridge in front of a network what its machines call; names that resolve anew must not add up. */
const SERVERS = 16_384;
/** A repair in force is verified this often. */
const AGAIN: Micros = 600_000_000;
/** And so soon again where it could not be. */
const RETRY: Micros = 60_000_000;
const LOOK_MS = 1_000;
