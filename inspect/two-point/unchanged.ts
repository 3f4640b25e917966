// Whether all of a connection passed two points unchanged, segment by segment: then nothing is to be said of what lies between.

import type { Direction, Micros } from '../events';
import { FLAG } from '../tcp/segment';
import { distance } from '../tcp/seq';
import { REMARKABLE } from '../verdict/thresholds';
import type { ClockSample, Clocks, Offset } from './clock';
import { handshakeSigns } from './handshake';
import type { Passage, Trace } from './trace';

/**
 * By how much the two clocks differ, by the segment of each direction that bounds it best; absent where anything differs,
 * took long, or is to be judged with both clocks known. Of what this lets through no judge of two points says anything.
 */
export function unchangedSamples(wan: Trace, dmz: Trace): readonly ClockSample[] | undefined {
  if (wan.verdicts.length + dmz.verdicts.length > 0) return undefined;
  if (wan.keywords?.join() !== dmz.keywords?.join()) return undefined;
  const inward = compare(wan, dmz, 'client');
  const outward = inward && compare(wan, dmz, 'server');
  if (!inward || !outward) return undefined;
  // What one direction took at the most, if the other's fastest took no time at all.
  const late = Math.max(inward.most - outward.most, inward.least - outward.least);
  if (late > REMARKABLE || handshakeSigns(wan, dmz, UNKNOWN).some(({ strong }) => strong)) return undefined;
  return [
    { at: inward.leastAt, difference: inward.least, from: 'client' },
    { at: outward.mostAt, difference: outward.most, from: 'server' },
  ];
}

/** The dmz clock minus the wan clock when the same segment passed: at least and at most, and when by the wan clock. */
interface Differences {
  readonly least: Micros;
  readonly leastAt: Micros;
  readonly most: Micros;
  readonly mostAt: Micros;
}

function compare(wan: Trace, dmz: Trace, from: Direction): Differences | undefined {
  const [outside, inside] = [wan.base[from], dmz.base[from]];
  if (outside === undefined || inside === undefined) return undefined;
  const [these, those] = [wan, dmz].map(({ passages }) => passages.filter((each) => each.from === from));
  if (!these || !those || !isAsMuch(wan, dmz, these.length, those.length)) return undefined;
  let [least, leastAt, most, mostAt] = [Infinity, 0, -Infinity, 0];
  for (let i = 0; i < these.length && i < those.length; i += 1) {
    const [one, other] = [these[i], those[i]];
    if (!one || !other || distance(outside, one.seq) !== distance(inside, other.seq)) return undefined;
    if (!isSame(one, other)) return undefined;
    const difference = other.at - one.at;
    if (difference < least) [least, leastAt] = [difference, one.at];
    if (difference > most) [most, mostAt] = [difference, one.at];
  }
  return least === Infinity ? undefined : { least, leastAt, most, mostAt };
}

/** Of a long connection only the beginning is kept, which ends a little apart where the two directions cross. */
function isAsMuch(wan: Trace, dmz: Trace, these: number, those: number): boolean {
  const apart = Math.abs(these - those);
  return wan.until === undefined || dmz.until === undefined
    ? wan.until === dmz.until && apart === 0
    : apart <= CROSSING;
}

/** The same packet: its timestamp is the same too, or, where it has none, its sequence number. */
function isSame(a: Passage, b: Passage): boolean {
  if ((a.flags & CONTROL) !== (b.flags & CONTROL) || a.length !== b.length || a.tsval !== b.tsval)
    return false;
  if (a.tsval === undefined && a.seq !== b.seq) return false;
  const [one, other] = [a.payload, b.payload];
  if (one === undefined || other === undefined) return one === other;
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) return false;
  return true;
}

/** Segments that are under way between two points at a time. */
const CROSSING = 40;
const CONTROL = FLAG.syn | FLAG.fin | FLAG.rst;
/** The order of the two handshakes needs no clock: the same answer is behind the same question. */
const NEVER: Offset = { micros: 0, slack: Infinity, bounded: false };
const UNKNOWN: Clocks = {
  atWan: () => NEVER,
  atDmz: () => NEVER,
  isSteady: () => false,
  steps: 0,
  drift: undefined,
};
