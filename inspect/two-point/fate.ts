// What became of a segment between the points. One that is absent at the other point was dropped between them only where its
// receiver shows that it does not have it.
//
// A capture that missed a segment, or did not run, looks the same as a path that dropped it. But what the receiver acknowledges
// stands in its own segments, and those are there.

import type { Micros } from '../events';
import { FLAG } from '../tcp/segment';
import { distance, type Seq } from '../tcp/seq';
import { DELAYED_ACK, REORDERING, reorderingTime, RESENT } from '../verdict/thresholds';
import type { Item } from './twins';
import type { Moment } from './clock';
import type { Acknowledgement } from './trace';

/** What became of a segment. */
export type Fate =
  /** At both points; `sure` where its stamp or its IP identification says which copy it is. */
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
  /**
   * At its sender's point and not at the other, and its receiver shows that it has it not, or had it only by the later copy
   * `by`. `settled`: nor did it come behind that one.
   */
  | {
      readonly kind: 'dropped';
      readonly sent: Item;
      readonly by: Copy | undefined;
      readonly shown: Shown;
      readonly settled: boolean;
    }
  /** The same, but the receiver has it: the other capture missed it, or it came in vain. */
  | { readonly kind: 'missed'; readonly sent: Item }
  /** The same, and nothing shows what became of it. */
  | { readonly kind: 'absent'; readonly sent: Item }
  /** At the receiver's point only. */
  | { readonly kind: 'appeared'; readonly came: Item };

/** By what: that its receiver lacks it when it should have come, or when what was sent later came; that it answers a copy only, or none. */
type Shown = 'number' | 'overtaken' | 'answer' | 'silence';

/** One segment at both points. */
export interface Copy {
  readonly sent: Item;
  readonly came: Item;
  readonly sure: boolean;
}

/** An acknowledgement, numbered like what it acknowledges. */
interface Heard extends Pick<Acknowledgement, 'at' | 'nth' | 'last'> {
  readonly end: number;
}

export interface Receiver {
  /** What it acknowledged, as its own point saw it, and as the sender's point did. */
  readonly atReceiver: readonly Heard[];
  readonly atSender: readonly Heard[];
  /** Octets that it says it got twice. */
  readonly twice: readonly (readonly [start: number, end: number])[];
  /** What came to its point, in the order of that capture, and what of it has a twin. */
  readonly came: readonly Item[];
  readonly pairs: readonly Copy[];
  /** When a segment should have come to its point, by that one's clock. */
  readonly arrival: (item: Item) => Moment;
}

export function heardOf(acks: readonly Acknowledgement[], base: Seq): Heard[] {
  return acks.map(({ at, nth, last, ack }) => ({ at, nth, last, end: distance(base, ack) }));
}

export function fateOfAbsent(item: Item, receiver: Receiver): Fate {
  const { passage } = item;
  const absent: Fate = { kind: 'absent', sent: item };
  if (passage.length === 0 || passage.flags & (FLAG.syn | FLAG.rst)) return absent;
  const all = completedAt(item, receiver.came);
  const has = receiver.atReceiver.find(({ end }) => end >= item.end);
  // Its receiver has it before all of it came by: it came by unseen. Or it had it before this was sent.
  if (has && (all === undefined || has.nth < all.passage.nth)) return { kind: 'missed', sent: item };
  if (receiver.atSender.some(({ end, nth }) => end >= item.end && nth < passage.nth))
    return { kind: 'missed', sent: item };
  if (receiver.twice.some(([start, end]) => start < item.end && end > item.start)) return absent;
  const by = receiver.pairs.find(({ came }) => came === all);
  // What came in its place may be older than it, or be it.
  if (all && !(by?.sure && by.sent.passage.nth > passage.nth)) return absent;
  const shown = shownBy(item, receiver, all, has, by);
  return shown ? { kind: 'dropped', sent: item, by, shown, settled: isSettled(item, by, receiver) } : absent;
}

function shownBy(
  item: Item,
  receiver: Receiver,
  all: Item | undefined,
  has: Heard | undefined,
  by: Copy | undefined,
): Shown | undefined {
  if (lacksLater(item, receiver, all)) return 'number';
  if (isOvertaken(item, receiver, all)) return 'overtaken';
  if (by && has && isAnswered(item, by, has, receiver)) return 'answer';
  return !all && isUnanswered(item, receiver) ? 'silence' : undefined;
}

/** What was sent later came, and so did more, for longer than a path may overtake. */
function isSettled(
  { end, passage: { nth } }: Item,
  by: Copy | undefined,
  { atSender, pairs }: Receiver,
): boolean {
  const heard = by && atSender.find((each) => each.end >= end);
  if (!heard) return false;
  const patience = reorderingTime(heard.at - by.sent.passage.at);
  const later = pairs
    .filter(({ sent, sure }) => sure && sent.passage.nth > nth)
    .map(({ came }) => came.passage);
  const since = Math.min(...later.map(({ at }) => at));
  return later.some((each) => each.nth > by.came.passage.nth && each.at - since >= patience);
}

/** With this the last of its octets came to the receiver's point; absent where they did not all come. */
function completedAt({ start, end }: Item, came: readonly Item[]): Item | undefined {
  const missing = new Set<Item>();
  const spans = came.filter((each) => each.start < end && each.end > start);
  for (const item of spans) {
    missing.add(item);
    let next = start;
    for (const each of [...missing].sort((a, b) => a.start - b.start)) {
      if (each.start <= next && each.end > next) next = each.end;
    }
    if (next >= end) return item;
  }
  return undefined;
}

/** The octet that the receiver waits for is one of these. */
function lacks({ start, end: last }: Item, { end }: Heard): boolean {
  return end >= start && end < last;
}

/** It still lacks it when it should have come. */
function lacksLater(item: Item, { atReceiver, arrival }: Receiver, all: Item | undefined): boolean {
  const { at, slack, bounded } = arrival(item);
  if (!bounded) return false;
  return atReceiver.some(
    (heard) =>
      lacks(item, heard) &&
      heard.last.at > at + slack + REORDERING &&
      (!all || heard.last.nth < all.passage.nth),
  );
}

/** It still lacks it when what was sent later has come. */
function isOvertaken(item: Item, { atReceiver, pairs }: Receiver, all: Item | undefined): boolean {
  const later = pairs.filter(
    ({ sent, came, sure }) => sure && sent.passage.nth > item.passage.nth && came !== all,
  );
  return atReceiver.some(
    (heard) => lacks(item, heard) && later.some(({ came }) => came.passage.nth < heard.last.nth),
  );
}

/** Its retransmission is answered at once, and nothing before is: an answer to it would have come before that was sent. */
function isAnswered(item: Item, by: Copy, has: Heard, { atReceiver, atSender }: Receiver): boolean {
  const before = atReceiver[atReceiver.indexOf(has) - 1];
  const wait: Micros = has.at - by.came.passage.at;
  return (
    by.sent.passage.at - item.passage.at >= RESENT &&
    wait >= 0 &&
    wait <= DELAYED_ACK &&
    before !== undefined &&
    lacks(item, before) &&
    !atSender.some(({ end, nth }) => end >= item.end && nth < by.sent.passage.nth)
  );
}

/** The last that is known of the receiver at either point is that it lacks it. */
function isUnanswered(item: Item, { atReceiver, atSender }: Receiver): boolean {
  const [here, there] = [atReceiver[atReceiver.length - 1], atSender[atSender.length - 1]];
  return here !== undefined && lacks(item, here) && (there === undefined || there.end < item.end);
}
