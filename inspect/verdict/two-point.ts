// Two points of one path: what one saw and the other did not is what lies between them. The verdicts on one connection.

import type { Certainty, Direction, Evidence, Micros, VerdictEvent, VerdictName } from '../events';
import { flagNames } from '../tcp/view';
import { FLAG } from '../tcp/segment';
import { EVIDENCE, HELD, PASSING } from './thresholds';
import { type Aligned, alignPair, type Fate, type Item, type Point } from './two-point-align';
import { handshakeSigns, type HandshakeSign } from './two-point-handshake';
import type { Pair } from './two-point-match';
import type { Passage, Trace } from './two-point-trace';

/** When a capture saw its first and last frame of whatever kind, by its own clock: what is known of when it ran. */
export interface Coverage {
  readonly from: Micros;
  readonly to: Micros;
}

export interface Points {
  readonly wan: Coverage;
  readonly dmz: Coverage;
  /** The dmz clock minus the wan clock, and how wrong it may be. */
  readonly offset: Micros;
  readonly slack: Micros;
  /** What a segment usually takes from point to point, by its sender. */
  readonly usual: Readonly<Record<Direction, Micros>>;
  /** Somebody vouches that both captures ran all the time. */
  readonly together?: boolean;
}

export interface PairJudgement {
  readonly pair: Pair;
  readonly aligned: Aligned;
  readonly signs: readonly HandshakeSign[];
  /** Two TCPs, joined by somebody between the points: segments cannot be compared. */
  readonly terminated: boolean;
  readonly verdicts: readonly VerdictEvent[];
}

export function judgePair(pair: Pair, points: Points): PairJudgement {
  const { wan, dmz } = pair;
  const aligned = alignPair(wan, dmz, points.offset, points.slack);
  const signs = handshakeSigns(wan, dmz, points.offset, points.slack);
  const terminated = signs.length >= 2 && signs.some(({ strong }) => strong);
  const state: Case = { pair, points, fates: terminated ? [] : aligned.fates };
  const stripped = judgeStripped(state);
  const verdicts = [
    ...judgeTerminated(state, signs),
    ...(terminated ? judgeSwallowed(state) : []),
    ...(['client', 'server'] as const).flatMap((from) => judgeDropped(state, from)),
    ...judgeHeld(state),
    ...judgeAltered(state, stripped.length > 0),
    ...stripped,
    ...(['client', 'server'] as const).flatMap((from) => judgeReset(state, from)),
  ];
  return { pair, aligned, signs, terminated, verdicts: verdicts.sort((a, b) => a.at - b.at) };
}

/** Whether a capture was running when something at this time (common clock) should have been in it. */
export function isCovered(point: Point, at: Micros, points: Points): boolean {
  if (points.together) return true;
  const { from, to } = points[point];
  const shift = point === 'dmz' ? points.offset : 0;
  return at + shift >= from && at + shift + PASSING <= to;
}

interface Case {
  readonly pair: Pair;
  readonly points: Points;
  readonly fates: readonly Fate[];
}

type Dropped = Extract<Fate, { kind: 'dropped' }>;

/** Octets that were sent at one point and never, or only later, came to the other. */
function judgeDropped(state: Case, from: Direction): VerdictEvent[] {
  const lost = state.fates.filter(
    (fate): fate is Dropped =>
      fate.kind === 'dropped' && fate.sent.passage.from === from && fate.sent.passage.length > 0,
  );
  const starts = [...new Set(lost.map(({ sent }) => sent.start))].sort((a, b) => a - b);
  return starts.slice(0, DROPS).flatMap((start) => tellDropped(state, from, start));
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
  const shift = receiver === 'dmz' ? points.offset : 0;
  const kept = lost.filter(({ at }) => at + shift <= endOf(trace));
  if (!first || kept.length === 0) return [];
  const covered = kept.some(({ at }) => isCovered(receiver, at, points));
  const name = nameOfLoss(state, from, start);
  const held = came && came.kind === 'passed' ? came.came.at - first.at : undefined;
  const last = copies[copies.length - 1]?.sent ?? first;
  const octets = first.passage.length;
  const [here, there] = from === 'client' ? ['outside', 'inside'] : ['inside', 'outside'];
  const sent = `${SUBJECT[name]} (${octets} octets) was sent ${times(copies.length)} ${here}`;
  const summary =
    held === undefined && !came
      ? `${sent}${copies.length > 1 ? ` in ${seconds(last.at - first.at)} s` : ''} and came ${there} not once: it was dropped between the two points.`
      : `${sent}, and ${times(lost.length)} it did not come ${there}: ${lost.length === 1 ? 'that copy was' : 'those copies were'} dropped between the two points${held === undefined ? '' : `; it came ${seconds(held)} s after it was first sent`}.`;
  return [
    verdictOf(name, first.at, covered ? 'proved' : 'suspected', {
      summary: covered ? summary : `${summary} ${edgeWords(receiver)}`,
      missingBytes: octets,
      ...(held !== undefined && { held }),
      evidence: dropEvidence(state, copies, receiver, first.at),
    }),
  ];
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
  const shift = receiver === 'dmz' ? points.offset : 0;
  const alive = pair[receiver].passages.find(({ at }) => at - shift > firstAt + PASSING);
  if (alive) {
    const item = { point: receiver, passage: alive, at: alive.at - shift, start: 0, end: 0 };
    rows.push(
      evidenceOf(
        { ...item, start: relative(pair, receiver, alive) },
        'the capture there ran: this passed later',
      ),
    );
  }
  return rows;
}

