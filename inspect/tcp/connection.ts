// One connection from its segments: both streams in order, gaps, repetitions, round trip, and how it ended.

import type { CloseHow, Direction, Micros } from '../events';
import { type Clock, createClock } from './clock';
import { isCopyOfRecent, keepRecent, type Recent } from './copies';
import { createOrdering, type Ordering, type Waiting } from './ordering';
import { FLAG, headerOf, type Segment } from './segment';
import { distance, type Seq } from './seq';
import { createStream, type Carried, type Holding, type StreamNews } from './stream';
import type { ConnectionView, SideView } from './view';

/** What the streams gave, in order of cause: what a session is fed with. */
export type Flow = (
  | { readonly kind: 'octets'; readonly from: Direction; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly from: Direction; readonly length: number; readonly why: Unseen }
  /** Message or TLS, left out on purpose. */
  | { readonly kind: 'elided'; readonly from: Direction; readonly length: number }
  | { readonly kind: 'close'; readonly by: Direction; readonly how: CloseHow }
) & {
  /** When it was captured. */
  readonly at: Micros;
};

/**
 * Why octets were not observed. `cut`: the capture cut them off. `missed`: the other side acknowledged them, so they passed.
 * `lost`: they were not acknowledged, and where they were lost is not known.
 */
type Unseen = 'cut' | 'missed' | 'lost';

export interface Connection {
  readonly view: ConnectionView;
  /** The handshake's SYN was seen: the streams begin at their beginning. */
  fromStart(): boolean;
  /** `header` is the segment as it may be kept: without its octets. */
  take(from: Direction, segment: Segment): Taken;
  /** The same frame as one before. */
  isCopy(from: Direction, segment: Segment): boolean;
  /** What waited for octets that do not come: to be asked at `due`. */
  idle(at: Micros): readonly Flow[];
  due(): Micros | undefined;
  /** Octets in order whose segments are not there: what is left of them. */
  elided(from: Direction, pieces: readonly Carried[]): readonly Flow[];
  /** The end of the capture, or of our patience: holes will not be filled any more. */
  end(at: Micros): readonly Flow[];
  /** No segment of it is taken any more. */
  release(): void;
}

interface Taken {
  readonly header: Segment;
  readonly news: readonly StreamNews[];
  readonly flow: readonly Flow[];
}

/** `holding`: of the point that it is seen at. */
export function createConnection(started: Micros, holding?: Holding): Connection {
  const sides = { client: createSide(holding), server: createSide(holding) };
  const state: State = {
    sides,
    ordering: undefined,
    view: { client: sides.client, server: sides.server, started, connectedAt: undefined, rtt: undefined },
    // Both sides sent FIN, or one sent RST.
    closed: false,
  };
  return {
    view: state.view,
    fromStart: () => sides.client.syn !== undefined,
    take: (from, segment) => take(state, from, segment),
    isCopy: (from, segment) => isCopy(sides[from], segment),
    elided: (from, pieces) => takeElided(state, from, pieces),
    idle: (at) => idle(state, at),
    due: () => state.ordering?.due(),
    end: (at) => end(state, at),
    release() {
      sides.client.stream.release();
      sides.server.stream.release();
    },
  };
}

interface State {
  readonly sides: Readonly<Record<Direction, Side>>;
  readonly view: Mutable<ConnectionView>;
  /** Only where something had to wait: few connections have one. */
  ordering: Ordering<Flow> | undefined;
  closed: boolean;
}

function take(state: State, from: Direction, segment: Segment): Taken {
  const { sides, view } = state;
  const side = sides[from];
  const other = sides[OTHER[from]];
  const header = headerOf(segment);
  note(view, side, from, header);
  const news = side.stream.take(segment);
  if (news.some(({ kind }) => kind === 'repeat')) side.retransmits += 1;
  const acks = (segment.flags & FLAG.ack) !== 0;
  if (acks) acknowledge(other, segment);
  const flow: Flow[] = [];
  for (const item of news) passOn(state, flow, from, item, segment.at);
  // An acknowledgement alone waits too: what it acknowledges is given up when its time is over.
  if (acks && other.segments > 0 && !carries(news) && heardBy(other, segment.ack) > other.stream.next)
    hold(state, { from, item: undefined, octets: 0, ack: segment.ack, at: segment.at });
  release(state, flow, segment.at);
  const end = state.closed ? undefined : endOf(from, side, other, segment);
  if (end) {
    flow.push(end);
    state.closed = true;
  }
  return { header, news, flow };
}

