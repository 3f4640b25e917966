// One connection from its segments: both streams in order, gaps, repetitions, round trip, and how it ended.

import type { CloseHow, Direction, Micros } from '../events';
import { type Clock, createClock } from './clock';
import { FLAG, headerOf, type Segment } from './segment';
import { createStream, type Carried, type Stream, type StreamNews } from './stream';
import type { ConnectionView, SideView } from './view';

/** What the streams gave, in order: what a session is fed with. */
export type Flow =
  | { readonly kind: 'octets'; readonly from: Direction; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly from: Direction; readonly length: number }
  /** Message or TLS, left out on purpose. */
  | { readonly kind: 'elided'; readonly from: Direction; readonly length: number }
  | { readonly kind: 'close'; readonly by: Direction; readonly how: CloseHow };

export interface Connection {
  readonly view: ConnectionView;
  /** The handshake's SYN was seen: the streams begin at their beginning. */
  fromStart(): boolean;
  /** `header` is the segment as it may be kept: without its octets. */
  take(from: Direction, segment: Segment): Taken;
  /** Octets in order whose segments are not there: what is left of them. */
  stretch(from: Direction, pieces: readonly Carried[]): readonly Flow[];
  /** The end of the capture, or of our patience: holes will not be filled any more. */
  end(): Flow[];
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
    view: { ...sides, started, rtt: undefined },
    // Both sides sent FIN, or one sent RST.
    closed: false,
  };
  return {
    view: state.view,
    fromStart: () => sides.client.syn !== undefined,
    take: (from, segment) => take(state, from, segment),
    stretch: (from, pieces) => stretch(sides[from], from, pieces),
    end: () => (['client', 'server'] as const).flatMap((from) => giveUpAll(sides[from].stream, from)),
  };
}

interface State {
  readonly sides: Readonly<Record<Direction, Side>>;
  readonly view: Mutable<ConnectionView>;
  closed: boolean;
}

function take(state: State, from: Direction, segment: Segment): Taken {
  const { sides, view } = state;
  const side = sides[from];
  const other = sides[OTHER[from]];
  const header = headerOf(segment);
  note(view, side, from, header);
  const news = side.stream.take(segment);
  const flow: Flow[] = [];
  let repeated = false;
  for (const item of news) {
    repeated ||= item.kind === 'repeat';
    addFlow(flow, from, item);
  }
  if (repeated) side.retransmits += 1;
  if (segment.flags & FLAG.ack) acknowledge(flow, other, OTHER[from], segment);
  const end = state.closed ? undefined : endOf(from, side, other, segment);
  if (end) {
    flow.push(end);
    state.closed = true;
  }
  return { header, news, flow };
}

function stretch(side: Side, from: Direction, pieces: readonly Carried[]): readonly Flow[] {
  const flow: Flow[] = [];
  for (const piece of pieces) {
    for (const news of side.stream.take(piece)) addFlow(flow, from, news);
  }
  return flow;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Side = Mutable<SideView> & { readonly clock: Clock };

function createSide(): Side {
  return {
    stream: createStream(),
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
  side.segments += 1;
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
  else if (news.kind === 'cut')
    flow.push({ kind: news.elided ? 'elided' : 'gap', from, length: news.length });
}

/** The other side has octets that we have not: they passed, and it was we who missed them. */
function acknowledge(flow: Flow[], side: Side, from: Direction, { ack, at }: Segment): void {
  const { stream } = side;
  const acked = stream.offsetOf(ack);
  if (acked === undefined || acked - stream.next > MAX_WINDOW) return;
  // FIN takes a sequence number and is no octet.
  const finAcked = side.finAt !== undefined && acked > stream.sent;
  side.finAcked ||= finAcked;
  const offset = finAcked ? acked - 1 : acked;
  side.acked = Math.max(side.acked, offset);
  if (offset <= stream.next) return;
  stream.confirm(offset, at);
  giveUpOne(flow, stream, from);
}

/** False where nothing was missing. */
function giveUpOne(flow: Flow[], stream: Stream, from: Direction): boolean {
  const given = stream.giveUp();
  if (!given) return false;
  flow.push({ kind: 'gap', from, length: given.length });
  for (const news of given.news) addFlow(flow, from, news);
  return true;
}

function giveUpAll(stream: Stream, from: Direction): Flow[] {
  const flow: Flow[] = [];
  while (giveUpOne(flow, stream, from));
  return flow;
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
