// One connection from its segments: both streams in order, gaps, repetitions, round trip, and how it ended.

import type { CloseHow, Direction, Micros } from '../events';
import { type Clock, createClock } from './clock';
import { FLAG, headerOf, type Segment } from './segment';
import { createStream, type Stream, type StreamNews } from './stream';
import type { ConnectionView, SideView } from './view';

/** What the streams gave, in order: what a session is fed with. */
export type Flow =
  | { readonly kind: 'octets'; readonly from: Direction; readonly bytes: Uint8Array }
  | { readonly kind: 'gap'; readonly from: Direction; readonly length: number }
  | { readonly kind: 'close'; readonly by: Direction; readonly how: CloseHow };

export interface Connection {
  readonly view: ConnectionView;
  /** The handshake's SYN was seen: the streams begin at their beginning. */
  readonly fromStart: boolean;
  /** Both sides sent FIN, or one sent RST. */
  readonly closed: boolean;
  /** `header` is the segment as it may be kept: without its octets. */
  take(from: Direction, segment: Segment): { header: Segment; news: StreamNews[]; flow: Flow[] };
  /** The end of the capture, or of our patience: holes will not be filled any more. */
  end(): Flow[];
}

export function createConnection(started: Micros): Connection {
  const sides = { client: createSide(), server: createSide() };
  const view: Mutable<ConnectionView> = { ...sides, started, rtt: undefined };
  let closed = false;
  return {
    view,
    get fromStart() {
      return sides.client.syn !== undefined;
    },
    get closed() {
      return closed;
    },
    take(from, segment) {
      const side = sides[from];
      const other = sides[OTHER[from]];
      const header = headerOf(segment);
      note(view, from, header);
      const news = side.stream.take(segment);
      side.retransmits += news.some(({ kind }) => kind === 'repeat') ? 1 : 0;
      const flow: Flow[] = news.flatMap((item) => flowOf(from, item));
      if (segment.flags & FLAG.ack) flow.push(...acknowledge(other, OTHER[from], segment));
      const end = endOf(from, side, other, segment, closed);
      if (end) flow.push(end);
      closed ||= end !== undefined;
      return { header, news, flow };
    },
    end: () => (['client', 'server'] as const).flatMap((from) => giveUpAll(sides[from].stream, from)),
  };
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
    rstAt: undefined,
  };
}

function note(view: Mutable<ConnectionView>, from: Direction, segment: Segment): void {
  const side = view[from] as Side;
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

function flowOf(from: Direction, news: StreamNews): Flow[] {
  if (news.kind === 'octets') return [{ kind: 'octets', from, bytes: news.bytes }];
  return news.kind === 'cut' ? [{ kind: 'gap', from, length: news.length }] : [];
}

/** The other side has octets that we have not: they passed, and it was we who missed them. */
function acknowledge(side: Side, from: Direction, { ack, at }: Segment): Flow[] {
  const { stream } = side;
  const acked = stream.offsetOf(ack);
  if (acked === undefined || acked - stream.next > MAX_WINDOW) return [];
  // FIN takes a sequence number and is no octet.
  const offset = side.finAt !== undefined && acked > stream.sent ? acked - 1 : acked;
  side.acked = Math.max(side.acked, offset);
  if (offset <= stream.next) return [];
  stream.confirm(offset, at);
  return giveUpOne(stream, from);
}

function giveUpOne(stream: Stream, from: Direction): Flow[] {
  const given = stream.giveUp();
  if (!given) return [];
  return [{ kind: 'gap', from, length: given.length }, ...given.news.flatMap((news) => flowOf(from, news))];
}

function giveUpAll(stream: Stream, from: Direction): Flow[] {
  const flow: Flow[] = [];
  for (let more = giveUpOne(stream, from); more.length > 0; more = giveUpOne(stream, from))
    flow.push(...more);
  return flow;
}

/** The first RST ends a connection; so does the second side's FIN, and the first one's is who began it. */
function endOf(
  from: Direction,
  side: Side,
  other: Side,
  { flags }: Segment,
  closed: boolean,
): Flow | undefined {
  if (closed) return undefined;
  if (flags & FLAG.rst) return { kind: 'close', by: from, how: 'rst' };
  if (side.finAt === undefined || other.finAt === undefined) return undefined;
  return { kind: 'close', by: side.finAt < other.finAt ? from : OTHER[from], how: 'fin' };
}

/** RFC 7323 §2.3: no acknowledgement is farther ahead than the largest window. */
const MAX_WINDOW = 1 << 30;
const OTHER = { client: 'server', server: 'client' } as const;
