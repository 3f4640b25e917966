// One connection from its segments: both streams in order, gaps, repetitions, round trip, and how it ended.

import type { CloseHow, Direction, Micros } from '../events';
import { type Clock, createClock, type Stamp } from './clock';
import { isCopyOf, keepRecent } from './copies';
import { createOrdering, type Ordering } from './ordering';
import { FLAG, headerOf, type Segment } from './segment';
import { distance, type Seq } from './seq';
import { createStream, type Carried, type Stream, type StreamNews } from './stream';
import type { ConnectionView, SideView } from './view';

/** What the streams gave, in order: what a session is fed with. */
export type Flow =
  | { readonly kind: 'octets'; readonly from: Direction; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly from: Direction; readonly length: number; readonly why: Unseen }
  /** Message or TLS, left out on purpose. */
  | { readonly kind: 'elided'; readonly from: Direction; readonly length: number }
  | { readonly kind: 'close'; readonly by: Direction; readonly how: CloseHow };

/**
 * Why octets are not there: the capture cut them off; they were `missed`, as the other side acknowledged them; or they were
 * lost, and nobody knows where.
 */
export type Unseen = 'cut' | 'missed' | 'lost';

export interface Connection {
  readonly view: ConnectionView;
  /** The handshake's SYN was seen: the streams begin at their beginning. */
  fromStart(): boolean;
  /** `header` is the segment as it may be kept: without its octets. */
  take(from: Direction, segment: Segment): Taken;
  /** The same frame as one before, or one that its side sent before what came by meanwhile. */
  isCopy(from: Direction, segment: Segment): boolean;
  /** What waited for octets that do not come: to be asked at `due`. */
  idle(at: Micros): readonly Flow[];
  due(): Micros | undefined;
  /** Octets in order whose segments are not there: what is left of them. */
  stretch(from: Direction, pieces: readonly Carried[]): readonly Flow[];
  /** The end of the capture, or of our patience: holes will not be filled any more. */
  end(): readonly Flow[];
}

export interface Taken {
  readonly header: Segment;
  readonly news: readonly StreamNews[];
  readonly flow: readonly Flow[];
}

export function createConnection(started: Micros): Connection {
  const sides = { client: createSide(), server: createSide() };
  const state: State = {
    sides,
    ordering: undefined,
    view: { ...sides, started, rtt: undefined },
    // Both sides sent FIN, or one sent RST.
    closed: false,
  };
  return {
    view: state.view,
    fromStart: () => sides.client.syn !== undefined,
    take: (from, segment) => take(state, from, segment),
    isCopy: (from, segment) => isCopy(sides[from], segment),
    stretch: (from, pieces) => stretch(state, from, pieces),
    idle: (at) => overdue(state, at),
    due: () => state.ordering?.due(),
    end: () => end(state),
  };
}

interface State {
  readonly sides: Readonly<Record<Direction, Side>>;
  readonly view: Mutable<ConnectionView>;
  /** Only where something had to wait: few connections have one. */
  ordering: Ordering<Flow | undefined> | undefined;
  closed: boolean;
}

function take(state: State, from: Direction, segment: Segment): Taken {
  const { sides, view } = state;
  const side = sides[from];
  const other = sides[OTHER[from]];
  const header = headerOf(segment);
  note(view, side, from, header);
  const news = side.stream.take(segment);
  const own: Flow[] = [];
  let repeated = false;
  for (const item of news) {
    repeated ||= item.kind === 'repeat';
    addFlow(own, from, item);
  }
  if (repeated) side.retransmits += 1;
  const needs = segment.flags & FLAG.ack ? acknowledge(other, segment) : 0;
  const flow = inOrder(state, from, own, needs, segment.at);
  const end = state.closed ? undefined : endOf(from, side, other, segment);
  if (end) {
    flow.push(end);
    state.closed = true;
  }
  return { header, news, flow };
}

function stretch(state: State, from: Direction, pieces: readonly Carried[]): readonly Flow[] {
  const own: Flow[] = [];
  for (const piece of pieces) {
    for (const news of state.sides[from].stream.take(piece)) addFlow(own, from, news);
  }
  return inOrder(state, from, own, 0, pieces[0]?.at ?? 0);
}

/** Of what a side said, what its place is now; `needs`: behind this offset of the other side. */
function inOrder(state: State, from: Direction, own: Flow[], needs: number, at: Micros): Flow[] {
  const { sides } = state;
  const missing = needs > sides[OTHER[from]].stream.next;
  if (!missing && !state.ordering) return own;
  const ordering = (state.ordering ??= createOrdering());
  // An acknowledgement alone waits too: what it acknowledges is given up when its time is over.
  const held = own.length === 0 && missing ? [undefined] : own;
  if (missing || ordering.waits[from]) {
    for (const item of held) ordering.hold(from, item && kept(item), octetsOf(item), needs, at);
    return overdue(state, at);
  }
  return [...own, ...overdue(state, at)];
}

/** Passes on what needs wait no longer, and gives up what has been waited for long enough. */
function overdue(state: State, at: Micros): Flow[] {
  const { ordering, sides } = state;
  const flow: Flow[] = [];
  if (!ordering || ordering.empty) return flow;
  const next = { client: 0, server: 0 };
  for (let given = false; ; given = true) {
    for (const each of ['client', 'server'] as const) {
      next[each] = Math.max(next[each], sides[each].stream.next);
    }
    for (const { from, item } of ordering.release(next)) {
      if (!given) sides[from].disordered += 1;
      if (item) flow.push(item);
    }
    const waited = ordering.overdue(at);
    if (!waited) return flow;
    const { missing, upTo } = waited;
    const { stream } = sides[missing];
    stream.confirm(upTo, at);
    while (stream.next < upTo && giveUpOne(flow, stream, missing, 'missed'));
    // More than the side can have sent, its FIN says: there is nothing to wait for.
    next[missing] = upTo;
  }
}