function judgeHeld({ fates, points }: Case): VerdictEvent[] {
  const hello = fates.find(
    (fate): fate is Extract<Fate, { kind: 'passed' }> =>
      fate.kind === 'passed' &&
      fate.sent.passage.from === 'client' &&
      fate.sent.start === 0 &&
      fate.sent.passage.length > 0,
  );
  if (!hello) return [];
  const held = hello.delay - points.usual.client;
  if (held < HELD) return [];
  return [
    verdictOf('ehlo-held', hello.came.at, hello.sure ? 'proved' : 'suspected', {
      summary:
        `The first command (EHLO) was held between the two points for ${ms(held)} ms: it took ${ms(hello.delay)} ms ` +
        `from outside to inside, where segments usually take ${ms(points.usual.client)} ms.`,
      held,
      evidence: [
        evidenceOf(hello.sent, 'where it was sent'),
        evidenceOf(hello.came, 'the same segment, come through'),
      ],
    }),
  ];
}

function judgeAltered({ fates }: Case, stripped: boolean): VerdictEvent[] {
  const all = fates.filter((fate): fate is Extract<Fate, { kind: 'changed' }> => fate.kind === 'changed');
  // An EHLO reply without STARTTLS has a verdict of its own.
  const changed = stripped ? all.filter(({ sent }) => sent.passage.from === 'client') : all;
  const [first] = changed;
  if (!first) return [];
  const { sent, came } = first;
  const length =
    sent.passage.length === came.passage.length
      ? `${sent.passage.length} octets`
      : `${sent.passage.length} octets where they were sent, ${came.passage.length} where they came`;
  return [
    verdictOf('ehlo-altered', came.at, 'proved', {
      summary:
        `Octets of the ${sent.passage.from} were changed between the two points: from octet ${sent.start + firstDifference(sent, came)} ` +
        `of its stream on they differ (${length}).`,
      evidence: changed
        .slice(0, EVIDENCE / 2)
        .flatMap((fate) => [
          evidenceOf(fate.sent, 'as it was sent'),
          evidenceOf(fate.came, 'as it came: other octets'),
        ]),
    }),
  ];
}

function judgeStripped({ pair, points }: Case): VerdictEvent[] {
  const { wan, dmz } = pair;
  if (!dmz.keywords?.includes(STARTTLS) || !wan.keywords || wan.keywords.includes(STARTTLS)) return [];
  const reply = wan.passages.filter(({ from, length }) => from === 'server' && length > 0)[1];
  const sent = dmz.passages.filter(({ from, length }) => from === 'server' && length > 0)[1];
  const shown: Evidence[] = [];
  if (sent)
    shown.push(passageEvidence(pair, 'dmz', sent, 'an answer of the server to EHLO: STARTTLS is in it'));
  if (reply)
    shown.push(passageEvidence(pair, 'wan', reply, 'the answer that went out: STARTTLS is not in it'));
  return [
    verdictOf('starttls-stripped', reply?.at ?? wan.started + points.usual.server, 'proved', {
      summary:
        'The server offers STARTTLS in its answer to EHLO, and outside the offer is gone: it was removed between the two points.',
      evidence: shown,
    }),
  ];
}

