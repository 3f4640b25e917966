// One direction of a connection: segments in any order become octets in order, each once, holes known.

import type { Micros, Span } from '../events';
import {
  AHEAD_ALL,
  AHEAD_LEAST_OCTETS,
  AHEAD_LEAST_PIECES,
  AHEAD_OCTETS,
  AHEAD_PIECES,
  RECENT_OCTETS,
} from '../limits';
import { type Seq, advance, distance } from './seq';
import { FLAG, type Segment } from './segment';

/** What a segment did to its stream. Offsets count the side's octets from the first behind the SYN. */
export type StreamNews =
  /** In order, for the first time. */
  | { readonly kind: 'octets'; readonly bytes: Uint8Array; readonly ack: Seq | undefined }
  /** In order, and cut by the capture: so many octets were on the wire and are not in the file. */
  | {
      readonly kind: 'cut';
      readonly length: number;
      readonly elided: boolean;
      readonly ack: Seq | undefined;
    }
  /** Sent before. `same` is unknown where the first copy is no longer kept. */
  | { readonly kind: 'repeat'; readonly span: Span; readonly same: boolean | undefined }
  /** Beyond the next octet: what lies between is missing or late. */
  | { readonly kind: 'ahead'; readonly span: Span }
  /** The hole before `span` was closed: its octets came, `waited` after they were first missed. */
  | { readonly kind: 'filled'; readonly span: Span; readonly waited: Micros }
  /** A keep-alive: the octet before the next one again, or nothing there (RFC 9293 §3.8.4). */
  | { readonly kind: 'keepalive' };

/** What a stream reads of a segment. */
export type Carried = Pick<Segment, 'at' | 'seq' | 'flags' | 'payload' | 'length' | 'elided' | 'lead'> & {
  readonly ack?: Seq;
};

export interface Stream {
  /** Offset of the next octet in order. */
  readonly next: number;
  /** How far the side has sent, as far as any of its segments shows: SND.NXT, seen from outside. */
  readonly sent: number;
  /** When `sent` first lay beyond `next`; absent while nothing is missing. */
  readonly missingSince: Micros | undefined;
  /** Where the octets go on behind the hole: `next` where nothing is missing. */
  holeEnd(): number;
  take(segment: Carried): readonly StreamNews[];
  /** The offset that an acknowledgement number of the other side means; `undefined` before the first segment. */
  offsetOf(seq: Seq): number | undefined;
  /** The sequence number of an offset. */
  seqOf(offset: number): Seq | undefined;
  /** The number of its first octet, from what the other side says of it; without effect where it is known. */
  begin(origin: Seq): void;
  /** Whether the octets, sent before, are those that came first; unknown where these are not kept. */
  same(segment: Carried): boolean | undefined;
  /** The other side has acknowledged up to this offset: it was sent, and it arrived there. */
  confirm(offset: number, at: Micros): void;
  /** Goes on behind the hole: its length, and the octets that were waiting there. */
  giveUp(): { readonly length: number; readonly news: StreamNews[] } | undefined;
  /** It ended: no segment of it is taken any more. */
  release(): void;
}

/** What all streams of a point hold beyond holes, their objects counted in. */
export interface Holding {
  octets: number;
}

/** The stream is its own state: an accessor for each of its numbers would be read by every judge at every segment. */
export function createStream(holding: Holding = { octets: 0 }): Stream {
  const state: State = {
    origin: undefined,
    next: 0,
    sent: 0,
    missingSince: undefined,
    fin: undefined,
    ahead: [],
    aheadOctets: 0,
    holding,
    recent: undefined,
    recentFrom: 0,
    recentBefore: { start: 0, end: 0 },
    holeEnd: () => state.ahead[0]?.start ?? state.sent,
    take: (segment) => take(state, segment),
    offsetOf: (seq) => offsetOf(state, seq),
    seqOf: (offset) => (state.origin === undefined ? undefined : advance(state.origin, offset % WRAP)),
    begin: (origin) => void (state.origin ??= origin),
    same: (segment) => sameOctets(state, segment),
    confirm: (offset, at) => announce(state, offset, at, false),
    giveUp: () => giveUp(state),
    release: () => release(state),
  };
  return state;
}

interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
  /** Octets on the wire: more than `bytes` where the capture was cut. */
  readonly length: number;
  /** `Segment.elided` */
  readonly elided: boolean;
  /** `Segment.lead` */
  readonly lead: number;
  /** What its segment acknowledged. */
  readonly ack: Seq | undefined;
}

