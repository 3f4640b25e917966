// One connection's segments at two points, lined up: which copy outside is which copy inside, and which has no twin.

import type { Direction, Micros, Point } from '../events';
import { FLAG } from '../tcp/segment';
import { advance, distance, type Seq } from '../tcp/seq';
import { atPoint, onCommonClock, type Clocks } from './clock';
import { fateOfAbsent, heardOf, type Fate, type Receiver } from './fate';
import { wholePayload, type Passage, type Span, type Trace } from './trace';
import { areIdsKept, compareMarks, groupsOf, pairTwins, type Item, type Twin } from './twins';

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
      wan: itemsOf('wan', wan, from, base.wan, clocks),
      dmz: itemsOf('dmz', dmz, from, base.dmz, clocks),
    };
    const [sent, came] = from === 'client' ? [items.wan, items.dmz] : [items.dmz, items.wan];
    const [sender, receiver] = from === 'client' ? [wan, dmz] : [dmz, wan];
    const [here, there] = from === 'client' ? [base.wan, base.dmz] : [base.dmz, base.wan];
    const arrival: Receiver['arrival'] = (item) => atPoint(from === 'client' ? 'dmz' : 'wan', item, clocks);
    const to = OTHER[from];
    const twice = [spansOf(sender.twice[to], here), spansOf(receiver.twice[to], there)].flat();
    const [atSender, atReceiver] = [heardOf(sender.acks[to], here), heardOf(receiver.acks[to], there)];
    return fatesOf(sent, came, { atSender, atReceiver, twice, arrival });
  });
  return {
    fates: fates.sort((a, b) => timeOf(a) - timeOf(b)),
    shift: { client: shiftOf(bases.client), server: shiftOf(bases.server) },
  };
}

function timeOf(fate: Fate): Micros {
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
  const inside = new Map<string, Passage>();
  for (const passage of dmz.passages) {
    if (passage.from === from) for (const name of namesOf(passage)) inside.set(name, passage);
  }
  const votes = new Map<number, number>();
  for (const passage of wan.passages) {
    if (passage.from !== from) continue;
    for (const name of namesOf(passage)) {
      const twin = inside.get(name);
      if (!twin || !isNamed(name, passage, twin)) continue;
      const shift = distance(passage.seq, twin.seq);
      votes.set(shift, (votes.get(shift) ?? 0) + 1);
    }
  }
  return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** By its octets, and by its length and stamp: the latter is for octets that were left out on purpose. */
function namesOf(passage: Passage): string[] {
  const { length, tsval } = passage;
  if (length < DISTINCTIVE) return [];
  const payload = wholePayload(passage);
  return [
    ...(payload ? [payload.join()] : []),
    ...(tsval === undefined ? [] : [`${STAMPED}${length} ${tsval}`]),
  ];
}

function isNamed(name: string, a: Passage, b: Passage): boolean {
  return !name.startsWith(STAMPED) || a.elided || b.elided;
}

function itemsOf(point: Point, { passages }: Trace, from: Direction, base: Seq, clocks: Clocks): Item[] {
  return passages
    .filter((passage) => passage.from === from)
    .map((passage) => {
      const start = distance(base, passage.seq);
      const moment = onCommonClock(point, passage.at, clocks);
      return { point, passage, ...moment, start, end: start + passage.length };
    });
}

function fatesOf(
  sent: readonly Item[],
  came: readonly Item[],
  heard: Omit<Receiver, 'pairs' | 'came'>,
): Fate[] {
  const twins = pairTwins(sent, came);
  const taken = new Set([...twins.values()].map((twin) => twin.came));
  const spare = came.filter((item) => !taken.has(item));
  const keepsIds = areIdsKept(sent, groupsOf(came));
  const pairs = [...twins].map(([item, { came: other, sure }]) => ({ sent: item, came: other, sure }));
  const receiver: Receiver = { ...heard, pairs, came };
  const used = new Set<Item>();
  const fates: Fate[] = [];
  // Where the length of the stream was changed, all numbers behind it mean something else.
  let upTo = Infinity;
  for (const item of sent) {
    if (item.start > upTo) continue;
    const twin = twins.get(item);
    if (twin) {
      fates.push(passedOrChanged(item, twin));
      continue;
    }
    const others = spare.filter((each) => !used.has(each) && !isOtherCopy(item, each, keepsIds));
    const changed = others.find((each) => each.start === item.start && differs(item, each));
    const pieces = changed ? [] : piecesOf(item, others);
    if (changed) upTo = item.start;
    for (const each of changed ? [changed] : pieces) used.add(each);
    if (changed) fates.push({ kind: 'changed', sent: item, came: changed });
    else if (pieces.length > 0) fates.push({ kind: 'recut', sent: item });
    else fates.push(fateOfAbsent(item, receiver));
  }
  for (const item of spare) {
    if (used.has(item) || item.start > upTo || isExplained(item, sent)) continue;
    fates.push({ kind: 'appeared', came: item });
  }
  return fates;
}

/** The same octets, and another packet. */
function isOtherCopy(a: Item, b: Item, keepsIds: boolean): boolean {
  return a.start === b.start && a.end === b.end && compareMarks(a, b, keepsIds) === 'other';
}

function passedOrChanged(sent: Item, { came, sure }: Twin): Fate {
  if (differs(sent, came)) return { kind: 'changed', sent, came };
  return { kind: 'passed', sent, came, delay: came.at - sent.at, sure };
}

function differs({ passage: a, start }: Item, { passage: b, start: other }: Item): boolean {
  return start === other && firstDifference(a, b) !== undefined;
}

/** The first of the octets that are kept of both and are not the same. */
export function firstDifference({ payload: a }: Passage, { payload: b }: Passage): number | undefined {
  const index = (b && a?.findIndex((octet, i) => i < b.length && octet !== b[i])) ?? -1;
  return index < 0 ? undefined : index;
}

/** What holds all of its octets together, of what is no copy of another; empty where there is no such. */
function piecesOf({ start, end, passage }: Item, came: readonly Item[]): Item[] {
  if (passage.length === 0) return [];
  let next = start;
  const inOrder = came.filter((each) => each.passage.length > 0).sort((a, b) => a.start - b.start);
  const pieces = inOrder.filter((each) => {
    if (each.start > next || each.end <= next || next >= end) return false;
    next = each.end;
    return true;
  });
  return next >= end ? pieces : [];
}

function spansOf(spans: readonly Span[], base: Seq): [number, number][] {
  return spans.map(([left, right]) => [distance(base, left), distance(base, right)]);
}

/** Its octets, or its flag, were seen at the sender's point. */
function isExplained({ start, end, passage }: Item, sent: readonly Item[]): boolean {
  if (passage.flags & FLAG.rst) return false;
  if (passage.length === 0) return sent.some(({ passage: { flags } }) => flags & passage.flags & CONTROL);
  let next = start;
  for (const each of [...sent].sort((a, b) => a.start - b.start))
    if (each.start <= next && each.end > next) next = each.end;
  return next >= end;
}

const CONTROL = FLAG.syn | FLAG.fin;
const OTHER = { client: 'server', server: 'client' } as const;
const STAMPED = 'stamped ';
/** Octets that two different lines hardly have in common. */
const DISTINCTIVE = 4;
