// All connections of one vantage point: frames in, each connection's events out, nothing kept beyond its time.

import type { Endpoint } from '../address';
import { countOther, countSegment, createCounts, type CountsState, type TrackerCounts } from './counts';
import type { Direction, Micros } from '../events';
import { createOtherPorts, type OtherPorts } from './other-ports';
import {
  ask,
  createConnections,
  feed,
  finish,
  isNewConnection,
  isStraggler,
  join,
  keyOf,
  newsOf,
  NO_NEWS,
  open,
  peersOf,
  type Entry,
  type Connections,
  type Tracked,
  type TrackerNews,
} from './connections';
import { createHalfOpen, type Frame, type HalfOpen, type Known } from './half-open';
import type { Elided } from './inspector';
import { CONNECTIONS, FORGET_AFTER, HALF_OPEN, HALF_OPEN_FOR, HALF_OPEN_REPORTED, SWEEP } from '../limits';
import type { Redaction } from '../grammar/argument';
import { parsePacket } from '../tcp/packet';
import { FLAG, type Ends, type Leg, type Segment } from '../tcp/segment';
import { createAwaitingSyn, type AwaitingSyn } from './awaiting-syn';

export type { TrackerCounts } from './counts';
export { newsOf, peersOf, type Observer, type Tracked, type TrackerNews } from './connections';
export type { Frame } from './half-open';

export interface TrackerOptions {
  /** Server ports whose connections are followed. */
  readonly ports: readonly number[];
  /** Those among them that speak TLS from the first octet on. */
  readonly implicitTlsPorts: readonly number[];
  /** How envelope addresses are written down; absent: as they are. */
  readonly redact?: Redaction | undefined;
  /** Connections kept at a time; beyond it the one that was silent longest is ended. */
  readonly capacity?: number;
  /** Connections of which one side alone was heard, kept at a time; absent: as many as there are. */
  readonly oneSided?: number;
  /** Handshakes that are not complete, kept at a time, each in some 250 octets. */
  readonly halfOpen?: number;
  /** Of those that do not complete so many are reported a second, each as a connection; the others are counted. */
  readonly halfOpenReported?: number;
  /** Frames of handshakes are kept, to be written to captures. */
  readonly keepFrames?: boolean;
  /** Segments come in the order in which they passed: no SYN is waited for that was not there first. */
  readonly inOrder?: boolean;
  /** The capture may have lost frames, and does not say so. */
  readonly uncounted?: boolean;
}

export interface Tracker {
  /**
   * One captured frame of a LINKTYPE_, of which `length` octets were on the wire; `elided`: those that are not there were
   * left out on purpose. Its octets may be reused by the caller afterwards. The news of a handshake come once it is complete.
   */
  frame(linkType: number, octets: Uint8Array, at: Micros, length?: number, elided?: boolean): TrackerNews[];
  /** `frame`: as it was captured, where handshakes are to keep theirs. */
  segment(segment: Segment, leg?: Leg, frame?: Frame): TrackerNews[];
  /** Octets of a connection whose segments are not there; of one that is not followed they say nothing. */
  elided(client: Endpoint, server: Endpoint, from: Direction, elided: Elided, leg?: Leg): TrackerNews[];
  /** Segments between these two, whichever is the client, were missed by us. */
  lost(a: Endpoint, b: Endpoint): void;
  /** Until `at` segments were missed by us, of unknown connections: no connection that had begun by then is whole. */
  lostUntil(at: Micros): void;
  /** Time passed without a frame: live captures call it a few times a second. */
  idle(at: Micros): TrackerNews[];
  /** The capture ends. */
  end(at: Micros): TrackerNews[];
  /** The connection of these two, whichever is the client; not before its handshake is complete. */
  find(a: Endpoint, b: Endpoint): Tracked | undefined;
  readonly counts: TrackerCounts;
}

