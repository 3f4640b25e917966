// The segments of a handshake in few octets: what is needed to judge them later as if they had just come.

import type { Direction, Micros } from '../events';
import { HANDSHAKE_REPEATS } from '../limits';
import { isCopyOf } from './copies';
import { FLAG, type Ends, type Leg, type Segment, type TcpOptions } from './segment';
import { NO_OCTETS } from '../octets';
import { advance, type Seq } from './seq';

/** A segment as it came. */
export interface Passed {
  readonly from: Direction;
  readonly segment: Segment;
  readonly leg: Leg | undefined;
}

/** Each character is an octet: a string of them takes a sixth of the segments, and nothing is cheaper to keep. */
export type PackedHandshake = string;

export interface Handshake {
  /** Of the connection that it begins. */
  readonly id: number;
  /** Segments of it were missed by us, or were too many to be kept. */
  readonly lost: boolean;
  /** The client is the lower end of the key that it is kept by. */
  readonly clientIsLower: boolean;
  readonly lastAt: Micros;
  /** The first one, then those of either side that came; without octets, as no data is in them. */
  readonly passed: readonly Passed[];
}

/** Which SYNs of a connection were captured. */
export interface Syns {
  readonly client: boolean;
  readonly server: boolean;
}

/**
 * With one segment more, which carries no data. A copy says nothing new, and is left out; so is one repetition too many, or what is
 * none, and then something is lost.
 */
export function withPassed(handshake: Handshake, { from, segment, leg }: Passed): Handshake {
  const { passed } = handshake;
  const each: Passed = { from, segment: rememberedOf(segment), leg };
  const known = firstOf(passed, from);
  const { client, server } = synsOf(passed);
  const repeats = passed.length - (client ? 1 : 0) - (server ? 1 : 0);
  if (known === undefined || (repeats < HANDSHAKE_REPEATS && isRepeat(known, each))) {
    return { ...handshake, passed: [...passed, each] };
  }
  return isCopyOf(known.segment, segment) ? handshake : { ...handshake, lost: true };
}

/** Which sides have sent one of these. */
export function synsOf(passed: readonly Passed[]): Syns {
  return { client: firstOf(passed, 'client') !== undefined, server: firstOf(passed, 'server') !== undefined };
}

function firstOf(passed: readonly Passed[], side: Direction): Passed | undefined {
  return passed.find(({ from }) => from === side);
}

/** What is remembered of a segment without data: what fits in few octets, packed or not. */
function rememberedOf(segment: Segment): Segment {
  const { at, source, sourcePort, destination, destinationPort, seq, ack, flags, window } = segment;
  const { ttl, ipId, vlans, checksum } = segment;
  const { kinds, sackPermitted } = segment.options;
  // RFC 2018 section 3: no SYN has blocks.
  const options = { ...segment.options, sackPermitted, sack: NO_SACK, kinds: kinds.slice(0, KINDS) };
  const length = Math.min(segment.length, 0xffff);
  // prettier-ignore
  return {
    at, source, sourcePort, destination, destinationPort,
    seq, ack, flags, window, options, payload: NO_OCTETS, length, ttl, ipId, vlans, checksum,
  };
}

/** `passed` is what `withPassed` made of it. */
export function packHandshake({ id, lost, clientIsLower, lastAt, passed }: Handshake): PackedHandshake {
  const out: Cursor = { at: 0 };
  put32(out, id >>> 0);
  put16(out, Math.floor(id / WRAP));
  put8(out, 0);
  const started = passed[0]?.segment.at ?? 0;
  view.setFloat64(out.at, started);
  out.at += 8;
  putTime(out, lastAt - started);
  const { client, server } = synsOf(passed);
  for (const each of passed) {
    if (each === firstOf(passed, each.from)) packWhole(out, each, started);
    else packRepeat(out, each, started);
  }
  octets[MARKS] =
    (lost ? LOST : 0) |
    (clientIsLower ? CLIENT_IS_LOWER : 0) |
    (client ? CLIENT_SYN : 0) |
    (server ? SERVER_SYN : 0);
  return String.fromCharCode(...octets.subarray(0, out.at));
}

type Head = Omit<Handshake, 'passed'> & { readonly syns: Syns };

/** What is known without its segments. */
export function headOf(packed: PackedHandshake): Head {
  return takeHead(load(packed, HEAD));
}

