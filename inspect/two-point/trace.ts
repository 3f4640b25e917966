// A connection as one capture point saw it: its dialogue segments, bounded, for a comparison with another point.

import type { Endpoint } from '../address';
import type { Direction, Micros, Point, VerdictEvent, VerdictName } from '../events';
import type { Coverage } from '../coverage/coverage';
import type { Inspector, InspectorEvent } from '../tracker/inspector';
import { FLAG, type Segment } from '../tcp/segment';
import { NO_OCTETS } from '../octets';
import { advance, distance, type Seq } from '../tcp/seq';
import { TRACE_PAYLOAD, TRACE_PASSAGES } from '../verdict/thresholds';

/** One segment that passed a point. Bare ACKs have no passage of their own. */
export interface Passage {
  readonly at: Micros;
  /** The how many-th segment of the connection at this point: their order, whatever its clock says. */
  readonly nth: number;
  readonly from: Direction;
  readonly seq: Seq;
  readonly ack: Seq;
  readonly flags: number;
  readonly length: number;
  /**
   * Of small segments, dialogue, all octets; where evidence left some out on purpose, those before. What a capture cut is
   * not compared: what would have been said of the whole may be something else.
   */
  readonly payload: Uint8Array | undefined;
  /** Octets of it were left out on purpose: they had been seen. */
  readonly elided: boolean;
  readonly ttl: number;
  readonly ipId: number | undefined;
  /** From this one on its sender's IP identifications count up to its own, so that none in between was missed. */
  readonly since: number;
  readonly window: number;
  /** Option kinds in order, padding left out. */
  readonly kinds: readonly number[];
  readonly mss: number | undefined;
  readonly windowScale: number | undefined;
  readonly tsval: number | undefined;
  /** The capture cut its options: those that are not here may have been there. */
  readonly cut: boolean;
}

/** One number that a side acknowledged: when first, and when last. */
export interface Acknowledgement {
  readonly at: Micros;
  readonly nth: number;
  readonly ack: Seq;
  readonly last: { readonly at: Micros; readonly nth: number };
  /** The side's own next number when it said so first; absent where it sent octets with it. */
  readonly next: Seq | undefined;
}

/** From the one number to before the other. */
export type Span = readonly [left: Seq, right: Seq];

export interface Trace {
  readonly id: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly started: Micros;
  /** Sequence number of each side's first octet, where its SYN was seen. */
  readonly base: Readonly<Partial<Record<Direction, Seq>>>;
  readonly passages: readonly Passage[];
  /** By who acknowledges. */
  readonly acks: Readonly<Record<Direction, readonly Acknowledgement[]>>;
  /** Octets that a side says it got twice (RFC 2883), by who says it: one of their copies came in vain. */
  readonly twice: Readonly<Record<Direction, readonly Span[]>>;
  /** What passed later than this was not kept; absent where all was. */
  readonly until: Micros | undefined;
  /** EHLO and HELO commands that passed. */
  readonly hellos: number;
  /** Keywords of the last EHLO reply in the clear (RFC 5321 §4.1.1.1), upper case; absent without one. */
  readonly keywords: readonly string[] | undefined;
  /** What this point did not observe of it. */
  readonly coverage: Coverage;
  /** What this point by itself says of the end that it stands next to; only where the beginning was seen. */
  readonly verdicts: readonly VerdictEvent[];
}

export interface Tracer {
  segment(from: Direction, segment: Segment): void;
  event(event: InspectorEvent): void;
  trace(inspector: Pick<Inspector, 'view' | 'coverage' | 'verdicts'>): Trace;
}

export function createTracer(
  identity: Pick<Trace, 'id' | 'client' | 'server'>,
  started: Micros,
  point: Point,
): Tracer {
  const keep = createKeeper();
  const passages: Passage[] = [];
  const acks: Record<Direction, Acknowledgement[]> = { client: [], server: [] };
  const twice: Record<Direction, Span[]> = { client: [], server: [] };
  const counted: Record<Direction, Counted> = { client: NOT_COUNTED, server: NOT_COUNTED };
  let nth = 0;
  let until: Micros | undefined;
  let hellos = 0;
  let keywords: readonly string[] | undefined;
  return {
    segment(from, segment) {
      nth += 1;
      counted[from] = countOn(counted[from], segment.ipId, nth);
      noteAck(acks[from], segment, nth);
      noteTwice(twice[from], segment);
      if (segment.length === 0 && !(segment.flags & (FLAG.syn | FLAG.fin | FLAG.rst))) return;
      if (passages.length < TRACE_PASSAGES)
        passages.push(passageOf(from, segment, nth, counted[from].since, keep));
      else until ??= passages[passages.length - 1]?.at;
    },
    event(event) {
      if (event.kind === 'command' && (event.verb === 'EHLO' || event.verb === 'HELO')) hellos += 1;
      if (event.kind !== 'reply' || event.answers !== 'hello' || event.code !== 250) return;
      keywords = event.texts.slice(1).map((text) => text.split(' ', 1)[0]?.toUpperCase() ?? '');
    },
    trace({ view: { client, server }, coverage, verdicts }) {
      const base = {
        ...(client.syn && { client: advance(client.syn.seq, 1) }),
        ...(server.syn && { server: advance(server.syn.seq, 1) }),
      };
      return {
        ...identity,
        started,
        base,
        passages,
        acks,
        twice,
        until,
        hellos,
        keywords,
        coverage,
        verdicts: client.syn && server.syn ? ownVerdicts(verdicts, point) : [],
      };
    },
  };
}

