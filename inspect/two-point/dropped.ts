// Dropped between two points: sent at one, and not at the other, whose receiver does not have it either.

import type { Direction, Evidence, Micros, Point, VerdictEvent } from '../events';
import { FLAG } from '../tcp/segment';
import { EVIDENCE, PASSING, REORDERING, RESENT } from '../verdict/thresholds';
import type { Copy, Fate } from './fate';
import type { Item } from './twins';
import { atPoint } from './clock';
import {
  admitAtPoints,
  type Case,
  evidenceOf,
  isCovered,
  isTimed,
  OF_ABSENCE,
  OF_SHOWN_ABSENCE,
  passageEvidence,
  type Points,
  type PointsFinding,
} from './evidence';
import { seconds, times } from '../verdict/words';
import type { Passage, Trace } from './trace';

type Dropped = Extract<Fate, { kind: 'dropped' }>;

/**
 * Octets that were sent at one point and never, or only later, came to the other. What makes up a reset takes away what set
 * it off: a single copy that is missing where there is such a `reset` is no second finding.
 */
export function judgeDropped(state: Case, from: Direction, reset: boolean): VerdictEvent[] {
  const starts = new Map<number, Dropped[]>();
  for (const fate of state.fates) {
    if (fate.kind !== 'dropped' || fate.sent.passage.from !== from) continue;
    starts.set(fate.sent.start, [...(starts.get(fate.sent.start) ?? []), fate]);
  }
  const losses = [...starts.values()].sort(([a], [b]) => (a?.sent.start ?? 0) - (b?.sent.start ?? 0));
  const verdicts = losses
    .filter(([first, ...more]) => !reset || first?.by || more.length > 0)
    .flatMap((lost) => tellDropped(state, from, lost));
  const [first, ...rest] = verdicts.filter(({ verdict }) => verdict === 'segment-dropped');
  if (!first || rest.length === 0) return verdicts;
  // One cause, one verdict: the first of them, and how many fared the same.
  const proved = [first, ...rest].filter(({ certainty }) => certainty === first.certainty).length - 1;
  const more = proved === 1 ? 'was one segment' : `were ${proved} segments`;
  const summary = proved === 0 ? first.summary : `${first.summary} So ${more} more of the ${from}.`;
  const evidence = [first, ...rest].flatMap((each) => each.evidence).slice(0, EVIDENCE);
  const joined: VerdictEvent = { ...first, summary, evidence };
  return [...verdicts.filter(({ verdict }) => verdict !== 'segment-dropped'), joined];
}

/** `lost`: copies of the same octets. */
function tellDropped(state: Case, from: Direction, lost: readonly Dropped[]): VerdictEvent[] {
  const [first, ...more] = lost;
  if (!first) return [];
  const { points, pair } = state;
  const { sent, by } = first;
  const [sender, receiver] = from === 'client' ? (['wan', 'dmz'] as const) : (['dmz', 'wan'] as const);
  if (!first.settled && !hasRun(receiver, first, points)) return [];
  if (isBehindReset(receiver, sent, pair[receiver], points)) return [];
  const shown = lost.some((each) => each.shown !== 'silence');
  if (!shown && more.length === 0) return [];
  const name = nameOfLoss(state, from, sent.start);
  if (!name) return [];
  const octets = sent.passage.length;
  const held = by && heldFor(first, by, pair[sender], points);
  const finding: PointsFinding = {
    at: sent.at,
    verdict: name,
    worth: shown || lost.length >= SILENT ? 'proved' : 'suspected',
    premises: lost.some((each) => each.shown === 'number' || each.shown === 'answer')
      ? OF_SHOWN_ABSENCE
      : OF_ABSENCE,
    summary: summaryOf(`${SUBJECT[name]} (${octets} octets)`, lost, from, held),
    missingBytes: octets,
    came: by ? 'late' : 'never',
    ...(held !== undefined && { held }),
    evidence: dropEvidence(state, lost, receiver),
  };
  return admitAtPoints(finding, [pair[receiver].coverage]);
}