interface State extends Stream {
  /** Sequence number of offset 0. */
  origin: Seq | undefined;
  next: number;
  sent: number;
  missingSince: Micros | undefined;
  /** Where the FIN stands: it counts one in sequence and is no octet. */
  fin: number | undefined;
  /** Pieces beyond a hole, by their start. */
  ahead: Piece[];
  aheadOctets: number;
  readonly holding: Holding;
  /** A ring of the last octets in order, from the first on: what a repetition is compared with. Offset n stands at n mod its size. */
  recent: Uint8Array | undefined;
  /** The ring holds octets from this offset on, as far as it goes back; */
  recentFrom: number;
  /** and those before what was left out last. */
  recentBefore: Span;
}

function take(state: State, segment: Carried): readonly StreamNews[] {
  const { seq, flags, length, payload, at, elided = false, lead = 0 } = segment;
  if (flags & FLAG.rst) {
    announce(state, offsetOf(state, seq) ?? 0, at, true);
    return NO_NEWS;
  }
  // SYN counts one: the stream begins behind it. Mid-stream: it begins with what is seen first.
  if (flags & FLAG.syn) {
    if (state.origin === undefined || state.next === 0) state.origin = advance(seq, 1);
    return NO_NEWS;
  }
  state.origin ??= seq;
  const start = offsetOf(state, seq) ?? 0;
  if (length <= 1 && start === state.next - 1 && !(flags & FLAG.fin)) return KEEPALIVE;
  const ack = flags & FLAG.ack ? segment.ack : undefined;
  const piece = { start, bytes: payload, length, elided, lead, ack };
  const news = length > 0 ? place(state, piece, at) : NO_NEWS;
  if (flags & FLAG.fin) {
    state.fin ??= start + length;
    // Captured late: what was numbered behind it counted it as an octet.
    if (state.sent === state.fin + 1) state.sent = state.fin;
  }
  announce(state, start + length, at, false);
  return news;
}

function sameOctets(
  state: State,
  { seq, payload, length, elided = false, lead = 0 }: Carried,
): boolean | undefined {
  const start = offsetOf(state, seq);
  if (start === undefined || length === 0) return undefined;
  const piece = { start, bytes: payload, length, elided, lead, ack: undefined };
  return sameAsBefore(state, piece, Math.min(start + length, state.next));
}

/** A sequence number far off is not this stream's: a forged RST must not move `sent`. */
function announce(state: State, end: number, at: Micros, fromReset: boolean): void {
  const plausible = end - state.next < (fromReset ? PLAUSIBLE_RESET : PLAUSIBLE);
  if (end > state.sent && plausible) state.sent = Math.min(end, state.fin ?? end);
  if (state.sent > state.next) state.missingSince ??= at;
  else state.missingSince = undefined;
}

function place(state: State, piece: Piece, at: Micros): StreamNews[] {
  const end = piece.start + piece.length;
  if (piece.start < state.next) {
    const seen = Math.min(end, state.next);
    const same = sameAsBefore(state, piece, seen);
    const repeat: StreamNews = { kind: 'repeat', span: { start: piece.start, end: seen }, same };
    if (end <= state.next) return [repeat];
    return [repeat, ...place(state, cutFront(piece, state.next - piece.start), at)];
  }
  if (piece.start > state.next) {
    keepAhead(state, piece);
    return [{ kind: 'ahead', span: { start: piece.start, end } }];
  }
  const news = deliver(state, piece);
  const filled = state.next >= (state.ahead[0]?.start ?? state.sent);
  if (filled && state.missingSince !== undefined) {
    news.push({
      kind: 'filled',
      span: { start: piece.start, end: state.next },
      waited: at - state.missingSince,
    });
    state.missingSince = undefined;
  }
  if (state.ahead.length > 0) news.push(...deliverAhead(state));
  return news;
}

function deliver(state: State, { bytes, length, elided, lead, ack }: Piece): StreamNews[] {
  const news: StreamNews[] = [];
  if (lead > 0) {
    state.next += lead;
    state.recentFrom = state.next;
    news.push({ kind: 'cut', length: lead, elided: true, ack });
  }
  keepRecent(state, bytes);
  state.next += length - lead;
  if (bytes.length > 0 || length === 0) news.push({ kind: 'octets', bytes, ack });
  const rest = length - lead - bytes.length;
  if (rest === 0) return news;
  state.recentBefore = { start: state.recentFrom, end: state.next - rest };
  state.recentFrom = state.next;
  news.push({ kind: 'cut', length: rest, elided, ack });
  return news;
}

/** Writes the octets from `next` on into the ring; of many only the last. */
function keepRecent(state: State, bytes: Uint8Array): void {
  if (bytes.length === 0) return;
  const recent = (state.recent ??= takeRing());
  const { next } = state;
  const kept = bytes.length > RECENT_OCTETS ? bytes.subarray(bytes.length - RECENT_OCTETS) : bytes;
  const at = (next + bytes.length - kept.length) % RECENT_OCTETS;
  const room = RECENT_OCTETS - at;
  if (kept.length <= room) return recent.set(kept, at);
  recent.set(kept.subarray(0, room), at);
  recent.set(kept.subarray(room), 0);
}

