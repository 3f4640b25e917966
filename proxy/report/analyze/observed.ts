// What was seen, and how whole: what an analysis must say before it says anything else.

import type { Coverage } from '../../../inspect/coverage/coverage';
import type { Direction, VerdictName } from '../../../inspect/events';
import type { SegmentSessionEvent } from '../../../inspect/tracker/inspector';
import type { Outcome } from './outcome';

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
  /** Segments may have been missed, and nobody knows how many. */
  blind: number;
  /** Frames that are in it more than once. */
  readonly copies: Amount;
  /** Segments that stand behind what answers them. */
  readonly disordered: Amount;
}

export interface Amount {
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
  // A SYN that nobody answers, or that a RST does, has no other side to be seen.
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
