// The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks; every interface has its link type and clock.

import type { Micros } from '../../inspect/events';
import { isKnownLink } from '../../inspect/tcp/link';
import { LARGEST_RECORD, type Chunk, type Damage, type Format, type Hold } from './frame';
import { stampReader, type StampReader } from './pcapng-clock';

/** Whether a file's first 12 octets begin a section. */
export function isPcapng({ view }: Chunk): boolean {
  return view.getUint32(0) === SECTION && orderOf(view, 8) !== undefined;
}

export function createPcapngFormat(): Format {
  const state: State = {
    ...{ little: false, interfaces: [], lastAt: 0, lost: 0 },
    ran: undefined,
    strange: new Map(),
  };
  return {
    get lost() {
      // The statistics at the end count everything; drop counts of single packets count again what they tell.
      return state.lost + state.interfaces.reduce((sum, each) => sum + each.dropped, 0);
    },
    get ran() {
      return state.ran;
    },
    strange: state.strange,
    read: (chunk, start, end, hold) => read(state, chunk, start, end, hold),
  };
}

interface Interface {
  readonly linkType: number;
  readonly known: boolean;
  readonly snaplen: number;
  readonly stamp: StampReader;
  /** What its packets lack of their length was left out on purpose. */
  readonly elided: boolean;
  dropped: number;
}

interface State {
  little: boolean;
  /** Of the section at hand. */
  interfaces: Interface[];
  lastAt: Micros;
  ran: Format['ran'];
  /** Of the sections before. */
  lost: number;
  readonly strange: Map<number, number>;
}

function read(state: State, chunk: Chunk, start: number, end: number, hold: Hold): number | Damage {
  const { view } = chunk;
  let at = start;
  while (end - at >= HEAD) {
    const isSection = view.getUint32(at) === SECTION;
    if (isSection) {
      const order = orderOf(view, at + 8);
      if (order === undefined) return damage('a section without its byte-order magic', at);
      state.little = order;
    }
    const type = view.getUint32(at, state.little);
    const length = view.getUint32(at + 4, state.little);
    if (length < HEAD || length % 4 !== 0) return damage(`a block of ${length} octets`, at);
    const isRead = isSection || READ.has(type);
    if (!isRead && length > end - at) return at + length;
    if (length > LARGEST_RECORD) return damage(`a block of ${length} octets`, at);
    if (length > end - at) break;
    if (isRead) {
      const why = block(
        state,
        chunk,
        { type: isSection ? SECTION : type, at: at + 8, end: at + length - 4 },
        hold,
      );
      if (why !== undefined) return damage(why, at);
    }
    at += length;
  }
  return at;
}

/** The body of a block: without its type and its two lengths. */
interface Body {
  readonly type: number;
  readonly at: number;
  readonly end: number;
}

/** Says why the block makes no sense, if so. */
function block(state: State, chunk: Chunk, body: Body, hold: Hold): string | undefined {
  switch (body.type) {
    case SECTION:
      state.lost += state.interfaces.reduce((sum, each) => sum + each.dropped, 0);
      state.interfaces = [];
      return undefined;
    case INTERFACE:
      return addInterface(state, chunk, body);
    case STATISTICS:
      return addStatistics(state, chunk, body);
    case SIMPLE_PACKET:
      return simplePacket(state, chunk, body, hold);
    default:
      return packet(state, chunk, body, hold);
  }
}

function addInterface(state: State, { view }: Chunk, { at, end }: Body): string | undefined {
  if (end - at < 8) return 'an interface description cut short';
  const { little } = state;
  const linkType = view.getUint16(at, little);
  const options = optionsOf(little, view, at + 8, end);
  const resolution = options.get(IF_TSRESOL);
  const offset = options.get(IF_TSOFFSET);
  state.interfaces.push({
    linkType,
    known: isKnownLink(linkType),
    snaplen: view.getUint32(at + 4, little),
    stamp: stampReader(
      resolution && view.getUint8(resolution.at),
      offset && offset.length >= 8 ? view.getBigInt64(offset.at, little) : 0n,
    ),
    elided: isElided(view, options.get(IF_DESCRIPTION)),
    dropped: 0,
  });
  return undefined;
}

function isElided(view: DataView, option: { at: number; length: number } | undefined): boolean {
  if (option?.length !== ELIDED_INTERFACE.length) return false;
  const octets = new Uint8Array(view.buffer, view.byteOffset + option.at, option.length);
  return String.fromCharCode(...octets) === ELIDED_INTERFACE;
}

/** isb_ifdrop counts what the card dropped, isb_osdrop what the system did; `undefined` where neither is there. */
export function droppedOf(
  { view }: Chunk,
  { at, end }: Pick<Body, 'at' | 'end'>,
  little: boolean,
): number | undefined {
  const options = optionsOf(little, view, at + 12, end);
  const counts = [ISB_IFDROP, ISB_OSDROP].flatMap((code) => {
    const option = options.get(code);
    return option && option.length >= 8 ? [Number(view.getBigUint64(option.at, little))] : [];
  });
  return counts.length === 0 ? undefined : counts.reduce((sum, each) => sum + each);
}