function carries(news: readonly StreamNews[]): boolean {
  return news.some(({ kind }) => kind === 'octets' || kind === 'cut');
}

function takeElided(state: State, from: Direction, pieces: readonly Carried[]): readonly Flow[] {
  const flow: Flow[] = [];
  for (const piece of pieces) {
    for (const news of state.sides[from].stream.take(piece)) passOn(state, flow, from, news, piece.at);
  }
  return flow;
}

/** Passes on what is new in a stream, or keeps it until its sender can have said it. */
function passOn(state: State, flow: Flow[], from: Direction, news: StreamNews, at: Micros): void {
  if (news.kind !== 'octets' && news.kind !== 'cut') return;
  const { ack } = news;
  const item = flowOf(from, news, at);
  if (!state.ordering?.waits(from) && isReady(state, { from, item, ack })) give(state, flow, item);
  else if (news.kind === 'cut') hold(state, { from, item, octets: 0, ack, at });
  else {
    // A payload is a view into the capture's buffer, which is used again.
    const own = flowOf(from, { ...news, bytes: news.bytes.slice() }, at);
    hold(state, { from, item: own, octets: news.bytes.length, ack, at });
  }
}

function flowOf(from: Direction, news: StreamNews & { kind: 'octets' | 'cut' }, at: Micros): Flow {
  if (news.kind === 'octets') return { kind: 'octets', from, bytes: news.bytes, at };
  const { length, elided } = news;
  return elided ? { kind: 'elided', from, length, at } : { kind: 'gap', from, length, why: 'cut', at };
}

function hold(state: State, waiting: Waiting<Flow>): void {
  state.ordering ??= createOrdering();
  state.ordering.hold(waiting);
}

function give({ sides }: State, flow: Flow[], item: Flow): void {
  if (item.kind !== 'close')
    sides[item.from].given += item.kind === 'octets' ? item.bytes.length : item.length;
  flow.push(item);
}

/** All that its sender had heard was passed on, or it is not known. A bare ACK needs no more than what is here. */
function isReady(
  { sides }: State,
  { from, item, ack }: Pick<Waiting<unknown>, 'from' | 'item' | 'ack'>,
): boolean {
  const other = sides[OTHER[from]];
  if (ack === undefined) return true;
  if (other.segments === 0) return false;
  return heardBy(other, ack) <= (item === undefined ? other.stream.next : other.given);
}

/** Passes on what waits no longer, and gives up what has been waited for long enough. */
function release(state: State, flow: Flow[], at: Micros): void {
  const { ordering, sides } = state;
  if (!ordering || ordering.isEmpty()) return;
  const ready = (waiting: Waiting<Flow>): boolean => isReady(state, waiting);
  for (let late = false; ;) {
    for (let next = ordering.shift(ready); next; next = ordering.shift(ready)) {
      if (!late) sides[next.from].disordered += 1;
      if (next.item) give(state, flow, next.item);
    }
    const next = ordering.shiftOverdue(at);
    if (!next) return;
    late = true;
    const missing = OTHER[next.from];
    if (next.ack !== undefined && sides[missing].segments > 0)
      giveUpTo(state, flow, missing, next.ack, next.at);
    if (next.item) give(state, flow, next.item);
  }
}

