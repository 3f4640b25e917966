// Two points of one path: what one saw and the other did not is what lies between them. The verdicts on one connection.

import type { Premises } from '../coverage/finding';
import type { Evidence, VerdictEvent } from '../events';
import { EVIDENCE, HELD } from '../verdict/thresholds';
import { type Aligned, alignPair, firstDifference } from './align';
import type { Fate } from './fate';
import { judgeDropped } from './dropped';
import { onCommonClock } from './clock';
import { handshakeSigns, type HandshakeSign } from './handshake';
import type { Pair } from './match';
import { judgeReset } from './reset';
import {
  admitAtPoints,
  type Case,
  evidenceOf,
  isCovered,
  isHello,
  isTimed,
  type Passed,
  passageEvidence,
  type Points,
  type PointsFinding,
} from './evidence';
import { milliseconds } from '../verdict/words';

export interface PairJudgement {
  readonly pair: Pair;
  readonly aligned: Aligned;
  readonly signs: readonly HandshakeSign[];
  /** Two TCPs, joined by a proxy between the points: segments cannot be compared. */
  readonly terminated: boolean;
  readonly verdicts: readonly VerdictEvent[];
}

export function judgePair(pair: Pair, points: Points): PairJudgement {
  const { wan, dmz } = pair;
  const aligned = alignPair(wan, dmz, points.clocks);
  const signs = handshakeSigns(wan, dmz, points.clocks);
  const terminated = signs.length >= 2 && signs.some(({ strong }) => strong);
  const state: Case = { pair, points, fates: terminated ? [] : aligned.fates };
  const held = judgeHeld(state);
  const resets = judgeReset(state);
  const own = [
    ...judgeTerminated(state, signs),
    ...(terminated ? judgeSwallowed(state) : []),
    ...DIRECTIONS.flatMap((from) => judgeDropped(state, from, resets.length > 0)).filter(
      // What holds EHLO holds its copies too: one cause, one verdict.
      ({ verdict }) => verdict !== 'ehlo-dropped' || held.length === 0,
    ),
    ...held,
    ...judgeAltered(state),
    ...judgeStripped(state),
    ...resets,
  ];
  // Where nothing happened between the points, what each end did by itself is reported.
  const verdicts = own.length > 0 ? own : [...wan.verdicts, ...dmz.verdicts];
  return { pair, aligned, signs, terminated, verdicts: [...verdicts].sort((a, b) => a.at - b.at) };
}

function judgeHeld({ fates, points, pair }: Case): VerdictEvent[] {
  const hello = fates.find((fate): fate is Passed => fate.kind === 'passed' && isHello(fate));
  if (!hello) return [];
  const held = hello.delay - points.usual.client;
  if (held < HELD) return [];
  // Of several copies it may be another; and where a clock was set meanwhile it may be the clock.
  if (!hello.sure || !isTimed(hello.sent, hello.came, points.clocks)) return [];
  const sure = held - Math.max(hello.came.slack, hello.sent.slack) >= HELD;
  const finding: PointsFinding = {
    at: hello.came.at,
    verdict: 'ehlo-held',
    worth: sure ? 'proved' : 'suspected',
    premises: OF_PASSING,
    summary:
      `The first command (EHLO) was held between the two points for ${milliseconds(held)} ms: it took ${milliseconds(hello.delay)} ms ` +
      `from outside to inside, where segments usually take ${milliseconds(points.usual.client)} ms.`,
    held,
    evidence: [
      evidenceOf(hello.sent, 'where it was sent'),
      evidenceOf(hello.came, 'the same segment, come through'),
    ],
  };
  return admitAtPoints(finding, [pair.wan.coverage, pair.dmz.coverage]);
}