/** A payload is a view into the capture's buffer, which is used again. */
function kept(item: Flow): Flow {
  return item.kind === 'octets' ? { ...item, bytes: item.bytes.slice() } : item;
}

function octetsOf(item: Flow | undefined): number {
  return item?.kind === 'octets' ? item.bytes.length : 0;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Side = Mutable<SideView> & {
  readonly clock: Clock;
  /** Its last segments: what copies are known by. */
  readonly recent: Segment[];
  /** What the other side acknowledged before anything of this side was seen. */
  heardOf: Seq | undefined;
};

function createSide(): Side {
  return {
    stream: createStream(),
    recent: [],
    heardOf: undefined,
    disordered: 0,
    syn: undefined,
    clock: createClock(),
    segments: 0,
    retransmits: 0,
    last: undefined,
    acked: 0,
    finAt: undefined,
    finAcked: false,
    rstAt: undefined,
  };
}

function note(view: Mutable<ConnectionView>, side: Side, from: Direction, segment: Segment): void {
  const { at, flags, options } = segment;
  keepRecent(side.recent, segment, side.segments);
  side.segments += 1;
  if (side.heardOf !== undefined && !(flags & FLAG.rst)) {
    // Only what is a little behind can be what comes before this.
    const ahead = distance(side.heardOf, segment.seq);
    if (ahead >= 0 && ahead < MAX_WINDOW && !(flags & FLAG.syn)) side.stream.begin(side.heardOf);
    side.heardOf = undefined;
  }
  side.last = segment;
  if (flags & FLAG.syn) side.syn ??= segment;
  if (flags & FLAG.fin) side.finAt ??= at;
  if (flags & FLAG.rst) side.rstAt ??= at;
  const value = options.timestamps?.[0];
  // A reset carries no stamp of its own clock in many stacks.
  if (value !== undefined && !(flags & FLAG.rst)) side.clock.tick(value, at);
  const handshake = from === 'client' && !(flags & FLAG.syn) && flags & FLAG.ack;
  if (view.rtt === undefined && handshake && view.client.syn && view.server.syn) {
    view.rtt = at - view.client.syn.at;
  }
}

function addFlow(flow: Flow[], from: Direction, news: StreamNews): void {
  if (news.kind === 'octets') flow.push({ kind: 'octets', from, bytes: news.bytes });
  else if (news.kind === 'cut' && news.elided) flow.push({ kind: 'elided', from, length: news.length });
  else if (news.kind === 'cut') flow.push({ kind: 'gap', from, length: news.length, why: 'cut' });
}

/**
 * How far the other side's octets had come to the sender of this. Where we have not seen all of them, they passed, or are
 * about to: what is not here soon we have missed.
 */
function acknowledge(other: Side, { ack, flags }: Segment): number {
  const { stream } = other;
  if (other.segments === 0) {
    if (!(flags & FLAG.rst)) other.heardOf ??= ack;
    return 0;
  }
  if (flags & FLAG.syn) stream.begin(ack);
  const acked = stream.offsetOf(ack);
  if (acked === undefined || acked - stream.next > MAX_WINDOW) return 0;
  // FIN takes a sequence number and is no octet.
  const finAcked = other.finAt !== undefined && acked > stream.sent;
  other.finAcked ||= finAcked;
  const offset = finAcked ? acked - 1 : acked;
  other.acked = Math.max(other.acked, offset);
  return offset;
}

/** False where nothing was missing. */
function giveUpOne(flow: Flow[], stream: Stream, from: Direction, why: Unseen): boolean {
  const given = stream.giveUp();
  if (!given) return false;
  flow.push({ kind: 'gap', from, length: given.length, why });
  for (const news of given.news) addFlow(flow, from, news);
  return true;
}

function end(state: State): readonly Flow[] {
  const flow = overdue(state, Infinity);
  for (const from of ['client', 'server'] as const) {
    while (giveUpOne(flow, state.sides[from].stream, from, 'lost'));
  }
  return flow;
}

/** A segment that is sent again is sent after all that its side has sent; what is stamped before that is a late copy. */
function isCopy(side: Side, segment: Segment): boolean {
  const { recent, stream, clock } = side;
  const copied = recent.some((each) => isCopyOf(each, segment)) || isStale(clock.last, segment, stream);
  // The same numbers and other octets: somebody has changed them.
  return copied && stream.same(segment) !== false;
}

function isStale(last: Stamp | undefined, segment: Segment, stream: Stream): boolean {
  const value = segment.options.timestamps?.[0];
  if (last === undefined || value === undefined || segment.length === 0) return false;
  const end = (stream.offsetOf(segment.seq) ?? 0) + segment.length;
  return distance(value, last.value) > 0 && end <= stream.next;
}

/** The first RST ends a connection; so does the second side's FIN, and the first one's is who began it. */
function endOf(from: Direction, side: Side, other: Side, { flags }: Segment): Flow | undefined {
  if (flags & FLAG.rst) return { kind: 'close', by: from, how: 'rst' };
  if (side.finAt === undefined || other.finAt === undefined) return undefined;
  return { kind: 'close', by: side.finAt < other.finAt ? from : OTHER[from], how: 'fin' };
}

/** RFC 7323 §2.3: no acknowledgement is farther ahead than the largest window. */
const MAX_WINDOW = 1 << 30;
const OTHER = { client: 'server', server: 'client' } as const;