export function createTracker(options: TrackerOptions): Tracker {
  const state: State = {
    ...createConnections(options),
    options,
    counts: createCounts(),
    halfOpen: createHalfOpen({
      nextId: () => (state.counts.connections += 1),
      keepFrames: options.keepFrames ?? false,
      most: options.halfOpen ?? HALF_OPEN,
    }),
    awaitingSyn: createAwaitingSyn(),
    otherPorts: createOtherPorts(options.ports),
    reported: { second: 0, spent: 0 },
    now: 0,
    sweepAt: 0,
  };
  const find = (a: Endpoint, b: Endpoint): Entry | undefined =>
    state.open.get(keyOf(a.address, a.port, b.address, b.port));
  const lost = (a: Endpoint, b: Endpoint): void => {
    const found = find(a, b);
    if (found) found.tracked.inspector.lost();
    else state.halfOpen.lost(endsOf(a, b));
  };
  return {
    frame(linkType, octets, at, length = octets.length, elided = false) {
      state.counts.frames += 1;
      const packet = parsePacket(linkType, octets, at, length);
      if (packet.kind === 'segment') {
        const each = elided ? { ...packet.segment, elided } : packet.segment;
        return segment(state, each, undefined, { linkType, octets, length });
      }
      state.counts[COUNTED[packet.kind]] += 1;
      // What a datagram in fragments carried is not read, nor what came behind the cut.
      if (packet.kind !== 'other' && packet.of) lost(...peersOf(packet.of));
      return idle(state, at);
    },
    segment: (each, leg, frame) => segment(state, each, leg, frame),
    elided: (client, server, from, each, leg) => takeElided(state, find(client, server), from, each, leg),
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

interface State extends Connections {
  readonly options: TrackerOptions;
  readonly halfOpen: HalfOpen;
  readonly awaitingSyn: AwaitingSyn<Arrived>;
  readonly otherPorts: OtherPorts;
  /** Half-open connections that were reported in this second. */
  readonly reported: { second: number; spent: number };
  readonly counts: CountsState;
  now: Micros;
  sweepAt: Micros;
}

function segment(state: State, each: Segment, leg?: Leg, frame?: Frame): TrackerNews[] {
  const { options, counts } = state;
  const { source, sourcePort, destination, destinationPort } = each;
  const toServer = options.ports.includes(destinationPort);
  const ours = toServer || options.ports.includes(sourcePort);
  const key = ours ? keyOf(source, sourcePort, destination, destinationPort) : '';
  if (!ours || state.otherPorts.has(key, each)) {
    countOther(counts, each);
    return [];
  }
  countSegment(counts, each, frame);
  return join(idle(state, each.at), arrive(state, { key, segment: each, toServer, leg, frame }));
}

/** A segment of one of our ports, and where it is kept for a while its frame. */
interface Arrived {
  readonly key: string;
  readonly segment: Segment;
  readonly toServer: boolean;
  readonly leg: Leg | undefined;
  readonly frame: Frame | undefined;
}

/** `mayWait`: where no SYN of its connection was captured yet. */
function arrive(state: State, arrived: Arrived, mayWait = !state.options.inOrder): TrackerNews[] {
  const { key, segment: each, leg } = arrived;
  const known = state.open.get(key);
  if (known && !isNewConnection(known, each)) return [feed(state, known, each, leg)];
  if (known) return join([finish(state, known, each.at)], beginning(state, arrived));
  if (isStraggler(state, key, each)) return NO_NEWS;
  if (!mayWait) return beginning(state, arrived);
  const { awaitingSyn, halfOpen } = state;
  const ready = awaitingSyn.take(
    key,
    arrived,
    () => halfOpen.synsOf(each),
    (one) => kept(state, one),
  );
  return ready.length === 1 && ready[0] === arrived ? beginning(state, arrived) : arriveLate(state, ready);
}

/** As it may be kept: the buffer that its octets are in is used again for the next frame. A payload stays a view of its frame. */
function kept({ options }: State, arrived: Arrived): Arrived {
  const { segment: each, frame } = arrived;
  const { payload } = each;
  if (!frame || !options.keepFrames)
    return { ...arrived, segment: { ...each, payload: payload.slice() }, frame: undefined };
  const octets = frame.octets.slice();
  const at = payload.byteOffset - frame.octets.byteOffset;
  const isView = payload.buffer === frame.octets.buffer && at >= 0 && at + payload.length <= octets.length;
  const own = isView ? octets.subarray(at, at + payload.length) : payload.slice();
  return { ...arrived, segment: { ...each, payload: own }, frame: { ...frame, octets } };
}

/** Segments that waited, each with its own frame. */
function arriveLate(state: State, arrived: readonly Arrived[]): TrackerNews[] {
  return arrived.flatMap((each) =>
    arrive(state, each, false).map((news) =>
      news.segment?.segment === each.segment ? { ...news, remembered: { frame: each.frame } } : news,
    ),
  );
}

/** Of a connection that is not open: its handshake is kept until a segment goes on from it. */
function beginning(state: State, { key, segment: each, toServer, leg, frame }: Arrived): TrackerNews[] {
  const step = state.halfOpen.take(each, leg, frame);
  switch (step.kind) {
    case 'kept':
      return step.instead ? giveUp(state, [step.instead], 0, each.at) : NO_NEWS;
    case 'complete': {
      const { entry, news } = complete(state, key, step.known);
      return [...news, feed(state, entry, each, leg)];
    }
    case 'earlier':
      return NO_NEWS;
    case 'reset':
      return giveUp(state, [step.known], 0, each.at, { segment: each, leg });
    default:
      // A reset alone belongs to nothing, and there are many where a flood is answered.
      if (each.flags & FLAG.rst) return NO_NEWS;
      state.counts.connections += 1;
      return [feed(state, open(state, key, each, toServer, state.counts.connections), each, leg)];
  }
}

/** The connection that a handshake began, and what its segments say. */
function complete(state: State, key: string, known: Known): { entry: Entry; news: TrackerNews[] } {
  const { passed, frames, id, lost } = known;
  const [first] = passed;
  if (!first) throw new Error('a handshake without a segment');
  const entry = open(state, key, first.segment, true, id);
  if (lost) entry.tracked.inspector.lost();
  const news = passed.map(({ segment: each, leg }, i) => ({
    ...feed(state, entry, each, leg),
    remembered: { frame: frames?.[i] },
  }));
  return { entry, news };
}

/** Those that did not complete: as many as may be are reported, each as the connection that it was to be. */
function giveUp(
  state: State,
  known: readonly Known[],
  more: number,
  at: Micros,
  last?: { readonly segment: Segment; readonly leg: Leg | undefined },
): TrackerNews[] {
  const { counts, reported } = state;
  counts.halfOpen += known.length + more;
  counts.unreported += more;
  const news: TrackerNews[] = [];
  for (const each of known) {
    if (budgetOf(state, at) === 0) {
      counts.unreported += 1;
      continue;
    }
    reported.spent += 1;
    const { source, sourcePort, destination, destinationPort } = each.client;
    const { entry, news: own } = complete(
      state,
      keyOf(source, sourcePort, destination, destinationPort),
      each,
    );
    news.push(...own);
    if (last) news.push(feed(state, entry, last.segment, last.leg));
    if (state.open.get(entry.key) === entry)
      news.push(finish(state, entry, Math.min(at, entry.lastAt + HALF_OPEN_FOR)));
  }
  return news;
}

/** How many half-open connections may still be reported in this second. */
function budgetOf({ reported, options }: State, at: Micros): number {
  const second = Math.floor(at / 1e6);
  if (second !== reported.second) Object.assign(reported, { second, spent: 0 });
  return Math.max(0, (options.halfOpenReported ?? HALF_OPEN_REPORTED) - reported.spent);
}

function takeElided(
  state: State,
  entry: Entry | undefined,
  from: Direction,
  each: Elided,
  leg?: Leg,
): TrackerNews[] {
  if (!entry) return [];
  const before = idle(state, each.at);
  // Its time may have ended just now.
  if (state.open.get(entry.key) !== entry) return before;
  entry.lastAt = each.at;
  state.recency.use(entry);
  const { inspector } = entry.tracked;
  const events = inspector.elided(from, each);
  return [...before, { ...newsOf(entry.tracked, events, { flow: inspector.flow }), ...(leg && { leg }) }];
}

/** Calls the judges whose deadline has come, ends those that are closed or forgotten. Costs nothing most of the time. */
function idle(state: State, at: Micros): TrackerNews[] {
  state.now = Math.max(state.now, at);
  const late = state.awaitingSyn.overdue(at);
  if (late.length > 0)
    return join(
      late.flatMap((each) => arriveLate(state, each)),
      idle(state, at),
    );
  const capacity = state.options.capacity ?? CONNECTIONS;
  const { surplus } = state.oneSided;
  if (surplus) return join([finish(state, surplus, at)], idle(state, at));
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
  return join(news, expire(state, at));
}

function expire(state: State, at: Micros): TrackerNews[] {
  if (state.halfOpen.size === 0) return NO_NEWS;
  const { known, more } = state.halfOpen.expire(at, budgetOf(state, at));
  return giveUp(state, known, more, at);
}

function finishAll(state: State, at: Micros): TrackerNews[] {
  const news = state.awaitingSyn.overdue(Infinity).flatMap((each) => arriveLate(state, each));
  for (let entry = state.recency.oldest; entry; entry = state.recency.oldest) {
    news.push(finish(state, entry, at));
  }
  const { known, more } = state.halfOpen.expire(Infinity, budgetOf(state, at));
  return join(news, giveUp(state, known, more, at));
}

function endsOf(from: Endpoint, to: Endpoint): Ends {
  return {
    ...{ source: from.address, sourcePort: from.port },
    ...{ destination: to.address, destinationPort: to.port },
  };
}

const COUNTED = { fragment: 'fragments', malformed: 'malformed', other: 'others' } as const;