/** The other side has octets that we have not: they passed, and it was we who missed them. */
function giveUpTo(state: State, flow: Flow[], missing: Direction, ack: Seq, at: Micros): void {
  const { stream } = state.sides[missing];
  const upTo = heardBy(state.sides[missing], ack);
  stream.confirm(upTo, at);
  while (stream.next < upTo && giveUpOne(state, flow, missing, 'missed', at));
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Side = Mutable<SideView> & {
  readonly clock: Clock;
  /** Its last segments: what copies are known by. */
  readonly recent: Recent;
  /** Octets that were passed on, gaps among them: what is in the stream may still wait for what its sender had heard. */
  given: number;
  /** What the other side acknowledged before anything of this side was seen. */
  heardOf: Seq | undefined;
};

function createSide(holding: Holding | undefined): Side {
  return {
    stream: createStream(holding),
    recent: [],
    given: 0,
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
  if (flags & FLAG.syn) {
    if (side.syn?.seq === segment.seq) side.retransmits += 1;
    side.syn ??= segment;
  }
  if (flags & FLAG.fin) side.finAt ??= at;
  if (flags & FLAG.rst) side.rstAt ??= at;
  const value = options.timestamps?.[0];
  // In many stacks a reset carries no stamp of its clock.
  if (value !== undefined && !(flags & FLAG.rst)) side.clock.tick(value, at);
  const handshake = from === 'client' && !(flags & FLAG.syn) && flags & FLAG.ack;
  if (view.connectedAt === undefined && handshake && view.client.syn && view.server.syn) {
    view.connectedAt = at;
    // Which of several copies was answered is not known (Karn's rule, RFC 6298 section 3).
    const once = view.client.retransmits + view.server.retransmits === 0;
    if (once) view.rtt = at - view.client.syn.at;
  }
}

/** How far this side's octets had come to who acknowledges; 0 where it cannot be said. */
function heardBy({ stream, finAt }: Side, ack: Seq): number {
  const acked = stream.offsetOf(ack);
  if (acked === undefined || acked - stream.next > MAX_WINDOW) return 0;
  // FIN takes a sequence number and is no octet.
  return finAt !== undefined && acked > stream.sent ? acked - 1 : acked;
}

function acknowledge(other: Side, { ack, flags }: Segment): void {
  const { stream } = other;
  if (other.segments === 0) {
    if (!(flags & FLAG.rst)) other.heardOf ??= ack;
    return;
  }
  if (flags & FLAG.syn) stream.begin(ack);
  const heard = heardBy(other, ack);
  other.finAcked ||= other.finAt !== undefined && (stream.offsetOf(ack) ?? 0) > heard;
  other.acked = Math.max(other.acked, heard);
}

/** False where nothing was missing. */
function giveUpOne(state: State, flow: Flow[], from: Direction, why: Unseen, at: Micros): boolean {
  const given = state.sides[from].stream.giveUp();
  if (!given) return false;
  give(state, flow, { kind: 'gap', from, length: given.length, why, at });
  for (const news of given.news) passOn(state, flow, from, news, at);
  return true;
}

function end(state: State, at: Micros): readonly Flow[] {
  const flow: Flow[] = [];
  release(state, flow, Infinity);
  for (const from of ['client', 'server'] as const) {
    while (giveUpOne(state, flow, from, 'lost', at)) release(state, flow, Infinity);
  }
  return flow;
}

function idle(state: State, at: Micros): readonly Flow[] {
  const flow: Flow[] = [];
  release(state, flow, at);
  return flow;
}

/** The same frame, captured before from another place. With other octets it is no copy: the path changed them. */
function isCopy({ recent, stream }: Side, segment: Segment): boolean {
  return isCopyOfRecent(recent, segment) && stream.same(segment) !== false;
}

/** The first RST ends a connection; so does the second side's FIN, and the first one's is who began it. */
function endOf(from: Direction, side: Side, other: Side, { flags, at }: Segment): Flow | undefined {
  if (flags & FLAG.rst) return { kind: 'close', by: from, how: 'rst', at };
  if (side.finAt === undefined || other.finAt === undefined) return undefined;
  return { kind: 'close', by: side.finAt < other.finAt ? from : OTHER[from], how: 'fin', at };
}

/** RFC 7323 §2.3: no acknowledgement is farther ahead than the largest window. */
const MAX_WINDOW = 1 << 30;
const OTHER = { client: 'server', server: 'client' } as const;
