// One connection's frames while it is not known yet whether they will be evidence: few, small, in order.

import type { Direction, Evidence, Micros, Span } from '../../../inspect/events';
import { parsePacket } from '../../../inspect/tcp/packet';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { flagNames } from '../../../inspect/tcp/view';
import { addSpan, joinSpans } from './spans';

/** A frame as it was captured, and where its payload lies in it and in its sender's stream. */
export interface RecordedFrame {
  readonly linkType: number;
  readonly at: Micros;
  readonly from: Direction;
  /** Its first octets: all headers, and of the payload what fits the cap. */
  octets: Uint8Array;
  /** Where the payload begins. */
  readonly payloadAt: number;
  /** Octets of the frame on the wire. */
  readonly length: number;
  /** Of the payload: octets that were captured, and octets on the wire. */
  readonly captured: number;
  readonly payloadLength: number;
  /** What is missing of the payload had been left out on purpose before it came here. */
  readonly elided: boolean;
  /** Offset of the payload's first octet in the sender's stream. */
  readonly start: number;
  readonly segment: Pick<Segment, 'seq' | 'ack' | 'flags' | 'ttl' | 'window' | 'checksum'>;
  /** One comment for each verdict that it is evidence of. */
  readonly comments: string[];
}

/** What a source knows of a frame beside its octets. */
interface FrameFacts {
  readonly linkType: number;
  readonly octets: Uint8Array;
  readonly length: number;
  readonly from: Direction;
  readonly segment: Segment;
  /** `stream.offsetOf(segment.seq)` of the sender. */
  readonly start: number | undefined;
}

export interface Recording {
  readonly frames: readonly RecordedFrame[];
  /** Frames that found no room. */
  readonly omitted: number;
  /** Octets held. */
  readonly size: number;
  /** Octets that were read and of which a copy is not held: another copy cannot be compared with it. */
  readonly notHeld: Readonly<Record<Direction, readonly Span[]>>;
  add(facts: FrameFacts): void;
  /** Comments on the frame that this is about, if it is still there. */
  mark(evidence: Evidence, comment: string): void;
  /** Removes all comments. */
  unmark(): void;
  /** Forgets all frames, and takes no more. */
  close(): void;
}

/** Frames at the beginning and at the end of a connection that are kept. */
export interface RecordingBounds {
  readonly head: number;
  readonly tail: number;
}

export function createRecording(bounds: RecordingBounds = BOUNDS): Recording {
  let head: RecordedFrame[] = [];
  let tail: RecordedFrame[] = [];
  let omitted = 0;
  let size = 0;
  let closed = false;
  const syn: Partial<Record<Direction, number>> = {};
  const notHeld: Record<Direction, Span[]> = { client: [], server: [] };
  return {
    notHeld,
    get frames() {
      return [...head, ...tail];
    },
    get omitted() {
      return omitted;
    },
    get size() {
      return size;
    },
    add(facts) {
      if (closed) return;
      const { from, segment } = facts;
      if (segment.flags & FLAG.syn) {
        // Another beginning: what the offsets so far meant is no longer sure.
        if (syn[from] !== undefined && syn[from] !== segment.seq) {
          for (const each of [...head, ...tail]) if (each.from === from) cutPayload(notHeld, each);
        }
        syn[from] = segment.seq;
      }
      const frame = recorded(facts);
      size += frame.octets.length;
      if (facts.start !== undefined) addNotHeld(notHeld, frame, frame.octets.length - frame.payloadAt);
      if (head.length < bounds.head) return void head.push(frame);
      tail.push(frame);
      // Twice as many, so that they are not looked through for each.
      if (tail.length <= 2 * bounds.tail) return;
      const many = tail.length - bounds.tail;
      const old = tail.slice(0, many).filter(({ comments }) => comments.length === 0);
      omitted += old.length;
      for (const each of old) addNotHeld(notHeld, each, 0);
      size -= old.reduce((sum, { octets }) => sum + octets.length, 0);
      tail = tail.filter((each, i) => i >= many || each.comments.length > 0);
    },
    mark(evidence, comment) {
      const frame = findFrame(tail, evidence) ?? findFrame(head, evidence);
      if (frame && frame.comments.length < COMMENTS && !frame.comments.includes(comment)) {
        frame.comments.push(comment);
      }
    },
    unmark() {
      for (const { comments } of [...head, ...tail]) comments.splice(0);
    },
    close() {
      closed = true;
      head = [];
      tail = [];
      size = 0;
    },
  };
}

/** The frame that a piece of evidence is about. */
export function findFrame<T extends RecordedFrame>(frames: readonly T[], evidence: Evidence): T | undefined {
  return frames.find(
    ({ at, from, payloadLength, segment }) =>
      at === evidence.at &&
      from === evidence.from &&
      payloadLength === evidence.length &&
      flagNames(segment.flags) === evidence.flags,
  );
}

function recorded(facts: FrameFacts): RecordedFrame {
  const { linkType, octets, length, from, segment, start } = facts;
  const payloadAt = headersOf(facts);
  // The payload is a view of the frame. If it is not, nothing of it may be kept.
  const own = segment.payload.byteOffset === octets.byteOffset + payloadAt;
  const useless =
    !own ||
    segment.payload.buffer !== octets.buffer ||
    start === undefined ||
    segment.payload.length > PAYLOAD;
  const kept = useless || segment.flags & (FLAG.rst | FLAG.syn) ? 0 : segment.payload.length;
  const { seq, ack, flags, ttl, window, checksum, at } = segment;
  return {
    linkType,
    at,
    from,
    octets: octets.slice(0, payloadAt + kept),
    payloadAt,
    length,
    captured: segment.payload.length,
    payloadLength: segment.length,
    elided: segment.elided ?? false,
    start: start ?? 0,
    segment: { seq, ack, flags, ttl, window, checksum },
    comments: [],
  };
}

/** Octets of a frame that are headers: link, tags, tunnels, IP, TCP with its options. */
function headersOf({ linkType, octets, length, segment: { dataAt, at } }: FrameFacts): number {
  if (dataAt !== undefined) return dataAt;
  // Of a handshake that was kept in few octets: its frame is there, and where the headers end is read again.
  const packet = parsePacket(linkType, octets, at, length);
  return (packet.kind === 'segment' && packet.segment.dataAt) || 0;
}

function cutPayload(notHeld: Record<Direction, Span[]>, frame: RecordedFrame): void {
  addNotHeld(notHeld, frame, 0);
  frame.octets = frame.octets.slice(0, frame.payloadAt);
}

/** Of this frame's payload only the first `held` octets are here. */
function addNotHeld(notHeld: Record<Direction, Span[]>, frame: RecordedFrame, held: number): void {
  const { from, start, captured, segment } = frame;
  const spans = notHeld[from];
  // A reset's octets are a text, and no part of the stream (RFC 9293 section 3.5.3).
  if (segment.flags & FLAG.rst) return;
  addSpan(spans, { start: start + held, end: start + captured });
  // One span hides more, not less.
  if (spans.length > SPANS) joinSpans(spans);
}

/** Octets of payload of a frame that is kept with any: a pipelined group of 10 RCPTs; bulk is larger. */
const PAYLOAD = 1_024;
/** A plain session has some 40. */
const BOUNDS: RecordingBounds = { head: 200, tail: 100 };
const COMMENTS = 8;
/** Not held, of a side. Content comes in order: its spans touch, and become one. */
const SPANS = 256;
