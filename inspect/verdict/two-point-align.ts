// One connection's segments at two points, lined up: which copy outside is which copy inside, and which has no twin.

import type { Direction, Micros, Point } from '../events';
import { FLAG } from '../tcp/segment';
import { advance, distance, type Seq } from '../tcp/seq';
import { PASSING, STAMPING } from './thresholds';
import type { Clocks, Offset } from './two-point-clock';
import { wholePayload, type Passage, type Trace } from './two-point-trace';

/** A segment at one point, on the common clock (the wan point's), numbered from its sender's first octet. */
export interface Item {
  readonly point: Point;
  readonly passage: Passage;
  readonly at: Micros;
  /** How wrong that may be. */
  readonly slack: Micros;
  readonly start: number;
  readonly end: number;
}

export type Fate =
  /** At both points; `sure` where its stamp says which copy it is, or there is one of it. */
  | {
      readonly kind: 'passed';
      readonly sent: Item;
      readonly came: Item;
      readonly delay: Micros;
      readonly sure: boolean;
    }
  /** At both, in other pieces. */
  | { readonly kind: 'recut'; readonly sent: Item }
  /** The same numbers, other octets. */
  | { readonly kind: 'changed'; readonly sent: Item; readonly came: Item }
  /** At its sender's point and not at the other. */
  | { readonly kind: 'dropped'; readonly sent: Item }
  /** The same, but the receiver has it: the other capture missed it. */
  | { readonly kind: 'missed'; readonly sent: Item }
  /** At the receiver's point only. */
  | { readonly kind: 'appeared'; readonly came: Item };

export interface Aligned {
  /** In the order of time. */
  readonly fates: readonly Fate[];
  /** By how much the points' sequence numbers differ; 0: they are the same, `undefined`: not comparable. */
  readonly shift: Readonly<Record<Direction, number | undefined>>;
}

export function alignPair(wan: Trace, dmz: Trace, clocks: Clocks): Aligned {
  const bases = { client: basesOf(wan, dmz, 'client'), server: basesOf(wan, dmz, 'server') };
  const fates = (['client', 'server'] as const).flatMap((from) => {
    const base = bases[from];
    if (!base) return [];
    const items = {
      wan: itemsOf('wan', wan, from, base.wan, () => NO_OFFSET),
      dmz: itemsOf('dmz', dmz, from, base.dmz, clocks.atDmz),
    };
    const [sent, came] = from === 'client' ? [items.wan, items.dmz] : [items.dmz, items.wan];
    // Who receives acknowledges; at the point next to it that is seen even if the path drops it later.
    const receiver = from === 'client' ? dmz : wan;
    const origin = from === 'client' ? base.dmz : base.wan;
    const acks = receiver.acks[OTHER[from]].map(({ at, ack }) => ({
      at: at - (from === 'client' ? clocks.atDmz(at).micros : 0),
      end: distance(origin, ack),
    }));
    return fatesOf(sent, came, acks);
  });
  return {
    fates: fates.sort((a, b) => timeOf(a) - timeOf(b)),
    shift: { client: shiftOf(bases.client), server: shiftOf(bases.server) },
  };
}

export function timeOf(fate: Fate): Micros {
  return fate.kind === 'appeared' ? fate.came.at : fate.sent.at;
}

interface Bases {
  readonly wan: Seq;
  readonly dmz: Seq;
}

function shiftOf(bases: Bases | undefined): number | undefined {
  return bases && distance(bases.wan, bases.dmz);
}

/** Randomised numbers differ by a constant: by the handshake, else by what both points saw the same octets at. */
function basesOf(wan: Trace, dmz: Trace, from: Direction): Bases | undefined {
  const [outside, inside] = [wan.base[from], dmz.base[from]];
  if (outside !== undefined && inside !== undefined) return { wan: outside, dmz: inside };
  const shift = shiftByOctets(wan, dmz, from);
  const first = wan.passages.find((each) => each.from === from)?.seq;
  const known = outside ?? (inside === undefined || shift === undefined ? first : advance(inside, -shift));
  if (known === undefined || shift === undefined) return undefined;
  return { wan: known, dmz: inside ?? advance(known, shift) };
}