function summaryOf(
  subject: string,
  lost: readonly Dropped[],
  from: Direction,
  held: Micros | undefined,
): string {
  const [here, there] = from === 'client' ? ['outside', 'inside'] : ['inside', 'outside'];
  const by = lost[0]?.by;
  const sent = `${subject} was sent ${times(lost.length + (by ? 1 : 0))} ${here}`;
  if (by) {
    const late = held === undefined ? '' : `; it came ${seconds(held)} s after it was first sent`;
    const those = lost.length === 1 ? 'that copy was' : 'those copies were';
    return `${sent}, and ${times(lost.length)} it did not come ${there}: ${those} dropped between the two points${late}.`;
  }
  const [first, last] = [lost[0]?.sent.at ?? 0, lost[lost.length - 1]?.sent.at ?? 0];
  const span = lost.length > 1 ? ` in ${seconds(last - first)} s` : '';
  return `${sent}${span} and came ${there} not once: it was dropped between the two points.`;
}

/** Absent where a clock was set meanwhile, or where an earlier copy may have been missed at the sender's own point. */
function heldFor({ sent }: Dropped, { came }: Copy, sender: Trace, points: Points): Micros | undefined {
  const held = came.at - sent.at;
  return held > 0 && isFirst(sent.passage, sender) && isTimed(sent, came, points.clocks) ? held : undefined;
}

/**
 * Its sender's next number was still this one, and since then no segment of it was missed here; or no time went by in which
 * it could have been sent before, as what is sent again waits longer.
 */
function isFirst({ from, at, nth, seq, since }: Passage, { acks }: Trace): boolean {
  return acks[from].some(
    (each) => each.next === seq && each.nth < nth && (each.nth >= since || at - each.at < RESENT),
  );
}

/** Behind what was kept of a long connection, or behind a reset, nothing can be missed. */
function isBehindReset(
  point: Point,
  item: Item,
  { until = Infinity, passages }: Trace,
  points: Points,
): boolean {
  const end = Math.min(until, passages.find(({ flags }) => flags & FLAG.rst)?.at ?? Infinity);
  const { at, slack } = atPoint(point, item, points.clocks);
  return at + slack > end;
}

/**
 * The other capture ran when it should have come. Where a later copy came, the earlier one would have been there before it;
 * where none came, the clock was not set meanwhile.
 */
function hasRun(point: Point, { sent, by, shown }: Dropped, points: Points): boolean {
  if (!isCovered(point, sent, points, by ? REORDERING : PASSING)) return false;
  const isTimeless = points.together === true || by !== undefined || shown === 'number';
  return isTimeless || points.clocks.isSteady(sent.at, sent.at + PASSING, PASSING / 2);
}

/** Absent if the capture began mid-stream: then it is not known whether it was the first. */
function nameOfLoss({ pair, fates }: Case, from: Direction, start: number): keyof typeof SUBJECT | undefined {
  const isKnown = (pair.wan.base[from] ?? pair.dmz.base[from]) !== undefined;
  if (isKnown && start === 0) return from === 'client' ? 'ehlo-dropped' : 'greeting-lost';
  const isLater = fates.some(
    (fate) =>
      fate.kind !== 'appeared' &&
      fate.sent.passage.from === from &&
      fate.sent.passage.length > 0 &&
      fate.sent.end <= start,
  );
  return isKnown || isLater ? 'segment-dropped' : undefined;
}

function dropEvidence({ pair, points }: Case, lost: readonly Dropped[], receiver: Point): Evidence[] {
  const rows = lost
    .slice(0, EVIDENCE - 3)
    .map(({ sent }, i) => evidenceOf(sent, `copy ${i + 1}: not at the other point`));
  const [first] = lost;
  if (first?.by) {
    const copy = `copy ${lost.length + 1}`;
    rows.push(
      evidenceOf(first.by.sent, `${copy}: at both points`),
      evidenceOf(first.by.came, `${copy}, come through`),
    );
  }
  // What else passed there meanwhile shows that the capture ran.
  const due = first ? atPoint(receiver, first.sent, points.clocks).at : Infinity;
  const alive = pair[receiver].passages.find(({ at }) => at > due + PASSING);
  if (alive) rows.push(passageEvidence(pair, receiver, alive, 'the capture there ran: this passed later'));
  return rows;
}

const SUBJECT = {
  'ehlo-dropped': 'The first command (EHLO)',
  'greeting-lost': 'The greeting',
  'segment-dropped': 'A segment',
} as const;
/** Copies whose absence proves it where the receiver says nothing: no capture misses so many, and all answers to them. */
const SILENT = 3;
