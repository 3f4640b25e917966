// What was seen, and how whole: what an analysis must say before it says anything else.

import type { Coverage } from '../../../inspect/coverage/coverage';
import type { Direction, VerdictName } from '../../../inspect/events';
import type { SegmentSessionEvent } from '../../../inspect/tracker/inspector';
import type { Outcome } from './outcome';
import type { TrackerCounts } from '../../../inspect/tracker/tracker';
import { plural } from '../../sinks/wording';
import type { CaptureFacts } from './pass';

/** Connections by what of them was not observed; one may be in several. */
export interface Observed {
  /** All of it was, from the first SYN on. */
  whole: number;
  /** One side alone was. */
  readonly only: Record<Direction, number>;
  /** Begun before the capture. */
  begun: number;
  /** Octets that the capture cut off, and in how many connections. */
  readonly cut: Amount;
  /** Octets that the other side acknowledged, and that are not in the capture. */
  readonly missed: Amount;
  /** Octets that were sent and are not in it, lost by the path or by a capture that does not count its losses. */
  readonly unsure: Amount;
  /** Segments may have been missed, an unknown number. */
  blind: number;
  /** Frames that are in it more than once. */
  readonly copies: Amount;
  /** Segments that stand behind what answers them. */
  readonly disordered: Amount;
}

interface Amount {
  connections: number;
  count: number;
}

export function createObserved(): Observed {
  const none = (): Amount => ({ connections: 0, count: 0 });
  return {
    ...{ whole: 0, begun: 0, blind: 0, only: { client: 0, server: 0 } },
    ...{ cut: none(), missed: none(), unsure: none(), copies: none(), disordered: none() },
  };
}

/** Whether the session was seen whole. */
export function addObserved(
  all: Observed,
  { coverage, verdicts }: Pick<SegmentSessionEvent, 'coverage' | 'verdicts'>,
  outcome: Outcome,
): boolean {
  // A SYN without an answer, or with a RST for one, has no other side to be seen.
  const unsure = coverage ? unsureOf(coverage, verdicts) : 0;
  const oneSide = outcome === 'unanswered' || outcome === 'rejected';
  const whole = !coverage || oneSide || (unsure === 0 && isWhole(coverage));
  if (whole) all.whole += 1;
  if (!coverage) return whole;
  const { client, server, blind } = coverage;
  if (!whole && server.segments === 0) all.only.client += 1;
  else if (!whole && client.segments === 0) all.only.server += 1;
  else if (!whole && (client.begin === 'unseen' || server.begin === 'unseen')) all.begun += 1;
  if (blind) all.blind += 1;
  add(all.unsure, unsure);
  for (const name of ['cut', 'missed', 'copies', 'disordered'] as const)
    add(all[name], client[name] + server[name]);
  return whole;
}

/** None where a verdict says that the path lost them. */
function unsureOf({ client, server, counted }: Coverage, verdicts: readonly string[]): number {
  return counted || verdicts.some((each) => LOSSES.has(each)) ? 0 : client.lost + server.lost;
}

/** What was lost before it came here is the path's doing, and no fault of the capture. */
function isWhole({ client, server, blind }: Coverage): boolean {
  return (
    !blind &&
    [client, server].every(
      ({ begin, cut, missed, segments }) => segments > 0 && begin !== 'unseen' && cut + missed === 0,
    )
  );
}

const LOSSES: ReadonlySet<string> = new Set<VerdictName>([
  'ehlo-dropped',
  'greeting-lost',
  'segment-dropped',
]);

function add(to: Amount, count: number): void {
  if (count === 0) return;
  to.connections += 1;
  to.count += count;
}

/** Frames, and what of them was not read. */
export function framesText({ segments, others, fragments, malformed, tunnels }: TrackerCounts): string {
  const left = [
    others === 0 ? '' : `${number(others)} of other traffic`,
    fragments === 0 ? '' : plural(fragments, 'IP fragment'),
    malformed === 0 ? '' : `${number(malformed)} that make no sense`,
  ].filter((text) => text !== '');
  const inside = [...tunnels].map(([name, count]) => `${number(count)} in ${name}`);
  return [
    `${number(segments)} of SMTP`,
    ...(inside.length === 0 ? [] : [` (${inside.join(', ')})`]),
    ...(left.length === 0 ? [] : [`; not read: ${left.join(', ')}`]),
  ].join('');
}

/** One line each; the first says how many sessions are whole. */
export function seenText(observed: Observed, sessions: number, facts: CaptureFacts): readonly string[] {
  const { counts, lost, counted } = facts;
  const first =
    observed.whole === sessions
      ? `${sessions === 1 ? 'the session' : `all ${number(sessions)} sessions`} whole: both directions, from the first SYN on`
      : `${number(observed.whole)} of ${plural(sessions, 'session')} whole`;
  const missed = `${plural(lost, 'frame')} missed by the capture itself: holes may be its own`;
  const unknown = counted || lost > 0 ? [] : UNKNOWN;
  return [first, ...holes(observed, sessions, counts), ...(lost === 0 ? [] : [missed]), ...unknown];
}

function holes(observed: Observed, sessions: number, counts: TrackerCounts): readonly string[] {
  const { only, begun, missed, unsure, blind, copies, disordered } = observed;
  const { cut, cutAt, segments } = counts;
  const row = (count: number, text: string): readonly string[] => (count === 0 ? [] : [text]);
  // The copy of a session's last frame comes when it is over: it is not counted.
  const uncounted = segments - copies.count * 2;
  const twice = uncounted >= 0 && uncounted <= 2 * sessions;
  return [
    ...row(cut, `${plural(cut, 'frame')} cut at ${cutAt} octets`),
    ...row(only.client, `${plural(only.client, 'session')} in one direction only, the client's`),
    ...row(only.server, `${plural(only.server, 'session')} in one direction only, the server's`),
    ...row(begun, `${plural(begun, 'session')} begun before the capture`),
    ...row(
      missed.count,
      `${plural(missed.count, 'octet')} passed and are not in it, in ${plural(missed.connections, 'session')}`,
    ),
    ...row(
      unsure.count,
      `${plural(unsure.count, 'octet')} were sent and are not in it, in ${plural(unsure.connections, 'session')}: lost by the path, or by the capture`,
    ),
    ...row(blind, `${plural(blind, 'session')} of which frames may be missing`),
    ...row(
      copies.count,
      twice ? 'every frame is in it twice' : `${plural(copies.count, 'frame')} in it more than once`,
    ),
    ...row(disordered.count, `${plural(disordered.count, 'segment')} in the wrong order, put right`),
  ];
}

/** What is not said for want of it, and how to have it said. */
const UNKNOWN: readonly string[] = [
  'the capture does not say whether it lost frames: what only a missing frame would show is not reported',
  '(if tcpdump ended with "0 packets dropped by kernel", add --no-drops)',
];

function number(value: number): string {
  return value.toLocaleString('en');
}
