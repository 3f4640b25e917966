// What was seen and how whole, in words: before anything is concluded from it.

import type { TrackerCounts } from '../../../inspect/tracker/tracker';
import { plural } from '../../sinks/wording';
import type { Observed } from './observed';

export interface SeenFacts {
  readonly observed: Observed;
  readonly sessions: number;
  readonly counts: TrackerCounts;
  /** Frames that the capturing program or we missed. */
  readonly lost: number;
  /** They are counted: else the capture does not say whether it missed any. */
  readonly counted: boolean;
}

/** Nothing is known to have passed that is not in it. */
export function isSeenWhole({ observed, sessions, lost }: Omit<SeenFacts, 'counts' | 'counted'>): boolean {
  return lost === 0 && observed.whole === sessions;
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
export function seenText(facts: SeenFacts): readonly string[] {
  const { observed, sessions, lost, counted } = facts;
  const first =
    observed.whole === sessions
      ? `${sessions === 1 ? 'the session' : `all ${number(sessions)} sessions`} whole: both directions, from the first SYN on`
      : `${number(observed.whole)} of ${plural(sessions, 'session')} whole`;
  const missed = `${plural(lost, 'frame')} missed by the capture itself: holes may be its own`;
  const unknown = counted || lost > 0 ? [] : UNKNOWN;
  return [first, ...holes(facts), ...(lost === 0 ? [] : [missed]), ...unknown];
}

function holes({ observed, counts, sessions }: SeenFacts): readonly string[] {
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
