// Runs a row's segments past the judges, with the time between them.

import type { VerdictEvent } from '../../../inspect/events';
import { createInspector, type Inspector, type InspectorEvent } from '../../../inspect/tracker/inspector';
import { SECOND, START } from '../smtp/transcript';
import type { Row } from './verdicts.table';

/** All that is said of it, in order. `uncounted`: the capture does not say whether it lost segments. */
export function verdictsOf({ sent, until, probes = [] }: Row, uncounted = false): VerdictEvent[] {
  const [first] = sent;
  if (!first) return [];
  const inspector = createInspector(first.segment, { uncounted });
  const steps: { at: number; run: () => readonly InspectorEvent[] }[] = [
    ...sent.map(({ from, segment: each }) => ({
      at: each.at,
      run: () => (inspector.isCopy(from, each) ? [] : inspector.segment(from, each)),
    })),
    ...probes.map((second) => ({
      at: START + second * SECOND,
      run: () => inspector.probed('client', START + second * SECOND),
    })),
  ].sort((a, b) => a.at - b.at);
  const events = steps.flatMap(({ at, run }, i) => [
    ...pass(inspector, steps[i - 1]?.at ?? at, at),
    ...run(),
  ]);
  const last = Math.max(sent[sent.length - 1]?.segment.at ?? 0, START + (until ?? 0) * SECOND);
  events.push(...pass(inspector, steps[steps.length - 1]?.at ?? last, last), ...inspector.end(last));
  return events.filter((event): event is VerdictEvent => event.kind === 'verdict');
}

/** Time as a tracker lets it pass: whoever has a deadline is asked at it, and once a second when it is over. */
function pass(inspector: Inspector, from: number, to: number): InspectorEvent[] {
  const events: InspectorEvent[] = [];
  for (let at = from; at <= to;) {
    const due = inspector.deadline();
    if (due === undefined) break;
    at = due > at ? due : at + SECOND;
    if (at <= to) events.push(...inspector.idle(at));
  }
  return events;
}