function judgeAltered({ fates, pair }: Case): VerdictEvent[] {
  const { wan, dmz } = pair;
  const all = fates.filter((fate): fate is Extract<Fate, { kind: 'changed' }> => fate.kind === 'changed');
  // An EHLO reply without STARTTLS has its own verdict, and where the reply was not read at both points it may be one.
  const [these, those] = [wan, dmz].map(({ keywords }) => keywords && keywords.includes(STARTTLS));
  const named = these !== undefined && those !== undefined && (these || !those) && isInOrder(pair);
  const changed = all.filter(({ sent }) => named || sent.passage.from === 'client' || sent.start === 0);
  const [first] = changed;
  if (!first) return [];
  const { sent, came } = first;
  const length =
    sent.passage.length === came.passage.length
      ? `${sent.passage.length} octets`
      : `${sent.passage.length} octets where they were sent, ${came.passage.length} where they came`;
  const finding: PointsFinding = {
    at: came.at,
    verdict: 'ehlo-altered',
    worth: 'proved',
    premises: OF_PASSING,
    summary:
      `Octets of the ${sent.passage.from} were changed between the two points: from octet ${sent.start + (firstDifference(sent.passage, came.passage) ?? 0)} ` +
      `of its stream on they differ (${length}).`,
    evidence: changed
      .slice(0, EVIDENCE / 2)
      .flatMap((fate) => [
        evidenceOf(fate.sent, 'as it was sent'),
        evidenceOf(fate.came, 'as it came: other octets'),
      ]),
  };
  return admitAtPoints(finding, [pair.wan.coverage, pair.dmz.coverage]);
}

/** Out of order a line may be read as the answer to another command. */
function isInOrder({ wan, dmz }: Pair): boolean {
  return [wan, dmz].every(({ coverage: { client, server } }) => client.disordered + server.disordered === 0);
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
  const at = reply?.at ?? wan.started + points.usual.server;
  const finding: PointsFinding = {
    at,
    verdict: 'starttls-stripped',
    worth: 'proved',
    premises: OF_REPLY,
    summary:
      'The server offers STARTTLS in its answer to EHLO, and outside the offer is gone: it was removed between the two points.',
    evidence: shown,
  };
  return admitAtPoints(finding, [wan.coverage, dmz.coverage]);
}

function judgeTerminated({ pair }: Case, signs: readonly HandshakeSign[]): VerdictEvent[] {
  const strong = signs.filter((sign) => sign.strong);
  // Options and windows alone are also what a firewall that tidies up rewrites.
  if (strong.length === 0) return [];
  const at = signs[0]?.outside.at ?? pair.wan.started;
  const finding: PointsFinding = {
    at,
    verdict: 'path-terminated',
    worth: signs.length >= 2 ? 'proved' : 'suspected',
    premises: OF_HANDSHAKE,
    summary: `A device between the two points speaks TCP for the endpoints: ${signs.map(({ note }) => note).join('; ')}.`,
    evidence: signs
      .slice(0, EVIDENCE / 2)
      .flatMap(({ outside, inside, note }) => [
        passageEvidence(pair, 'wan', outside, note),
        passageEvidence(pair, 'dmz', inside, note),
      ]),
  };
  return admitAtPoints(finding, [pair.wan.coverage, pair.dmz.coverage]);
}

/** Behind a proxy the numbers say nothing, but the dialogue does. */
function judgeSwallowed({ pair, points }: Case): VerdictEvent[] {
  const { wan, dmz } = pair;
  const hello = wan.passages.find(({ from, length }) => from === 'client' && length > 0);
  const spoken = dmz.passages.some(({ from, length }) => from === 'client' && length > 0);
  if (wan.hellos === 0 || !hello || spoken) return [];
  if (!isCovered('dmz', onCommonClock('wan', hello.at, points.clocks), points)) return [];
  const finding: PointsFinding = {
    at: hello.at,
    verdict: 'ehlo-dropped',
    worth: 'proved',
    premises: OF_SILENCE,
    summary: `EHLO (${hello.length} octets) was said outside, and what speaks for the client inside said nothing.`,
    missingBytes: hello.length,
    evidence: [passageEvidence(pair, 'wan', hello, 'not at the other point')],
  };
  return admitAtPoints(finding, [dmz.coverage]);
}

/** What is at both points needs no other segment. */
const OF_PASSING: Premises = { toSay: [] };
/** Of what the dialogue says of itself. */
const OF_REPLY: Premises = { toSay: ['in-order'] };
const OF_HANDSHAKE: Premises = { toSay: ['handshake'] };
const OF_SILENCE: Premises = { toSay: ['handshake', 'client-octets', 'nothing-missed'] };
const DIRECTIONS = ['client', 'server'] as const;
const STARTTLS = 'STARTTLS';