/** `client`: where the client's segments come from, and go to. */
export function unpackHandshake(packed: PackedHandshake, client: Ends): Handshake {
  const from = load(packed, packed.length);
  const head = takeHead(from);
  const server: Ends = {
    ...{ source: client.destination, sourcePort: client.destinationPort },
    ...{ destination: client.source, destinationPort: client.sourcePort },
  };
  const passed: Passed[] = [];
  const base: Partial<Record<Direction, Segment>> = {};
  while (from.at < packed.length) {
    const bits = take8(from);
    const side = bits & SERVER ? 'server' : 'client';
    const known = base[side];
    const ends = side === 'client' ? client : server;
    const at = head.started + (take32(from) | 0);
    const segment = known ? unpackRepeat(from, known, at) : unpackWhole(from, ends, at);
    base[side] ??= segment;
    passed.push({ from: side, segment, leg: LEGS[(bits >> LEG_SHIFT) & 3] });
  }
  const { id, lost, clientIsLower, lastAt } = head;
  return { id, lost, clientIsLower, lastAt, passed };
}

function load(packed: PackedHandshake, length: number): Cursor {
  for (let i = 0; i < length; i += 1) octets[i] = packed.charCodeAt(i);
  return { at: 0 };
}

function takeHead(from: Cursor): Head & { readonly started: Micros } {
  const low = take32(from);
  const id = take16(from) * WRAP + low;
  const bits = take8(from);
  const started = view.getFloat64(from.at);
  from.at += 8;
  const lastAt = started + (take32(from) | 0);
  return {
    id,
    lost: (bits & LOST) !== 0,
    clientIsLower: (bits & CLIENT_IS_LOWER) !== 0,
    syns: { client: (bits & CLIENT_SYN) !== 0, server: (bits & SERVER_SYN) !== 0 },
    started,
    lastAt,
  };
}

/** Sent again, or captured twice: only what each packet has for itself differs. */
function isRepeat({ segment: a }: Passed, { segment: b }: Passed): boolean {
  return (
    a.flags === b.flags &&
    a.seq === b.seq &&
    a.ack === b.ack &&
    a.window === b.window &&
    a.ttl === b.ttl &&
    a.length === b.length &&
    a.checksum === b.checksum &&
    (a.ipId === undefined) === (b.ipId === undefined) &&
    a.vlans.join() === b.vlans.join() &&
    a.options.kinds.join() === b.options.kinds.join() &&
    a.options.mss === b.options.mss &&
    a.options.windowScale === b.options.windowScale
  );
}

function packRepeat(out: Cursor, { from, segment, leg }: Passed, started: Micros): void {
  const { options, at, ipId } = segment;
  put8(out, (from === 'server' ? SERVER : 0) | (LEGS.indexOf(leg) << LEG_SHIFT));
  putTime(out, at - started);
  if (ipId !== undefined) put16(out, ipId);
  options.timestamps?.forEach((each) => put32(out, each));
}

function unpackRepeat(from: Cursor, known: Segment, at: Micros): Segment {
  const ipId = known.ipId === undefined ? undefined : take16(from);
  const { timestamps } = known.options;
  const stamps = timestamps && ([take32(from), take32(from)] as const);
  return { ...known, at, ipId, options: { ...known.options, ...(stamps && { timestamps: stamps }) } };
}

function packWhole(out: Cursor, { from, segment, leg }: Passed, started: Micros): void {
  const { options, ipId, vlans, checksum } = segment;
  const { mss, windowScale, sackPermitted, timestamps, kinds, cut } = options;
  put8(out, (from === 'server' ? SERVER : 0) | (LEGS.indexOf(leg) << LEG_SHIFT));
  putTime(out, segment.at - started);
  put8(out, segment.flags);
  put8(
    out,
    (ipId !== undefined ? HAS_ID : 0) |
      (mss !== undefined ? HAS_MSS : 0) |
      (windowScale !== undefined ? HAS_SCALE : 0) |
      (timestamps ? HAS_STAMPS : 0) |
      (sackPermitted ? SACK_PERMITTED : 0) |
      (cut ? OPTIONS_CUT : 0) |
      (CHECKSUMS.indexOf(checksum) << CHECKSUM_SHIFT),
  );
  put32(out, segment.seq);
  put32(out, segment.ack);
  put16(out, segment.window);
  put8(out, segment.ttl);
  put16(out, segment.length);
  if (ipId !== undefined) put16(out, ipId);
  if (mss !== undefined) put16(out, mss);
  if (windowScale !== undefined) put8(out, windowScale);
  timestamps?.forEach((each) => put32(out, each));
  putList(out, kinds, put8);
  putList(out, vlans, put16);
}