/** A reset in somebody's name that did not pass where that somebody is. */
function judgeReset({ fates, points }: Case, from: Direction): VerdictEvent[] {
  const forged = fates.find(
    (fate): fate is Extract<Fate, { kind: 'appeared' }> =>
      fate.kind === 'appeared' &&
      fate.came.passage.from === from &&
      (fate.came.passage.flags & FLAG.rst) !== 0,
  );
  if (!forged) return [];
  const sender: Point = from === 'client' ? 'wan' : 'dmz';
  const covered = isCovered(sender, forged.came.at, points);
  const where = forged.came.point === 'wan' ? 'outside' : 'inside';
  const summary = `A RST in the ${from}'s name was seen ${where} only: the ${from} did not send it, it was made between the two points.`;
  return [
    verdictOf('reset-injected', forged.came.at, covered ? 'proved' : 'suspected', {
      summary: covered ? summary : `${summary} ${edgeWords(sender)}`,
      evidence: [evidenceOf(forged.came, `not at the ${from}'s own side`)],
    }),
  ];
}

function judgeTerminated({ pair }: Case, signs: readonly HandshakeSign[]): VerdictEvent[] {
  const strong = signs.filter((sign) => sign.strong);
  // Options and windows alone are also what a firewall that tidies up rewrites.
  if (strong.length === 0) return [];
  const certainty: Certainty = signs.length >= 2 ? 'proved' : 'suspected';
  return [
    verdictOf('path-terminated', signs[0]?.outside.at ?? pair.wan.started, certainty, {
      summary: `Somebody between the two points speaks TCP for the others: ${signs.map(({ note }) => note).join('; ')}.`,
      evidence: signs
        .slice(0, EVIDENCE / 2)
        .flatMap(({ outside, inside, note }) => [
          passageEvidence(pair, 'wan', outside, note),
          passageEvidence(pair, 'dmz', inside, note),
        ]),
    }),
  ];
}

/** Behind a proxy the numbers say nothing, but the dialogue does. */
function judgeSwallowed({ pair, points }: Case): VerdictEvent[] {
  const { wan, dmz } = pair;
  const hello = wan.passages.find(({ from, length }) => from === 'client' && length > 0);
  const spoken = dmz.passages.some(({ from, length }) => from === 'client' && length > 0);
  if (wan.hellos === 0 || !hello || spoken) return [];
  const covered = isCovered('dmz', hello.at, points);
  return [
    verdictOf('ehlo-dropped', hello.at, covered ? 'proved' : 'suspected', {
      summary: `EHLO (${hello.length} octets) was said outside, and what speaks for the client inside said nothing.`,
      missingBytes: hello.length,
      evidence: [passageEvidence(pair, 'wan', hello, 'not at the other point')],
    }),
  ];
}

type Facts = Pick<VerdictEvent, 'summary' | 'evidence' | 'missingBytes' | 'held'>;

function verdictOf(verdict: VerdictName, at: Micros, certainty: Certainty, facts: Facts): VerdictEvent {
  return { kind: 'verdict', at, verdict, certainty, proof: 'two-point', ...facts };
}

/** `at` stays that of the point's own clock: so it is found in that point's file. */
export function evidenceOf({ point, passage, start }: Item, note: string): Evidence {
  const { at, from, length, flags, ttl, tsval } = passage;
  return {
    ...{ at, from, seq: start, length, flags: flagNames(flags), ttl },
    ...(tsval !== undefined && { tsval }),
    note: `${point === 'wan' ? 'outside' : 'inside'}: ${note}`,
  };
}

function passageEvidence(pair: Pair, point: Point, passage: Passage, note: string): Evidence {
  return evidenceOf({ point, passage, at: passage.at, start: relative(pair, point, passage), end: 0 }, note);
}

function relative(pair: Pair, point: Point, { from, seq }: Passage): number {
  const base = pair[point].base[from];
  return base === undefined ? 0 : (seq - base) | 0;
}

function firstDifference({ passage: a }: Item, { passage: b }: Item): number {
  const index = a.payload?.findIndex((octet, i) => b.payload?.[i] !== octet) ?? 0;
  return Math.max(0, index);
}

function edgeWords(point: Point): string {
  const where = point === 'dmz' ? 'inside' : 'outside';
  return `The capture ${where} has nothing later by which one could tell that it was still running.`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

function seconds(micros: Micros): string {
  return (micros / 1e6).toFixed(1);
}

function ms(micros: Micros): number {
  return Math.round(micros / 1000);
}

const STARTTLS = 'STARTTLS';
const SUBJECT = {
  'ehlo-dropped': 'The first command (EHLO)',
  'greeting-lost': 'The greeting',
  'segment-dropped': 'A segment',
} as const;
/** Lost segments of one side that get a verdict each; more are the same trouble. */
const DROPS = 3;