function shiftByOctets(wan: Trace, dmz: Trace, from: Direction): number | undefined {
  const inside = new Map<string, Seq>();
  for (const passage of dmz.passages) {
    const payload = wholePayload(passage);
    if (payload && payload.length >= TELLING && passage.from === from)
      inside.set(payload.join(), passage.seq);
  }
  const votes = new Map<number, number>();
  for (const passage of wan.passages) {
    const payload = wholePayload(passage);
    const twin = payload && passage.from === from ? inside.get(payload.join()) : undefined;
    if (twin === undefined) continue;
    const shift = distance(passage.seq, twin);
    votes.set(shift, (votes.get(shift) ?? 0) + 1);
  }
  return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0];
}

function itemsOf(
  point: Point,
  trace: Trace,
  from: Direction,
  base: Seq,
  offsetAt: (at: Micros) => Offset,
): Item[] {
  return trace.passages
    .filter((passage) => passage.from === from)
    .map((passage) => {
      const start = distance(base, passage.seq);
      const { micros, slack } = offsetAt(passage.at);
      return { point, passage, at: passage.at - micros, slack, start, end: start + passage.length };
    });
}

interface Acked {
  readonly at: Micros;
  readonly end: number;
}

function fatesOf(sent: readonly Item[], came: readonly Item[], acks: readonly Acked[]): Fate[] {
  const twins = pairCopies(sent, came);
  const taken = new Set(twins.values());
  const spare = came.filter((item) => !taken.has(item));
  const used = new Set<Item>();
  const fates: Fate[] = [];
  // Where the length of the stream was changed, all numbers behind it mean something else.
  let upTo = Infinity;
  for (const item of sent) {
    if (item.start > upTo) continue;
    const twin = twins.get(item);
    if (twin) fates.push(passedOrChanged(item, twin, sent));
    else {
      const other = spare.find((each) => !used.has(each) && sameStart(item, each));
      const pieces = other && differs(item, other) ? [] : piecesOf(item, spare);
      if (pieces.length > 0) {
        for (const piece of pieces) used.add(piece);
        fates.push({ kind: 'recut', sent: item });
      } else if (other && differs(item, other)) {
        used.add(other);
        upTo = item.start;
        fates.push({ kind: 'changed', sent: item, came: other });
      } else fates.push({ kind: isAcked(item, came, acks) ? 'missed' : 'dropped', sent: item });
    }
  }
  for (const item of spare) {
    if (used.has(item) || item.start > upTo || isExplained(item, sent)) continue;
    fates.push({ kind: 'appeared', came: item });
  }
  return fates;
}

/** Copies of one segment have the same numbers: the stamp says which is which, else the order of time does. */
function pairCopies(sent: readonly Item[], came: readonly Item[]): Map<Item, Item> {
  const twins = new Map<Item, Item>();
  const taken = new Set<Item>();
  const match = (item: Item, other: Item): void => {
    twins.set(item, other);
    taken.add(other);
  };
  for (const item of sent) {
    const twin = came.find(
      (each) => !taken.has(each) && isCopy(item, each) && isSamePacket(item, each) && isBehind(item, each),
    );
    if (twin) match(item, twin);
  }
  // From the end: what came is the last copy that was sent before it.
  for (const item of [...sent].reverse()) {
    if (twins.has(item)) continue;
    const later = came.filter(
      (each) => !taken.has(each) && isCopy(item, each) && isBehind(item, each) && !isOtherCopy(item, each),
    );
    const twin = later[later.length - 1];
    if (twin) match(item, twin);
  }
  return twins;
}

/** It can have come from there, as far as the two clocks are known. */
function isBehind(sent: Item, came: Item): boolean {
  return came.at >= sent.at - Math.max(sent.slack, came.slack);
}

function isCopy(a: Item, b: Item): boolean {
  const control = FLAG.syn | FLAG.fin | FLAG.rst;
  const sameKind = (a.passage.flags & control) === (b.passage.flags & control);
  // A reset may get another number on its way; it is one all the same.
  if (sameKind && a.passage.flags & FLAG.rst) return Math.abs(a.at - b.at) <= PASSING;
  return sameKind && a.start === b.start && a.passage.length === b.passage.length;
}