function unpackWhole(from: Cursor, ends: Ends, at: Micros): Segment {
  const flags = take8(from);
  const has = take8(from);
  const [seq, ack] = [take32(from), take32(from)];
  const [window, ttl, length] = [take16(from), take8(from), take16(from)];
  const ipId = has & HAS_ID ? take16(from) : undefined;
  const mss = has & HAS_MSS ? take16(from) : undefined;
  const windowScale = has & HAS_SCALE ? take8(from) : undefined;
  const timestamps = has & HAS_STAMPS ? ([take32(from), take32(from)] as const) : undefined;
  const kinds = takeList(from, take8);
  const vlans = takeList(from, take16);
  const options: Writable<TcpOptions> = {
    sackPermitted: (has & SACK_PERMITTED) !== 0,
    sack: NO_SACK,
    kinds,
  };
  if (mss !== undefined) options.mss = mss;
  if (windowScale !== undefined) options.windowScale = windowScale;
  if (timestamps) options.timestamps = timestamps;
  if (has & OPTIONS_CUT) options.cut = true;
  const checksum = CHECKSUMS[(has >> CHECKSUM_SHIFT) & 3] ?? 'unchecked';
  const { source, sourcePort, destination, destinationPort } = ends;
  // prettier-ignore
  return {
    at, source, sourcePort, destination, destinationPort,
    seq, ack, flags, window, options, payload: NO_OCTETS, length, ttl, ipId, vlans, checksum,
  };
}

/** The client's SYN. */
export function isFirst({ flags }: Segment): boolean {
  return (flags & (FLAG.syn | FLAG.ack)) === FLAG.syn;
}

/** The server's answer to it. */
export function isAnswer({ flags }: Segment): boolean {
  return (flags & (FLAG.syn | FLAG.ack)) === (FLAG.syn | FLAG.ack);
}

/** The client's initial sequence number: that of its SYN, or what the SYN ACK acknowledges, less the SYN itself. */
export function clientIsnOf({ flags, seq, ack }: Segment): Seq {
  return flags & FLAG.ack ? advance(ack, -1) : seq;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface Cursor {
  at: number;
}

function put8(out: Cursor, value: number): void {
  view.setUint8(out.at, value);
  out.at += 1;
}

function put16(out: Cursor, value: number): void {
  view.setUint16(out.at, value);
  out.at += 2;
}

function put32(out: Cursor, value: number): void {
  view.setUint32(out.at, value);
  out.at += 4;
}

/** Captures are not always in order. */
function putTime(out: Cursor, since: Micros): void {
  put32(out, Math.max(-SPAN, Math.min(SPAN, since)));
}

function putList(out: Cursor, list: readonly number[], put: typeof put8): void {
  put8(out, list.length);
  for (const each of list) put(out, each);
}

function take8(from: Cursor): number {
  from.at += 1;
  return view.getUint8(from.at - 1);
}

function take16(from: Cursor): number {
  from.at += 2;
  return view.getUint16(from.at - 2);
}

function take32(from: Cursor): number {
  from.at += 4;
  return view.getUint32(from.at - 4);
}

function takeList(from: Cursor, take: typeof take8): number[] {
  return Array.from({ length: take8(from) }, () => take(from));
}

/** Two segments with all that a header has room for, and their repetitions. */
const octets = new Uint8Array(512);
const view = new DataView(octets.buffer);
/** Of its front: number, marks, first and last time. */
const HEAD = 19;
const MARKS = 6;
const WRAP = 0x1_0000_0000;
const LOST = 1;
const CLIENT_IS_LOWER = 2;
const CLIENT_SYN = 4;
const SERVER_SYN = 8;
/** Half an hour: no handshake takes so long. */
const SPAN: Micros = 0x7fff_ffff;
const SERVER = 1;
const LEG_SHIFT = 1;
const LEGS = [undefined, 'wan', 'lan'] as const;
const HAS_ID = 1;
const HAS_MSS = 2;
const HAS_SCALE = 4;
const HAS_STAMPS = 8;
const SACK_PERMITTED = 16;
const CHECKSUM_SHIFT = 5;
const OPTIONS_CUT = 128;
const CHECKSUMS = ['good', 'bad', 'unchecked'] as const;
const NO_SACK: TcpOptions['sack'] = [];
/** Options that 40 octets have room for, two octets each (RFC 9293 section 3.1). */
const KINDS = 20;
