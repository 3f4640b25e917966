// All connections of one vantage point: frames in, each connection's events out, nothing kept beyond its time.

import type { Direction, Micros } from './events';
import { createInspector, type Inspector, type InspectorEvent, type Stretch } from './inspector';
import { CONNECTIONS, FORGET_AFTER, LINGER, STRAGGLERS, SWEEP } from './limits';
import { createRecency, type Link, type Recency } from './recency';
import { parsePacket } from './tcp/packet';
import { FLAG, type Ends, type Segment } from './tcp/segment';

export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** One connection, from its first segment on. */
export interface Tracked {
  /** Counts up from 1 in order of appearance: the same in every pass over the same file. */
  readonly id: number;
  readonly client: Peer;
  readonly server: Peer;
  readonly inspector: Inspector;
}

/** The side by which a frame came to a point that has two: that of the clients, or that of the protected servers. */
export type Leg = 'wan' | 'lan';

/** Who sent it, and to whom. */
export function peersOf({ source, sourcePort, destination, destinationPort }: Ends): readonly [Peer, Peer] {
  return [
    { address: source, port: sourcePort },
    { address: destination, port: destinationPort },
  ];
}

export interface TrackerNews {
  readonly connection: Tracked;
  /** The segment that caused the events; absent where time did. */
  readonly segment?: { readonly from: Direction; readonly segment: Segment };
  /** By which its frame came, where the point has two. */
  readonly leg?: Leg;
  readonly events: readonly InspectorEvent[];
  /** The connection's last news. */
  readonly ended: boolean;
}

export interface TrackerOptions {
  /** Server ports whose connections are followed. */
  readonly ports: readonly number[];
  /** Those among them that speak TLS from the first octet on. */
  readonly implicitTlsPorts: readonly number[];
  /** Connections kept at a time; beyond it the one that was silent longest is ended. */
  readonly capacity?: number;
}

/** What was not followed, and why: totals. */
export interface TrackerCounts {
  readonly frames: number;
  readonly segments: number;
  readonly fragments: number;
  readonly malformed: number;
  /** Not TCP over IP, or not one of the ports. */
  readonly others: number;
  readonly connections: number;
}

export interface Tracker {
  /** One captured frame of a LINKTYPE_. The octets may be reused by the caller afterwards. */
  frame(linkType: number, octets: Uint8Array, at: Micros): TrackerNews[];
  segment(segment: Segment, leg?: Leg): TrackerNews[];
  /** Octets of a connection whose segments are not there; of one that is not followed they say nothing. */
  stretch(client: Peer, server: Peer, from: Direction, stretch: Stretch, leg?: Leg): TrackerNews[];
  /** Segments between these two, whichever is the client, were missed by us. */
  lost(a: Peer, b: Peer): void;
  /** Until `at` segments were missed by us, and nobody knows of whom: no connection that had begun by then is whole. */
  lostUntil(at: Micros): void;
  /** Time passed without a frame: live captures call it a few times a second. */
  idle(at: Micros): TrackerNews[];
  /** The capture ends. */
  end(at: Micros): TrackerNews[];
  /** The connection of these two, whichever is the client. */
  find(a: Peer, b: Peer): Tracked | undefined;
  readonly counts: TrackerCounts;
}

export function createTracker(options: TrackerOptions): Tracker {
  const state: State = {
    options,
    open: new Map(),
    closed: new Map(),
    recency: createRecency(),
    waiting: new Set(),
    counts: { frames: 0, segments: 0, fragments: 0, malformed: 0, others: 0, connections: 0 },
    now: 0,
    sweepAt: 0,
    lostUntil: -Infinity,
  };
  const find = (a: Peer, b: Peer): Entry | undefined =>
    state.open.get(keyOf(a.address, a.port, b.address, b.port));
  const lost = (a: Peer, b: Peer): void => find(a, b)?.tracked.inspector.lost();
  return {
    frame(linkType, octets, at) {
      state.counts.frames += 1;
      const packet = parsePacket(linkType, octets, at);
      if (packet.kind === 'segment') return segment(state, packet.segment);
      state.counts[COUNTED[packet.kind]] += 1;
      // What a datagram in fragments carried is not read.
      if (packet.kind === 'fragment' && packet.of) lost(...peersOf(packet.of));
      return idle(state, at);
    },
    segment: (each, leg) => segment(state, each, leg),
    stretch: (client, server, from, each, leg) => stretch(state, find(client, server), from, each, leg),
    lost,
    lostUntil(at) {
      state.lostUntil = Math.max(state.lostUntil, at);
      for (const { tracked } of state.open.values()) tracked.inspector.lost();
    },
    idle: (at) => idle(state, at),
    end: (at) => finishAll(state, Math.max(at, state.now)),
    find: (a, b) => find(a, b)?.tracked,
    counts: state.counts,
  };
}

