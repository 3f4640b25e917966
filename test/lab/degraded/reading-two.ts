// Two captures as ehlowire reads them: a trace of each connection at each point, matched, aligned and judged.

import { createTracker } from '../../../inspect/tracker/tracker';
import { surveyTwoPoints, type PointCapture } from '../../../inspect/two-point/survey';
import { IMPLICIT_TLS } from '../../../proxy/report/analyze/pass';
import type { Trace } from '../../../inspect/two-point/trace';
import { createCollector } from '../../../proxy/report/two-point/point';
import type { Frame } from './frame';
import { keyOf, nameOf, saidOf, type Outcome, type Said } from './reading';
import type { Points } from './ways-two';

export function readPoints({ wan, dmz }: Points, ports: readonly number[], together: boolean): Outcome {
  const survey = surveyTwoPoints(captureOf('wan', wan, ports), captureOf('dmz', dmz, ports), together);
  const verdicts = new Map<string, Said>();
  const transient: Said[] = [];
  for (const { pair, verdicts: events } of survey.judgements) {
    for (const event of events) {
      const said = saidOf(nameOf(pair.wan), event);
      verdicts.set(keyOf(said), said);
      transient.push(said);
    }
  }
  return {
    verdicts,
    transient,
    anomalies: new Set(),
    lessons: new Set(),
    sessions: survey.pairs.length,
    messages: 0,
  };
}

function captureOf(point: 'wan' | 'dmz', frames: readonly Frame[], ports: readonly number[]): PointCapture {
  const tracker = createTracker({ ports, implicitTlsPorts: IMPLICIT_TLS });
  const traces: Trace[] = [];
  const collector = createCollector(point, (trace) => traces.push(trace));
  for (const { link, octets, at, length } of frames)
    collector.observe(tracker.frame(link, octets, at, length));
  const to = frames.reduce((latest, { at }) => Math.max(latest, at), 0);
  collector.observe(tracker.end(to));
  return { traces, ran: { from: frames[0]?.at ?? 0, to } };
}
