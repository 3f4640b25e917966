// The last lines of an analysis: what it means, and what to do next.

import type { VerdictName } from '../../../inspect/events';
import type { TrackerCounts } from '../../../inspect/tracker/tracker';
import { causeOf, type CauseFacts } from '../../../inspect/verdict/causes';
import { conclusionOf } from '../../../inspect/verdict/conclusion';
import { plural } from '../../sinks/wording';
import { allClear, unknownsOf } from './all-clear';
import type { CaptureFacts } from './pass';
import type { Summary, VerdictSummary } from './summary';

/** The gravest thing that was found; without any what can be said of the path. The last line concludes. */
export function conclusionLines(
  summary: Summary,
  facts: CaptureFacts,
  ports: readonly number[],
): readonly string[] {
  const { sessions, verdicts } = summary;
  if (sessions + facts.counts.unreported === 0) {
    return [noneOf(ports, facts.counts)];
  }
  const gravest = gravestOf(verdicts);
  if (!gravest) return allClear(summary, facts);
  // What is only a peer's doing leaves the path to be asked about.
  const unknowns = causeOf(mostly(...gravest)).rank === 3 ? unknownsOf(summary, facts) : [];
  return [...unknowns.map((text) => `- ${text}`), sentenceOf(...gravest, sessions)];
}

/** Where no connection was followed: which ports look as if they should have been. */
function noneOf(ports: readonly number[], counts: TrackerCounts): string {
  const none = `No SMTP connection on port ${ports.join(', ')} is in it`;
  const likely = [...counts.greeters].sort(([, a], [, b]) => b - a).slice(0, GREETERS);
  if (likely.length === 0) return `${none}: another capture, or --port?`;
  const seen = likely.map(([port, count]) => `port ${port} (${plural(count, 'time')})`).join(', ');
  return `${none}, but servers greeted with 220 from ${seen}: --port ${likely.map(([port]) => port).join(',')}`;
}

/** What a verdict on so many of `of` sessions means. */
export function sentenceOf(verdict: VerdictName, found: VerdictSummary, of: number): string {
  const { sessions, proved, clients, networks } = found;
  const shown = { sessions, proved, of, clients: clients.size, networks: networks.size };
  return conclusionOf({ ...mostly(verdict, found), ...shown }).text;
}

/** The gravest of them; of two equally grave ones the more frequent. */
export function gravestOf(
  verdicts: ReadonlyMap<VerdictName, VerdictSummary>,
): readonly [VerdictName, VerdictSummary] | undefined {
  const rank = ([name, of]: readonly [VerdictName, VerdictSummary]): number => causeOf(mostly(name, of)).rank;
  return [...verdicts].sort((a, b) => rank(a) - rank(b) || b[1].sessions - a[1].sessions)[0];
}

/** The cause that most sessions with a verdict have. */
function mostly(verdict: VerdictName, { causes }: VerdictSummary): CauseFacts {
  const [most] = [...causes.values()].sort((a, b) => b.sessions - a.sessions);
  return { verdict, where: most?.where ?? 'before', proof: most?.proof ?? 'sequence' };
}

/** Ports that are named. */
const GREETERS = 5;