/** All octets of a small segment. */
export function wholePayload({ payload, length }: Passage): Uint8Array | undefined {
  return payload?.length === length ? payload : undefined;
}

function ownVerdicts(verdicts: readonly VerdictEvent[], point: Point): VerdictEvent[] {
  return verdicts
    .filter(({ verdict }) => OWN_VERDICTS[point].has(verdict))
    .slice(0, TRACE_VERDICTS)
    .map((each) => ({ ...each, evidence: each.evidence.map((segment) => ({ ...segment, point })) }));
}

export function synOf({ passages }: Trace, from: Direction): Passage | undefined {
  return passages.find((each) => each.from === from && each.flags & FLAG.syn);
}

/** The verdicts of one point that count: what the client did shows outside, what the server did inside. */
const OWN_VERDICTS: Readonly<Record<Point, ReadonlySet<VerdictName>>> = {
  wan: new Set(['client-silent', 'client-gone', 'early-talker']),
  dmz: new Set(['greeting-truncated', 'greeting-malformed', 'greeting-slow']),
};

function noteAck(list: Acknowledgement[], { flags, seq, ack, at, length }: Segment, nth: number): void {
  if (!(flags & FLAG.ack) || flags & FLAG.rst) return;
  const i = list.length - 1;
  const before = list[i];
  const ahead = before ? distance(before.ack, ack) : 1;
  if (ahead < 0) return;
  const last = { at, nth };
  if (before && ahead === 0) list[i] = { ...before, last };
  else if (list.length < TRACE_PASSAGES) {
    const next = length > 0 ? undefined : flags & FLAG.syn ? advance(seq, 1) : seq;
    list.push({ at, nth, ack, last, next });
  }
}

/** A side's last IP identification, and since which segment they count up. */
interface Counted {
  readonly id: number | undefined;
  readonly since: number;
}

function countOn({ id: before, since }: Counted, id: number | undefined, nth: number): Counted {
  const follows = before !== undefined && id === ((before + 1) & 0xffff);
  return { id, since: follows ? since : nth };
}

/** RFC 2883 §4: the first block says so where it lies below what is acknowledged, or within the second. */
function noteTwice(list: Span[], { ack, options: { sack } }: Segment): void {
  const [first, second] = sack;
  if (!first || list.length >= TRACE_PASSAGES) return;
  const isWithin = second && distance(second[0], first[0]) >= 0 && distance(first[1], second[1]) >= 0;
  if (isWithin || distance(first[1], ack) >= 0) list.push(first);
}

/** Copies octets of a connection, many small ones into one room. */
function createKeeper(): (octets: Uint8Array) => Uint8Array {
  let room = NO_OCTETS;
  let used = 0;
  return (octets) => {
    const start = used + octets.length > room.length ? 0 : used;
    if (start === 0) room = new Uint8Array(Math.max(ROOM, octets.length));
    used = start + octets.length;
    room.set(octets, start);
    return room.subarray(start, used);
  };
}

function passageOf(
  from: Direction,
  segment: Segment,
  nth: number,
  since: number,
  keep: (octets: Uint8Array) => Uint8Array,
): Passage {
  const { at, seq, ack, flags, length, payload, ttl, ipId, window, options } = segment;
  const elided = segment.elided === true && payload.length < length;
  const known = payload.length === length || elided;
  const small = payload.length > 0 && length <= TRACE_PAYLOAD;
  // Written out: a spread makes a second object of each, and there are many.
  return {
    at,
    nth,
    since,
    from,
    seq,
    ack,
    flags,
    length,
    ttl,
    ipId,
    window,
    elided,
    payload: known && small ? keep(payload) : undefined,
    kinds: options.kinds,
    mss: options.mss,
    windowScale: options.windowScale,
    tsval: options.timestamps?.[0],
    cut: options.cut === true,
  };
}

const NOT_COUNTED: Counted = { id: undefined, since: 0 };
/** Octets of a plain dialogue's one side or the other. */
const ROOM = 1_024;
/** Of one connection. */
const TRACE_VERDICTS = 4;
