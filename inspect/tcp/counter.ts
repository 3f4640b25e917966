// A side's packet counter: the IPv4 identification (RFC 791 §3.1), where its stack counts one connection's packets.

import type { Micros } from '../events';
import { FLAG, type Segment } from './segment';
import { distance, type Seq } from './seq';
import type { StreamNews } from './stream';

/**
 * RFC 6864 lets a sender of unfragmented packets put there what it likes. Linux counts each connection by itself, by one
 * a packet, retransmissions and bare ACKs included: a number that is left out is a packet that was sent and has not
 * come. Others put 0, chance, or one counter for all of the machine: `odd` and `exact` tell.
 */
export interface PacketCounter {
  /** A segment of this side came; `roundTrip` is the connection's, where it is known. */
  count(segment: Segment, news: readonly StreamNews[], roundTrip: Micros | undefined): void;
  /** A segment of the other side went by: this side may have to answer with an ACK. */
  heard(segment: Segment, news: readonly StreamNews[]): void;
  /** The last segment's step, where the counter left numbers out before it. */
  readonly step: Step | undefined;
  /** Steps of exactly one. */
  readonly exact: number;
  /** Packets that came, of both sides where they ask for an answer, and packets of this one that were counted and did not. */
  readonly came: number;
  readonly gone: number;
  /** Segments of either side that came again, each a packet of its own: the first copy, or its ACK, got lost behind us. */
  readonly again: number;
  /** Some step was none of a counter of this connection's packets. */
  readonly odd: boolean;
}

/** Numbers that were left out between two segments of a side. */
export interface Step {
  readonly before: Segment;
  readonly segment: Segment;
  /** Those that have not come; late ones leave it. */
  readonly missing: ReadonlySet<number>;
  /** So many of them at the most may be bare ACKs: of what the other side had sent and not yet seen acknowledged. */
  readonly acks: number;
}

export function createPacketCounter(): PacketCounter {
  const state: State = {
    last: undefined,
    step: undefined,
    holes: [],
    asked: [],
    exact: 0,
    came: 0,
    gone: 0,
    again: 0,
    odd: false,
    count: (segment, news, roundTrip) => count(state, segment, news, roundTrip),
    heard: (segment, news) => heard(state, segment, news),
  };
  return state;
}

interface State extends PacketCounter {
  last: Counted | undefined;
  step: Step | undefined;
  /** The numbers that are missing, of the last steps that left some out. */
  readonly holes: Set<number>[];
  /** What of the other side's may still be answered with an ACK. */
  asked: Asked[];
  exact: number;
  came: number;
  gone: number;
  again: number;
  odd: boolean;
}

type Counted = Segment & { readonly ipId: number };

interface Asked {
  readonly end: Seq;
  readonly at: Micros;
  /** Sent before, or a keep-alive: its answer acknowledges nothing new. */
  readonly again: boolean;
  /** ACKs that it may bring: one for each of the segments that a card put together. */
  readonly acks: number;
}

function count(
  state: State,
  segment: Segment,
  news: readonly StreamNews[],
  roundTrip: Micros | undefined,
): void {
  state.step = undefined;
  // A reset may be another's, and where it answers from a closed socket it is counted nowhere.
  if (!isCounted(segment) || segment.flags & FLAG.rst || state.odd) return;
  const { last } = state;
  const by = last ? ((segment.ipId - last.ipId) << 16) >> 16 : 1;
  state.came += 1;
  if (by > 0) {
    if (last) forward(state, last, segment, by - 1);
    if (isAgain(news)) state.again += 1;
    state.last = segment;
  } else if (state.holes.some((missing) => missing.delete(segment.ipId))) {
    // Overtaken; else nothing that counts goes back.
    state.gone -= 1;
  } else state.odd = true;
  if (state.asked.length > 0) answered(state, segment, roundTrip);
}

function isAgain(news: readonly StreamNews[]): boolean {
  return news.some(({ kind }) => kind === 'repeat');
}

function forward(state: State, before: Counted, segment: Counted, out: number): void {
  // A card that puts segments together leaves their numbers out, and how many they were is not known.
  if (before.length > ONE_PACKET) return;
  if (out === 0) state.exact += 1;
  else if (out > LEFT_OUT) state.odd = true;
  else {
    const missing = new Set(Array.from({ length: out }, (_, i) => (before.ipId + 1 + i) & 0xffff));
    const acks = state.asked.reduce((sum, each) => sum + each.acks, 0);
    state.step = { before, segment, missing, acks: Math.min(out, acks) };
    state.gone += out;
    state.holes.push(missing);
    if (state.holes.length > HOLES) state.holes.shift();
  }
}

function heard(state: State, segment: Segment, news: readonly StreamNews[]): void {
  const { seq, flags, length, at } = segment;
  const keepalive = news.some(({ kind }) => kind === 'keepalive');
  if (state.odd || !(length > 0 || keepalive || flags & (FLAG.syn | FLAG.fin | FLAG.rst))) return;
  const repeated = isAgain(news);
  state.came += 1;
  if (repeated) state.again += 1;
  const again = repeated || keepalive || (flags & FLAG.rst) !== 0;
  const end = (seq + length + (flags & (FLAG.syn | FLAG.fin) ? 1 : 0)) >>> 0;
  state.asked.push({ end, at, again, acks: Math.max(1, Math.ceil(length / LEAST_SEGMENT)) });
  if (state.asked.length > ASKED) state.asked.shift();
}

/** What this segment acknowledges has had its answer; so has a repetition, a good round trip later. */
function answered(state: State, { ack, flags, at }: Segment, roundTrip: Micros = 0): void {
  if (!(flags & FLAG.ack)) return;
  state.asked = state.asked.filter(({ end, at: since, again }) =>
    again ? at - since < 2 * roundTrip + SLACK : distance(end, ack) < 0,
  );
}

function isCounted(segment: Segment): segment is Counted {
  return segment.ipId !== undefined;
}

/** Octets of one packet on an Ethernet: longer segments were put together on their way to us. */
const ONE_PACKET = 1_460;
/** RFC 9293 §3.7.1: what a segment carries at the least where nothing else was agreed on. */
const LEAST_SEGMENT = 536;
/** Numbers left out at once: more than a burst that a queue drops is another kind of counter. */
const LEFT_OUT = 64;
/** Steps whose late ones are awaited, and segments whose ACK is. */
const HOLES = 16;
const ASKED = 64;
/** A delayed ACK (40 ms, 200 ms at the most: RFC 9293 §3.8.6.3 allows 500 ms, no stack of today takes it). */
const SLACK: Micros = 200_000;