interface Entry extends Link<Entry> {
  readonly key: string;
  readonly tracked: Tracked;
  lastAt: Micros;
  /** When it is to be asked again though nothing came: `Infinity` for never. */
  due: Micros;
}

interface State {
  readonly options: TrackerOptions;
  readonly open: Map<string, Entry>;
  /** When those ended that were closed a short while ago, the oldest first. */
  readonly closed: Map<string, Micros>;
  readonly recency: Recency<Entry>;
  /** Those that want to be asked again when time passes. */
  readonly waiting: Set<Entry>;
  readonly counts: { -readonly [K in keyof TrackerCounts]: number };
  now: Micros;
  sweepAt: Micros;
  /** Of connections that begin by then something may be missing. */
  lostUntil: Micros;
}

function segment(state: State, each: Segment, leg?: Leg): TrackerNews[] {
  const { options, counts } = state;
  const { source, sourcePort, destination, destinationPort } = each;
  const toServer = options.ports.includes(destinationPort);
  if (!toServer && !options.ports.includes(sourcePort)) {
    counts.others += 1;
    return [];
  }
  counts.segments += 1;
  const before = idle(state, each.at);
  const key = keyOf(source, sourcePort, destination, destinationPort);
  const known = state.open.get(key);
  if (!known && isStraggler(state, key, each)) return before;
  const stale = known && isNewConnection(known, each) ? finish(state, known, each.at) : undefined;
  const entry = (stale ? undefined : known) ?? open(state, key, each, toServer);
  entry.lastAt = each.at;
  state.recency.use(entry);
  const { client } = entry.tracked;
  const from = client.address === source && client.port === sourcePort ? 'client' : 'server';
  const events = entry.tracked.inspector.segment(from, each);
  const last = entry.tracked.inspector.settled ? settle(state, entry, each.at) : undefined;
  if (!last) wait(state, entry, each.at);
  const news: TrackerNews = {
    connection: entry.tracked,
    segment: { from, segment: each },
    ...(leg && { leg }),
    events: last ? [...events, ...last.events] : events,
    ended: last !== undefined,
  };
  return before.length === 0 && !stale ? [news] : [...before, ...(stale ? [stale] : []), news];
}

function stretch(
  state: State,
  entry: Entry | undefined,
  from: Direction,
  each: Stretch,
  leg?: Leg,
): TrackerNews[] {
  if (!entry) return [];
  const before = idle(state, each.at);
  // Its time may have ended just now.
  if (state.open.get(entry.key) !== entry) return before;
  entry.lastAt = each.at;
  state.recency.use(entry);
  const events = entry.tracked.inspector.stretch(from, each);
  return [...before, { connection: entry.tracked, ...(leg && { leg }), events, ended: false }];
}

/** A fresh SYN where a connection was: the port is used again (RFC 9293 §3.6.1). */
function isNewConnection({ tracked: { inspector } }: Entry, { flags, seq }: Segment): boolean {
  if (!(flags & FLAG.syn) || flags & FLAG.ack) return false;
  const { syn } = inspector.view.client;
  return syn === undefined || syn.seq !== seq;
}

function open(state: State, key: string, first: Segment, toServer: boolean): Entry {
  const { flags } = first;
  const [a, b] = peersOf(first);
  // Both ports may be a server's: then the handshake tells, and without it the destination is as good a guess.
  const fromClient = flags & FLAG.syn ? !(flags & FLAG.ack) : toServer;
  const [client, server] = fromClient ? [a, b] : [b, a];
  state.counts.connections += 1;
  const implicitTls = state.options.implicitTlsPorts.includes(server.port);
  const inspector = createInspector(first, { implicitTls });
  if (first.at <= state.lostUntil) inspector.lost();
  const entry: Entry = {
    key,
    tracked: { id: state.counts.connections, client, server, inspector },
    lastAt: first.at,
    due: Infinity,
    older: undefined,
    newer: undefined,
  };
  state.open.set(key, entry);
  return entry;
}