/** By its stamp; where it has none, by its IP identification, which some firewalls renew: then it says nothing. */
function isSamePacket({ passage: a }: Item, { passage: b }: Item): boolean {
  if (a.tsval !== undefined || b.tsval !== undefined) return a.tsval === b.tsval;
  return (a.ipId ?? 0) !== 0 && a.ipId === b.ipId;
}

/** Both are stamped, by one clock, and differently: two copies. */
function isOtherCopy(a: Item, b: Item): boolean {
  const [one, other] = [a.passage.tsval, b.passage.tsval];
  if (one === undefined || other === undefined || a.passage.flags & FLAG.syn) return false;
  // A firewall that writes stamps of its own leaves nothing to go by.
  return one !== other && Math.abs(distance(one, other)) < ONE_CLOCK;
}

function passedOrChanged(sent: Item, came: Item, all: readonly Item[]): Fate {
  if (differs(sent, came)) return { kind: 'changed', sent, came };
  const alone = all.filter((each) => isCopy(each, sent)).length === 1;
  return { kind: 'passed', sent, came, delay: came.at - sent.at, sure: alone || isSamePacket(sent, came) };
}

function differs({ passage: a, start }: Item, { passage: b, start: other }: Item): boolean {
  return start === other && firstDifference(a, b) !== undefined;
}

/** The first of the octets that are kept of both and are not the same. */
export function firstDifference({ payload: a }: Passage, { payload: b }: Passage): number | undefined {
  const index = (b && a?.findIndex((octet, i) => i < b.length && octet !== b[i])) ?? -1;
  return index < 0 ? undefined : index;
}

function sameStart(item: Item, other: Item): boolean {
  return (
    item.start === other.start &&
    item.passage.length > 0 &&
    other.passage.length > 0 &&
    isBehind(item, other) &&
    other.at <= item.at + PASSING
  );
}

/** What came soon after, as no copy of another, and holds all of its octets; empty where there is no such. */
function piecesOf(item: Item, came: readonly Item[]): Item[] {
  const { at, start, end, passage } = item;
  if (passage.length === 0) return [];
  const near = came
    .filter((each) => each.passage.length > 0 && isBehind(item, each) && each.at <= at + PASSING)
    .sort((a, b) => a.start - b.start);
  let next = start;
  const pieces = near.filter((each) => {
    if (each.start > next || each.end <= next || next >= end) return false;
    next = each.end;
    return true;
  });
  return next >= end ? pieces : [];
}

/** The receiver acknowledged it before any copy of it came by: it came by unseen. */
function isAcked({ end, passage }: Item, came: readonly Item[], acks: readonly Acked[]): boolean {
  const needed = passage.flags & (FLAG.syn | FLAG.fin) ? end + 1 : end;
  if (passage.flags & FLAG.syn || passage.flags & FLAG.rst) return false;
  const ack = acks.find((each) => each.end >= needed);
  if (!ack) return false;
  const first = came.find((each) => each.end >= end && each.start < end);
  return first === undefined || ack.at < first.at;
}

/** Its octets, or its flag, were seen at the sender's point before. */
function isExplained(item: Item, sent: readonly Item[]): boolean {
  const { start, end, passage } = item;
  const before = sent.filter((each) => isBehind(each, item)).sort((a, b) => a.start - b.start);
  if (passage.flags & FLAG.rst) return false;
  if (passage.length === 0) return before.some(({ passage: { flags } }) => flags & passage.flags & CONTROL);
  let next = start;
  for (const each of before) if (each.start <= next && each.end > next) next = each.end;
  return next >= end;
}

const CONTROL = FLAG.syn | FLAG.fin;
const OTHER = { client: 'server', server: 'client' } as const;
/** Octets that two different lines hardly have in common. */
const TELLING = 4;
/** Ticks: half an hour of milliseconds. Two clocks that began at random are farther apart, all but certainly. */
const ONE_CLOCK = 2_000_000;
const NO_OFFSET: Offset = { micros: 0, slack: STAMPING, bounded: true };