function addStatistics(state: State, chunk: Chunk, body: Body): string | undefined {
  const { view } = chunk;
  const { at, end } = body;
  if (end - at < 12) return 'interface statistics cut short';
  const which = state.interfaces[view.getUint32(at, state.little)];
  if (!which) return 'statistics of an interface that was not described';
  const options = optionsOf(state.little, view, at + 12, end);
  const time = (code: number): Micros | undefined => {
    const option = options.get(code);
    if (!option || option.length < 8) return undefined;
    return which.stamp(view.getUint32(option.at, state.little), view.getUint32(option.at + 4, state.little));
  };
  noteRun(state, time(ISB_STARTTIME), time(ISB_ENDTIME));
  which.dropped = Math.max(which.dropped, droppedOf(chunk, body, state.little) ?? 0);
  return undefined;
}

/** Times far from those of the packets are taken for wrong ones, and not waited for. */
function noteRun(state: State, from: Micros | undefined, to: Micros | undefined): void {
  const { lastAt, ran = { from: lastAt, to: lastAt } } = state;
  const near = (at: Micros | undefined): at is Micros => at !== undefined && Math.abs(at - lastAt) < FAR;
  if (!near(from) || !near(to)) return;
  state.ran = { from: Math.min(ran.from, from), to: Math.max(ran.to, to) };
}

/** The enhanced packet block, and the packet block that it replaced: only the first field differs. */
function packet(state: State, { view }: Chunk, { type, at, end }: Body, hold: Hold): string | undefined {
  if (end - at < 20) return 'a packet block cut short';
  const { little } = state;
  const index = type === PACKET ? view.getUint16(at, little) : view.getUint32(at, little);
  const from = state.interfaces[index];
  if (!from) return `a packet of interface ${index}, which was not described`;
  const captured = view.getUint32(at + 12, little);
  if (captured > end - at - 20) return `a packet of ${captured} octets in a shorter block`;
  const time = from.stamp(view.getUint32(at + 4, little), view.getUint32(at + 8, little));
  state.lastAt = time;
  give(state, from, at + 20, captured, time, view.getUint32(at + 16, little), hold);
  return undefined;
}

/** It has neither interface nor time: the first interface's, and that of the packet before it. */
function simplePacket(state: State, { view }: Chunk, { at, end }: Body, hold: Hold): string | undefined {
  const [from] = state.interfaces;
  if (!from || end - at < 4) return 'a simple packet without an interface';
  const wire = view.getUint32(at, state.little);
  const captured = Math.min(wire, end - at - 4, from.snaplen === 0 ? Infinity : from.snaplen);
  give(state, from, at + 4, captured, state.lastAt, wire, hold);
  return undefined;
}

function give(
  state: State,
  { known, linkType, elided }: Interface,
  start: number,
  length: number,
  at: Micros,
  wire: number,
  hold: Hold,
): void {
  if (known) hold(linkType, start, length, at, wire, elided);
  else state.strange.set(linkType, (state.strange.get(linkType) ?? 0) + 1);
}

type Options = ReadonlyMap<number, { readonly at: number; readonly length: number }>;

/** Each option's first occurrence; nothing behind one that leaves the block. */
function optionsOf(little: boolean, view: DataView, start: number, end: number): Options {
  const options = new Map<number, { at: number; length: number }>();
  for (let at = start; at + 4 <= end;) {
    const code = view.getUint16(at, little);
    const length = view.getUint16(at + 2, little);
    if (code === END_OF_OPTIONS || at + 4 + length > end) break;
    if (!options.has(code) && length > 0) options.set(code, { at: at + 4, length });
    at += 4 + Math.ceil(length / 4) * 4;
  }
  return options;
}

/** Whether the section is little-endian, by its byte-order magic. */
export function orderOf(view: DataView, at: number): boolean | undefined {
  if (view.getUint32(at) === ORDER) return false;
  return view.getUint32(at, true) === ORDER ? true : undefined;
}

function damage(why: string, offset: number): Damage {
  return { kind: 'damage', why, offset };
}

/** Type, length, and the length again: no block is shorter. */
export const HEAD = 12;
/** Reads the same in both orders of octets. */
const SECTION = 0x0a0d0d0a;
const ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const PACKET = 2;
const SIMPLE_PACKET = 3;
export const STATISTICS = 5;
const ENHANCED_PACKET = 6;
const READ: ReadonlySet<number> = new Set([INTERFACE, PACKET, SIMPLE_PACKET, STATISTICS, ENHANCED_PACKET]);
const END_OF_OPTIONS = 0;
const IF_TSRESOL = 9;
const IF_TSOFFSET = 14;
/** if_description of the packets that `evidence` cut on purpose. */
export const ELIDED_INTERFACE = 'content left out on purpose (message, secret, TLS)';
const IF_DESCRIPTION = 3;
const ISB_STARTTIME = 2;
const ISB_ENDTIME = 3;
/** A week. */
const FAR: Micros = 7 * 86_400_000_000;
const ISB_IFDROP = 5;
const ISB_OSDROP = 7;
