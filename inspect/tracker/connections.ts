// The connections of a tracker, one at a time: opened, fed, judged by the time, ended.

import type { Endpoint } from '../address';
import type { Direction, Micros, VerdictEvent } from '../events';
import type { Frame } from './half-open';
import { createInspector, type Inspector, type InspectorEvent } from './inspector';
import { CONNECTIONS, LINGER, LINGER_RESET, STRAGGLERS } from '../limits';
import { createOneSided, type Heard, type OneSided } from './one-sided';
import { clientIsnOf, isFirst } from '../tcp/handshake';
import type { Seq } from '../tcp/seq';
import { isnOf } from '../tcp/view';
import type { Flow } from '../tcp/connection';
import type { Holding } from '../tcp/stream';
import { createRecency, type Link, type Recency } from './recency';
import type { Redaction } from '../grammar/argument';
import { FLAG, type Ends, type Leg, type Segment } from '../tcp/segment';

/** One connection, from its first segment on. */
export interface Tracked {
  /** Counts up from 1 in order of appearance: the same in every pass over the same file. */
  readonly id: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly inspector: Inspector;
}

/** Who sent it, and to whom. */
export function peersOf({
  source,
  sourcePort,
  destination,
  destinationPort,
}: Ends): readonly [Endpoint, Endpoint] {
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
  /**
   * The segment is of a handshake that was kept until it was complete, and not the one that came just now: its own frame,
   * where frames are kept.
   */
  readonly remembered?: { readonly frame: Frame | undefined };
  /** The octets of both sides that it brought, in order: what the events were read from. */
  readonly flow: readonly Flow[];
  readonly events: readonly InspectorEvent[];
  /** The verdicts that stand after these events (`Inspector.verdicts`). */
  readonly verdicts: readonly VerdictEvent[];
  /** The connection's last news. */
  readonly ended: boolean;
}

/**
 * Who listens to a tracker. `frame`: the captured frame that the news are of, if there was one; its octets are used again
 * after the call.
 */
export interface Observer<F = Frame> {
  observe(news: readonly TrackerNews[], frame?: F): void;
}

/** What is new of a connection without a segment. */
export function newsOf(
  connection: Tracked,
  events: readonly InspectorEvent[],
  { flow = NOTHING, ended = false }: Partial<Pick<TrackerNews, 'flow' | 'ended'>> = {},
): TrackerNews {
  return { connection, flow, events, verdicts: connection.inspector.verdicts, ended };
}

export interface Entry extends Link<Entry>, Heard {
  readonly key: string;
  readonly tracked: Tracked;
  lastAt: Micros;
  /** When its judges are called again though nothing came; `Infinity`: never. */
  due: Micros;
}

/** What is kept of the connections that are open, and of those that were until a short while ago. */
export interface Connections {
  readonly options: {
    readonly implicitTlsPorts: readonly number[];
    readonly redact?: Redaction | undefined;
    readonly capacity?: number;
    readonly oneSided?: number;
    readonly uncounted?: boolean;
  };
  readonly open: Map<string, Entry>;
  /** Those that were closed a short while ago, the oldest first. */
  readonly closed: Map<string, Closed>;
  readonly recency: Recency<Entry>;
  readonly oneSided: OneSided<Entry>;
  /** Those whose judges have a deadline. */
  readonly waiting: Set<Entry>;
  /** What is held beyond holes, of all of them. */
  readonly holding: Holding;
  /** Of connections that begin by then something may be missing. */
  lostUntil: Micros;
}

/** What is remembered of a connection that closed, to know its stragglers by. */
interface Closed {
  readonly at: Micros;
  /** The client's initial sequence number, where it is known. */
  readonly isn: Seq | undefined;
}

export function createConnections(options: Connections['options']): Connections {
  return {
    options,
    open: new Map(),
    closed: new Map(),
    recency: createRecency(),
    oneSided: createOneSided(options.oneSided ?? Infinity),
    waiting: new Set(),
    holding: { octets: 0 },
    lostUntil: -Infinity,
  };
}

/** A fresh SYN where a connection was: the port is used again (RFC 9293 §3.6.1). */
export function isNewConnection({ tracked: { inspector } }: Entry, segment: Segment): boolean {
  return isFirst(segment) && isnOf(inspector.view.client) !== segment.seq;
}

export function open(state: Connections, key: string, first: Segment, toServer: boolean, id: number): Entry {
  const { flags } = first;
  const [a, b] = peersOf(first);
  // Both ports may be a server's: then the handshake tells, and without it the destination is as good a guess.
  const fromClient = flags & FLAG.syn ? !(flags & FLAG.ack) : toServer;
  const [client, server] = fromClient ? [a, b] : [b, a];
  const implicitTls = state.options.implicitTlsPorts.includes(server.port);
  const { redact, uncounted = false } = state.options;
  const inspector = createInspector(first, { implicitTls, redact, uncounted, holding: state.holding });
  if (first.at <= state.lostUntil) inspector.lost();
  const entry: Entry = {
    key,
    tracked: { id, client, server, inspector },
    lastAt: first.at,
    due: Infinity,
    heard: undefined,
    older: undefined,
    newer: undefined,
  };
  state.open.set(key, entry);
  return entry;
}