/** What waited beyond the hole, as far as it is in order now. */
function deliverAhead(state: State): StreamNews[] {
  const news: StreamNews[] = [];
  for (let piece = state.ahead[0]; piece && piece.start <= state.next; piece = state.ahead[0]) {
    state.ahead.shift();
    count(state, piece, -1);
    if (piece.start + piece.length <= state.next) continue;
    news.push(...deliver(state, cutFront(piece, state.next - piece.start)));
  }
  return news;
}

/** Keeps a piece beyond the hole, sorted. At the cap the farthest goes: it will be a hole of its own. */
function keepAhead(state: State, piece: Piece): void {
  const at = state.ahead.findIndex(({ start }) => start > piece.start);
  const twin = state.ahead.some(({ start, length }) => start === piece.start && length >= piece.length);
  if (twin) return;
  // The capture's buffer is not ours to keep.
  const own = { ...piece, bytes: piece.bytes.slice() };
  state.ahead.splice(at < 0 ? state.ahead.length : at, 0, own);
  count(state, own, 1);
  const crowded = state.holding.octets > AHEAD_ALL;
  const [pieces, octets] = crowded ? [AHEAD_LEAST_PIECES, AHEAD_LEAST_OCTETS] : [AHEAD_PIECES, AHEAD_OCTETS];
  while (state.ahead.length > pieces || state.aheadOctets > octets) {
    const farthest = state.ahead.pop();
    if (farthest) count(state, farthest, -1);
  }
}

function count(state: State, { bytes }: Piece, sign: 1 | -1): void {
  state.aheadOctets += sign * bytes.length;
  state.holding.octets += sign * (bytes.length + PIECE);
}

function giveUp(state: State): { length: number; news: StreamNews[] } | undefined {
  const end = state.ahead[0]?.start ?? state.sent;
  const length = end - state.next;
  if (length <= 0) return undefined;
  state.next = end;
  state.recentFrom = end;
  const news = deliverAhead(state);
  if (state.sent <= state.next) state.missingSince = undefined;
  return { length, news };
}

/** Whether the octets before offset `seen` are those that came first; unknown where these are not kept. */
function sameAsBefore(state: State, { start, bytes, lead }: Piece, seen: number): boolean | undefined {
  if (lead > 0) return undefined;
  const { recent, recentFrom, recentBefore, next } = state;
  // Where octets were left out, those before them may still tell that a copy differs.
  const kept = start >= recentFrom ? { start: recentFrom, end: next } : recentBefore;
  if (start < Math.max(kept.start, next - RECENT_OCTETS)) return undefined;
  const end = Math.min(seen, kept.end, start + bytes.length);
  for (let offset = start; offset < end; offset += 1) {
    if (bytes[offset - start] !== recent?.[offset % RECENT_OCTETS]) return false;
  }
  return end < seen ? undefined : true;
}

function cutFront(piece: Piece, octets: number): Piece {
  if (octets === 0) return piece;
  const { start, bytes, length, elided, lead, ack } = piece;
  const rest = { start: start + octets, length: length - octets, elided, ack };
  if (octets <= lead) return { ...rest, bytes, lead: lead - octets };
  return { ...rest, bytes: bytes.subarray(octets - lead), lead: 0 };
}

/** Offsets go beyond 2^32; a sequence number means the one nearest to where the stream is. */
function offsetOf(state: State, seq: Seq): number | undefined {
  if (state.origin === undefined) return undefined;
  return state.next + distance(advance(state.origin, state.next % WRAP), seq);
}

/** A ring for the last octets: one that is free again, or a new one, since each costs more to make than a short session. */
function takeRing(): Uint8Array {
  return free.pop() ?? new Uint8Array(RECENT_OCTETS);
}

/** Nothing is compared with this stream any more. */
function release(state: State): void {
  if (state.recent && free.length < FREE) free.push(state.recent);
  state.recent = undefined;
  // What is not kept is not known.
  state.recentFrom = Infinity;
  state.recentBefore = { start: 0, end: 0 };
}

/** What an ended stream left in its ring no other stream reads: each reads from its own first octet on. */
const free: Uint8Array[] = [];
const FREE = 1_024;
/** Octets of memory that a piece takes beside its own. */
const PIECE = 300;
const NO_NEWS: readonly StreamNews[] = [];
const KEEPALIVE: readonly StreamNews[] = [{ kind: 'keepalive' }];
const WRAP = 0x1_0000_0000;
/** The largest window there is: RFC 7323 §2.3. */
const PLAUSIBLE = 1 << 30;
/** A reset inside the window counts (RFC 9293 §3.5.2); the 64 KiB of an unscaled one are enough to go by. */
const PLAUSIBLE_RESET = 1 << 16;
