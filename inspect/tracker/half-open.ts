// Connections whose handshake is not complete: few octets each, so that no flood of SYNs fills the memory.

import type { Direction, Micros } from '../events';
import { HALF_OPEN_FOR, HALF_OPEN_WHOLE } from '../limits';
import {
  clientIsnOf,
  headOf,
  isFirst,
  packHandshake,
  synsOf,
  unpackHandshake,
  withPassed,
  type Handshake,
  type PackedHandshake,
  type Syns,
} from '../tcp/handshake';
import { addressOctets, ipv4Text, ipv6Text } from '../address';
import { advance, distance, type Seq } from '../tcp/seq';
import { FLAG, type Ends, type Leg, type Segment } from '../tcp/segment';

/** A frame as it was captured. */
export interface Frame {
  readonly linkType: number;
  readonly octets: Uint8Array;
  /** Octets on the wire. */
  readonly length: number;
}

/** A handshake, complete or given up, as if its segments came now. */
export interface Known extends Handshake {
  readonly client: Ends;
  /** Those of the first of `passed`, where they are kept. */
  readonly frames: readonly Frame[] | undefined;
}

type Step =
  /** No handshake of these two is known, and the segment begins none. */
  | { readonly kind: 'unknown' }
  /** Kept. `instead`: the one that was there and did not complete, as its port is used again. */
  | { readonly kind: 'kept'; readonly instead?: Known }
  /** The segment is of a connection of before, with the same ports. */
  | { readonly kind: 'earlier' }
  /** The segment, which is no part of it, goes on from it, or resets it. */
  | { readonly kind: 'complete' | 'reset'; readonly known: Known };

export interface HalfOpen {
  readonly size: number;
  /** Of a connection that is not open. */
  take(segment: Segment, leg?: Leg, frame?: Frame): Step;
  /** Which SYNs are known of the connection that the segment belongs to. */
  synsOf(segment: Segment): Syns;
  /** Segments between these two were missed by us. */
  lost(ends: Ends): void;
  /**
   * Ends those that are over by then, and beyond the cap those that were silent longest; `Infinity`: all. Of them as
   * many as `budget` says are given, and `more` are not.
   */
  expire(at: Micros, budget: number): { readonly known: readonly Known[]; readonly more: number };
}

interface HalfOpenOptions {
  /** The number of the next connection. */
  readonly nextId: () => number;
  /** Frames are kept too, some 100 octets each. */
  readonly keepFrames: boolean;
  readonly most: number;
}

export function createHalfOpen(options: HalfOpenOptions): HalfOpen {
  const state: State = { options, recent: new Map(), packed: new Map(), frames: new Map() };
  return {
    get size() {
      return sizeOf(state);
    },
    take: (segment, leg, frame) => take(state, segment, leg, frame),
    synsOf({ source, sourcePort, destination, destinationPort }) {
      const { key } = keyOf(source, sourcePort, destination, destinationPort);
      const recent = state.recent.get(key);
      if (recent) return synsOf(recent.passed);
      const packed = state.packed.get(key);
      return packed === undefined ? NO_SYNS : headOf(packed).syns;
    },
    lost({ source, sourcePort, destination, destinationPort }) {
      const { key } = keyOf(source, sourcePort, destination, destinationPort);
      const known = find(state, key);
      if (!known) return;
      const now = { ...known, lost: true };
      if (state.recent.has(key)) state.recent.set(key, now);
      else state.packed.set(key, packHandshake(now));
    },
    expire: (at, budget) => expire(state, at, budget),
  };
}

/** Both ends, in an order that both directions give: their octets, one a character. */
type Key = string;

interface State {
  readonly options: HalfOpenOptions;
  /** Those that were heard of last, the one that was silent longest first: few, and as they came, since nearly all are over soon. */
  readonly recent: Map<Key, Handshake>;
  /** Those that were silent longer. */
  readonly packed: Map<Key, PackedHandshake>;
  readonly frames: Map<Key, readonly Frame[]>;
}

