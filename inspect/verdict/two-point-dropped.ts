// Dropped between two points: sent at one, and not at the other, whose receiver does not have it either.

import type { Direction, Evidence, Micros, Point, VerdictEvent } from '../events';
import { FLAG } from '../tcp/segment';
import { EVIDENCE, PASSING, REORDERING } from './thresholds';
import type { Fate } from './two-point-align';
import {
  type Case,
  edgeWords,
  evidenceOf,
  isCovered,
  OF_ABSENCE,
  passageEvidence,
  verdictsOf,
} from './two-point-telling';
import { seconds, times } from './words';
import type { Trace } from './two-point-trace';

type Dropped = Extract<Fate, { kind: 'dropped' }>;

/** Octets that were sent at one point and never, or only later, came to the other. */
export function judgeDropped(state: Case, from: Direction): VerdictEvent[] {
  const lost = state.fates.filter(
    (fate): fate is Dropped =>
      fate.kind === 'dropped' && fate.sent.passage.from === from && fate.sent.passage.length > 0,
  );
  const starts = [...new Set(lost.map(({ sent }) => sent.start))].sort((a, b) => a - b);
  const verdicts = starts.slice(0, DROPS).flatMap((start) => tellDropped(state, from, start));
  const [first, ...rest] = verdicts.filter(({ verdict }) => verdict === 'segment-dropped');
  if (!first || rest.length === 0) return verdicts;
  // One trouble, one verdict: the first of them, and how many fared the same.
  const more = starts.length - verdicts.indexOf(first) - 1;
  const summary = `${first.summary} So ${more === 1 ? 'was one segment' : `were ${more} segments`} more of the ${from}.`;
  const evidence = [first, ...rest].flatMap((each) => each.evidence).slice(0, EVIDENCE);
  const certainty = [first, ...rest].some((each) => each.certainty === 'proved') ? 'proved' : 'suspected';
  const joined: VerdictEvent = { ...first, summary, evidence, certainty };
  return [...verdicts.filter(({ verdict }) => verdict !== 'segment-dropped'), joined];
}

function tellDropped(state: Case, from: Direction, start: number): VerdictEvent[] {
  const { fates, points, pair } = state;
  const own = fates.filter(
    (fate) => fate.kind !== 'appeared' && fate.sent.passage.from === from && fate.sent.start === start,
  ) as Exclude<Fate, { kind: 'appeared' }>[];
  const copies = own.filter(({ sent }) => sent.passage.length > 0);
  const lost = copies.filter(({ kind }) => kind === 'dropped').map(({ sent }) => sent);
  const came = copies.find((fate) => fate.kind === 'passed' || fate.kind === 'recut');
  const [first] = lost;
  const [receiver, trace] = from === 'client' ? (['dmz', pair.dmz] as const) : (['wan', pair.wan] as const);
  // Behind what was kept of a long connection, or behind a reset, nothing can be missed.
  const shift = (at: Micros): Micros => (receiver === 'dmz' ? points.clocks.atWan(at).micros : 0);
  const kept = lost.filter(({ at }) => at + shift(at) <= endOf(trace));
  if (!first || kept.length === 0) return [];
  // Where a later copy came, the earlier one would have been there before it.
  const margin = came ? REORDERING : PASSING;
  const covered = kept.some(({ at }) => isCovered(receiver, at, points, margin));
  // Near the end of the other capture one copy says nothing; that it was sent again says that it got lost somewhere.
  if (!covered && copies.length < 2) return [];
  const name = nameOfLoss(state, from, start);
  const timed = came?.kind === 'passed' && points.clocks.steps === 0;
  const held = timed ? came.came.at - first.at : undefined;
  const last = copies[copies.length - 1]?.sent ?? first;
  const octets = first.passage.length;
  const [here, there] = from === 'client' ? ['outside', 'inside'] : ['inside', 'outside'];
  const sent = `${SUBJECT[name]} (${octets} octets) was sent ${times(copies.length)} ${here}`;
  const summary =
    held === undefined && !came
      ? `${sent}${copies.length > 1 ? ` in ${seconds(last.at - first.at)} s` : ''} and came ${there} not once: it was dropped between the two points.`
      : `${sent}, and ${times(lost.length)} it did not come ${there}: ${lost.length === 1 ? 'that copy was' : 'those copies were'} dropped between the two points${held === undefined ? '' : `; it came ${seconds(held)} s after it was first sent`}.`;
  const facts = {
    worth: covered ? ('proved' as const) : ('suspected' as const),
    premises: OF_ABSENCE,
    summary: covered ? summary : `${summary} ${edgeWords(receiver)}`,
    missingBytes: octets,
    came: came ? ('late' as const) : ('never' as const),
    ...(held !== undefined && { held }),
    evidence: dropEvidence(state, copies, receiver, first.at),
  };
  return verdictsOf(name, first.at, facts, [trace.coverage]);
}

/** Until when a point has this connection, by its own clock. */
function endOf({ until = Infinity, passages }: Trace): Micros {
  return Math.min(until, passages.find(({ flags }) => flags & FLAG.rst)?.at ?? Infinity);
}

function nameOfLoss({ pair }: Case, from: Direction, start: number): keyof typeof SUBJECT {
  // Mid-stream nobody knows what was the first.
  const first = start === 0 && (pair.wan.base[from] ?? pair.dmz.base[from]) !== undefined;
  return !first ? 'segment-dropped' : from === 'client' ? 'ehlo-dropped' : 'greeting-lost';
}

function dropEvidence(
  { pair, points }: Case,
  copies: readonly Exclude<Fate, { kind: 'appeared' }>[],
  receiver: Point,
  firstAt: Micros,
): Evidence[] {
  const rows = copies.slice(0, EVIDENCE - 2).map((fate, i) => {
    const note = fate.kind === 'dropped' ? 'not at the other point' : 'at both points';
    return evidenceOf(fate.sent, `copy ${i + 1}: ${note}`);
  });
  const last = copies[copies.length - 1];
  if (last?.kind === 'passed') rows.push(evidenceOf(last.came, `copy ${copies.length}, come through`));
  // What else passed there meanwhile shows that the capture ran.
  const shift = (at: Micros): Micros => (receiver === 'dmz' ? points.clocks.atDmz(at).micros : 0);
  const alive = pair[receiver].passages.find(({ at }) => at - shift(at) > firstAt + PASSING);
  if (alive) {
    rows.push(passageEvidence(pair, receiver, alive, 'the capture there ran: this passed later'));
  }
  return rows;
}

const SUBJECT = {
  'ehlo-dropped': 'The first command (EHLO)',
  'greeting-lost': 'The greeting',
  'segment-dropped': 'A segment',
} as const;
/** Lost segments of one side that are looked at; more are the same trouble. */
const DROPS = 3;