export function feed(state: Connections, entry: Entry, each: Segment, leg: Leg | undefined): TrackerNews {
  entry.lastAt = each.at;
  state.recency.use(entry);
  const { client } = entry.tracked;
  const from = client.address === each.source && client.port === each.sourcePort ? 'client' : 'server';
  state.oneSided.heard(entry, from, each.flags);
  if (entry.tracked.inspector.isCopy(from, each)) return newsOf(entry.tracked, []);
  const events = entry.tracked.inspector.segment(from, each);
  const { flow } = entry.tracked.inspector;
  const last = entry.tracked.inspector.settled ? settle(state, entry, each.at) : undefined;
  if (!last) wait(state, entry, each.at);
  const news: TrackerNews = {
    connection: entry.tracked,
    segment: { from, segment: each },
    flow,
    events: last ? [...events, ...last.events] : events,
    verdicts: entry.tracked.inspector.verdicts,
    ended: last !== undefined,
  };
  return leg ? { ...news, leg } : news;
}

/**
 * When it is to be asked next, of the time `at` when it was fed or asked. A judge that is still waiting when its time
 * has passed is asked once a second of the real time `now`, not at every sweep.
 */
function wait(state: Connections, entry: Entry, at: Micros, now = at): void {
  const { inspector } = entry.tracked;
  const over = overAt(inspector);
  const first = inspector.deadline() ?? Infinity;
  const next = first > at ? first : (inspector.deadline(at) ?? Infinity);
  const asked = first > at ? next : Math.min(next, now + AGAIN);
  const waited = entry.due !== Infinity;
  entry.due = Math.min(asked, over);
  const waits = entry.due !== Infinity;
  if (waits && !waited) state.waiting.add(entry);
  if (waited && !waits) state.waiting.delete(entry);
}

/** When no more of a connection that closed is awaited; `Infinity` while it is open. */
function overAt({ closedAt, view }: Inspector): Micros {
  if (closedAt === undefined) return Infinity;
  const reset = view.client.rstAt !== undefined || view.server.rstAt !== undefined;
  return closedAt + (reset ? LINGER_RESET : LINGER);
}

/**
 * Asks as of the time when it was due, however late it is by now: in a capture the next frame may be minutes away, and
 * what silence shows it showed then.
 */
export function ask(state: Connections, entry: Entry, at: Micros): TrackerNews[] {
  const { tracked } = entry;
  const { inspector } = tracked;
  const news: TrackerNews[] = [];
  while (entry.due <= at) {
    const { due } = entry;
    if (due >= overAt(inspector)) {
      return [...news, settle(state, entry, due)];
    }
    const events = inspector.idle(due);
    const { flow } = inspector;
    wait(state, entry, due, at);
    if (events.length > 0 || flow.length > 0) news.push(newsOf(tracked, events, { flow }));
  }
  return news;
}

/** Its end is known: what comes of it now is no new connection. */
function settle(state: Connections, entry: Entry, at: Micros): TrackerNews {
  remember(state, entry, at);
  return finish(state, entry, at);
}

export function finish(state: Connections, entry: Entry, at: Micros): TrackerNews {
  state.open.delete(entry.key);
  state.recency.remove(entry);
  state.oneSided.remove(entry);
  state.waiting.delete(entry);
  return newsOf(entry.tracked, entry.tracked.inspector.end(at), { ended: true });
}

/**
 * A path that holds segments lets go of some when all is over, and a copy may be captured then: they are no new connection,
 * as only a new SYN begins one.
 */
export function isStraggler({ closed }: Connections, key: string, segment: Segment): boolean {
  const { flags, at } = segment;
  const ended = closed.get(key);
  if (ended === undefined) return false;
  const late = ((flags & FLAG.syn) === 0 || clientIsnOf(segment) === ended.isn) && at - ended.at < STRAGGLERS;
  if (!late) closed.delete(key);
  return late;
}

function remember({ closed, options }: Connections, { key, tracked }: Entry, at: Micros): void {
  closed.delete(key);
  closed.set(key, { at, isn: isnOf(tracked.inspector.view.client) });
  for (const [oldest, ended] of closed) {
    if (at - ended.at < STRAGGLERS && closed.size <= (options.capacity ?? CONNECTIONS)) break;
    closed.delete(oldest);
  }
}

/** Nearly always one of the two is empty. */
export function join(first: TrackerNews[], second: TrackerNews[]): TrackerNews[] {
  if (second.length === 0) return first;
  return first.length === 0 ? second : [...first, ...second];
}

/** The same for both directions. */
export function keyOf(a: string, aPort: number, b: string, bPort: number): string {
  const inOrder = aPort === bPort ? a < b : aPort < bPort;
  return inOrder ? `${a} ${aPort} ${b} ${bPort}` : `${b} ${bPort} ${a} ${aPort}`;
}

const NOTHING: readonly Flow[] = [];
export const NO_NEWS: TrackerNews[] = [];

/** Microseconds. */
const AGAIN: Micros = 1_000_000;