/**
 * When it is to be asked next, of the time `at` when it was fed or asked. A judge that is still waiting when its time
 * has passed is asked once a second of the real time `now`, not at every sweep.
 */
function wait(state: State, entry: Entry, at: Micros, now = at): void {
  const { inspector } = entry.tracked;
  const { closedAt } = inspector;
  const first = inspector.deadline() ?? Infinity;
  const next = first > at ? first : (inspector.deadline(at) ?? Infinity);
  const asked = first > at ? next : Math.min(next, now + AGAIN);
  const waited = entry.due !== Infinity;
  entry.due = closedAt === undefined ? asked : Math.min(asked, closedAt + LINGER);
  const waits = entry.due !== Infinity;
  if (waits && !waited) state.waiting.add(entry);
  if (waited && !waits) state.waiting.delete(entry);
}

/** Asks those whose time has come, ends those that are closed or forgotten. Costs nothing most of the time. */
function idle(state: State, at: Micros): TrackerNews[] {
  state.now = Math.max(state.now, at);
  const capacity = state.options.capacity ?? CONNECTIONS;
  if (at < state.sweepAt && state.open.size <= capacity) return NO_NEWS;
  state.sweepAt = at + SWEEP;
  const news: TrackerNews[] = [];
  for (const entry of state.waiting) {
    if (entry.due <= at) news.push(...ask(state, entry, at));
  }
  for (let entry = state.recency.oldest; entry; entry = state.recency.oldest) {
    if (state.open.size <= capacity && at - entry.lastAt < FORGET_AFTER) break;
    news.push(finish(state, entry, Math.min(at, entry.lastAt + FORGET_AFTER)));
  }
  return news;
}

/**
 * Asks as of the time when it was due, however late it is by now: in a capture the next frame may be minutes away, and
 * what silence shows it showed then.
 */
function ask(state: State, entry: Entry, at: Micros): TrackerNews[] {
  const { tracked } = entry;
  const { inspector } = tracked;
  const news: TrackerNews[] = [];
  while (entry.due <= at) {
    const { due } = entry;
    if (inspector.closedAt !== undefined && due - inspector.closedAt >= LINGER) {
      return [...news, settle(state, entry, due)];
    }
    const events = inspector.idle(due);
    wait(state, entry, due, at);
    if (events.length > 0) news.push({ connection: tracked, events, ended: false });
  }
  return news;
}

/** Its end is known: what comes of it now is no new connection. */
function settle(state: State, entry: Entry, at: Micros): TrackerNews {
  remember(state, entry.key, at);
  return finish(state, entry, at);
}

function finish(state: State, entry: Entry, at: Micros): TrackerNews {
  state.open.delete(entry.key);
  state.recency.remove(entry);
  state.waiting.delete(entry);
  return { connection: entry.tracked, events: entry.tracked.inspector.end(at), ended: true };
}

function finishAll(state: State, at: Micros): TrackerNews[] {
  const news: TrackerNews[] = [];
  for (let entry = state.recency.oldest; entry; entry = state.recency.oldest) {
    news.push(finish(state, entry, at));
  }
  return news;
}

/** A path that holds segments lets go of some when all is over: they are no new connection, as only a SYN begins one. */
function isStraggler({ closed }: State, key: string, { flags, at }: Segment): boolean {
  const ended = closed.get(key);
  if (ended === undefined) return false;
  const late = (flags & FLAG.syn) === 0 && at - ended < STRAGGLERS;
  if (!late) closed.delete(key);
  return late;
}

function remember({ closed, options }: State, key: string, at: Micros): void {
  closed.delete(key);
  closed.set(key, at);
  for (const [oldest, ended] of closed) {
    if (at - ended < STRAGGLERS && closed.size <= (options.capacity ?? CONNECTIONS)) break;
    closed.delete(oldest);
  }
}

/** The same for both directions. */
function keyOf(a: string, aPort: number, b: string, bPort: number): string {
  const inOrder = aPort === bPort ? a < b : aPort < bPort;
  return inOrder ? `${a} ${aPort} ${b} ${bPort}` : `${b} ${bPort} ${a} ${aPort}`;
}

const NO_NEWS: TrackerNews[] = [];
/** Microseconds. */
const AGAIN: Micros = 1_000_000;
const COUNTED = { fragment: 'fragments', malformed: 'malformed', other: 'others' } as const;