function take(state: State, segment: Segment, leg: Leg | undefined, frame: Frame | undefined): Step {
  const { source, sourcePort, destination, destinationPort, flags, at } = segment;
  const { key, sourceIsLower } = keyOf(source, sourcePort, destination, destinationPort);
  const known = find(state, key);
  const begins = (flags & (FLAG.syn | FLAG.rst)) === FLAG.syn;
  if (!known) {
    if (!begins) return UNKNOWN;
    return begin(state, key, sourceIsLower, { segment, leg, frame });
  }
  const from = known.clientIsLower === sourceIsLower ? 'client' : 'server';
  if (isOfEarlier(known, from, segment)) return EARLIER;
  if (!begins) return { kind: flags & FLAG.rst ? 'reset' : 'complete', known: drop(state, key, known) };
  // A fresh SYN where a handshake was: the port is used again (RFC 9293 section 3.6.1).
  if (isFirst(segment) && (from === 'server' || isnOf(known) !== segment.seq)) {
    const instead = drop(state, key, known);
    return { ...begin(state, key, sourceIsLower, { segment, leg, frame }), instead };
  }
  const now = withPassed({ ...known, lastAt: at }, { from, segment, leg });
  keep(state, key, now);
  // A copy, or one repetition too many, is not kept, and then its frame is not either: each frame belongs to a segment.
  const isKept = now.passed.length > known.passed.length;
  if (frame && state.options.keepFrames && isKept) keepFrame(state, key, frame);
  return KEPT;
}

function sizeOf({ recent, packed }: State): number {
  return recent.size + packed.size;
}

function find({ recent, packed }: State, key: Key): Handshake | undefined {
  const known = recent.get(key);
  if (known) return known;
  const octets = packed.get(key);
  return octets === undefined
    ? undefined
    : unpackHandshake(octets, endsOf(key, headOf(octets).clientIsLower));
}

/**
 * A server that still has the port's last connection answers the new SYN with that one's numbers, and the client resets it by
 * the number that was acknowledged (RFC 9293 section 3.10.7.3 and figure 9). Then the client repeats its SYN.
 */
function isOfEarlier(known: Handshake, from: Direction, { flags, seq, ack }: Segment): boolean {
  const isn = isnOf(known);
  if (isn === undefined || flags & FLAG.syn) return false;
  const isAnswer = from === 'server' && (flags & FLAG.ack) !== 0;
  const isReset = from === 'client' && (flags & (FLAG.rst | FLAG.ack)) === FLAG.rst;
  if (!isAnswer && !isReset) return false;
  const beyond = distance(advance(isn, 1), isAnswer ? ack : seq);
  return beyond < 0 || beyond > FIRST_WINDOW;
}

/** The client's initial sequence number, where its answer was captured before it too. */
function isnOf({ passed }: Handshake): Seq | undefined {
  const syn = passed.find((each) => each.from === 'client') ?? passed[0];
  return syn && clientIsnOf(syn.segment);
}

interface Arrived {
  readonly segment: Segment;
  readonly leg: Leg | undefined;
  readonly frame: Frame | undefined;
}

function begin(
  state: State,
  key: Key,
  sourceIsLower: boolean,
  { segment, leg, frame }: Arrived,
): Step & { kind: 'kept' } {
  const from: Direction = isFirst(segment) ? 'client' : 'server';
  const handshake: Handshake = {
    id: state.options.nextId(),
    lost: false,
    clientIsLower: (from === 'client') === sourceIsLower,
    lastAt: segment.at,
    passed: [],
  };
  keep(state, key, withPassed(handshake, { from, segment, leg }));
  if (frame && state.options.keepFrames) keepFrame(state, key, frame);
  return KEPT;
}

