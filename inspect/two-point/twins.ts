// Which segment at the one point is which at the other: by its own marks and by the order of each capture, by no clock.

import { FLAG } from '../tcp/segment';
import { distance } from '../tcp/seq';
import type { Point } from '../events';
import type { Moment } from './clock';
import type { Passage } from './trace';

/** A segment at one point, on the common clock (the wan point's), numbered from its sender's first octet. */
export interface Item extends Moment {
  readonly point: Point;
  readonly passage: Passage;
  readonly start: number;
  readonly end: number;
}

export interface Twin {
  readonly came: Item;
  /** Its stamp or its IP identification says so; else only its numbers and the order do. */
  readonly sure: boolean;
}

/** Of one side's segments; both lists in the order of their captures. */
export function pairTwins(sent: readonly Item[], came: readonly Item[]): Map<Item, Twin> {
  const twins = new Map<Item, Twin>();
  const taken = new Set<Item>();
  const groups = groupsOf(came);
  const keepsIds = areIdsKept(sent, groups);
  const pair = (item: Item, isTwin: (other: Item) => boolean, sure: boolean): void => {
    const twin = twins.has(item)
      ? undefined
      : groups.get(nameOf(item))?.find((each) => !taken.has(each) && isTwin(each));
    if (!twin) return;
    twins.set(item, { came: twin, sure });
    taken.add(twin);
  };
  for (const item of sent) pair(item, (each) => hasSameStamp(item, each) && hasSameId(item, each), true);
  for (const item of sent) pair(item, (each) => compareMarks(item, each, keepsIds) === 'same', true);
  for (const item of sent)
    if (item.passage.flags & FLAG.rst)
      pair(item, (each) => compareMarks(item, each, keepsIds) === 'unknown', false);
  // What has no marks: the last of them are each other's, as those before may have been lost.
  for (const group of groups.values()) group.reverse();
  for (const item of [...sent].reverse())
    pair(item, (each) => compareMarks(item, each, keepsIds) === 'unknown', false);
  return twins;
}

/** Whether two segments with the same numbers are one packet. */
export function compareMarks({ passage: a }: Item, { passage: b }: Item, keepsIds: boolean): Likeness {
  const [one, other] = [a.tsval, b.tsval];
  const stamped = one !== undefined && other !== undefined;
  const named = keepsIds && Boolean(a.ipId) && Boolean(b.ipId);
  if (named && a.ipId !== b.ipId) return 'other';
  if (stamped && one === other) return 'same';
  // A firewall that writes its own stamps leaves nothing to compare.
  if (stamped && !(a.flags & FLAG.syn) && Math.abs(distance(one, other)) < ONE_CLOCK) return 'other';
  return named && !stamped ? 'same' : 'unknown';
}

type Likeness = 'same' | 'other' | 'unknown';

/** Some firewalls renew the IP identification: then it says nothing. */
export function areIdsKept(sent: readonly Item[], came: ReadonlyMap<string, readonly Item[]>): boolean {
  let balance = 0;
  for (const [name, group] of groupsOf(sent)) {
    const [item, ...more] = group;
    const [other, ...others] = came.get(name) ?? [];
    if (!item?.passage.ipId || !other?.passage.ipId || more.length + others.length > 0) continue;
    balance += item.passage.ipId === other.passage.ipId ? 1 : -1;
  }
  return balance > 0;
}

export function groupsOf(items: readonly Item[]): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const name = nameOf(item);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}

/** A reset may get another number on its way; it is one all the same. */
function nameOf({ passage: { flags, length }, start }: Item): string {
  return flags & FLAG.rst ? 'reset' : `${start} ${length} ${flags & (FLAG.syn | FLAG.fin)}`;
}

function hasSameStamp({ passage: a }: Item, { passage: b }: Item): boolean {
  return a.tsval !== undefined && a.tsval === b.tsval;
}

function hasSameId({ passage: a }: Item, { passage: b }: Item): boolean {
  return Boolean(a.ipId) && a.ipId === b.ipId;
}

/** Ticks: half an hour of milliseconds. Two clocks that began at random are farther apart, all but certainly. */
const ONE_CLOCK = 2_000_000;