function keep({ recent, packed }: State, key: Key, handshake: Handshake): void {
  // To the end: it is the one that was heard of last.
  packed.delete(key);
  recent.delete(key);
  recent.set(key, handshake);
  for (const [oldest, silent] of recent) {
    if (recent.size <= HALF_OPEN_WHOLE) break;
    recent.delete(oldest);
    packed.set(oldest, packHandshake(silent));
  }
}

function keepFrame({ frames }: State, key: Key, frame: Frame): void {
  frames.set(key, [...(frames.get(key) ?? []), { ...frame, octets: frame.octets.slice() }]);
}

function drop(state: State, key: Key, handshake: Handshake): Known {
  const frames = state.frames.get(key);
  forget(state, key);
  return { ...handshake, client: endsOf(key, handshake.clientIsLower), frames };
}

function forget({ recent, packed, frames }: State, key: Key): void {
  recent.delete(key);
  packed.delete(key);
  frames.delete(key);
}

function expire(state: State, at: Micros, budget: number): ReturnType<HalfOpen['expire']> {
  const known: Known[] = [];
  let more = 0;
  for (let key = overBy(state, at); key !== undefined; key = overBy(state, at)) {
    const handshake = known.length < budget ? find(state, key) : undefined;
    if (handshake) known.push(drop(state, key, handshake));
    else {
      forget(state, key);
      more += 1;
    }
  }
  return known.length === 0 && more === 0 ? NONE : { known, more };
}

/** The one that was silent longest, if it is over by then, or if there are too many. */
function overBy(state: State, at: Micros): Key | undefined {
  const [first] = state.packed;
  const [key, lastAt] = first ? [first[0], headOf(first[1]).lastAt] : oldestOf(state.recent);
  const over = sizeOf(state) > state.options.most || at - lastAt >= HALF_OPEN_FOR;
  return over ? key : undefined;
}

function oldestOf(recent: State['recent']): readonly [key: Key | undefined, lastAt: Micros] {
  const [first] = recent;
  return first ? [first[0], first[1].lastAt] : [undefined, Infinity];
}

function keyOf(a: string, aPort: number, b: string, bPort: number): { key: Key; sourceIsLower: boolean } {
  const sourceIsLower = aPort === bPort ? a < b : aPort < bPort;
  const [one, two] = [endKey(a, aPort), endKey(b, bPort)];
  return { key: sourceIsLower ? one + two : two + one, sourceIsLower };
}

function endKey(address: string, port: number): string {
  let octets = keys.get(address);
  if (octets === undefined) {
    octets = String.fromCharCode(...(addressOctets(address) ?? []));
    if (keys.size >= KEYS) keys.clear();
    keys.set(address, octets);
  }
  return octets + String.fromCharCode(port >> 8, port & 255);
}

/** Addresses come again with every handshake: their octets are read once, and forgotten all at once at the cap. */
const keys = new Map<string, string>();
const KEYS = 4_096;

function endsOf(key: Key, clientIsLower: boolean): Ends {
  const half = key.length / 2;
  const octets = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i += 1) octets[i] = key.charCodeAt(i);
  const [client, server] = clientIsLower ? [0, half] : [half, 0];
  return {
    source: textAt(octets, client, half - 2),
    sourcePort: portAt(octets, client + half - 2),
    destination: textAt(octets, server, half - 2),
    destinationPort: portAt(octets, server + half - 2),
  };
}

function textAt(octets: Uint8Array, at: number, length: number): string {
  return length === 4 ? ipv4Text(octets, at) : ipv6Text(octets, at);
}

function portAt(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

const NO_SYNS: Syns = { client: false, server: false };
const UNKNOWN: Step = { kind: 'unknown' };
const EARLIER: Step = { kind: 'earlier' };
/** Octets that a client may send before it knows how the server scales its window (RFC 7323 section 2.2). */
const FIRST_WINDOW = 65_535;
const KEPT: Step & { kind: 'kept' } = { kind: 'kept' };
const NONE = { known: [], more: 0 } as const;
