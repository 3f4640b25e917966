// What a connection's events say, in words: the same whoever saw it.

import type { InspectorEvent } from '../../../inspect/tracker/inspector';
import { createTracker, type TrackerNews } from '../../../inspect/tracker/tracker';
import { tell } from '../../inspect/smtp/transcript';
import type { Sent } from '../../inspect/tcp/packetise';

/** Events in words. What only a reader of messages can tell is left out: the program copies none. */
export function story(news: readonly TrackerNews[]): string[] {
  return news.flatMap(({ events }) => events.filter((event) => !isInside(event)).map(words));
}

function isInside(event: InspectorEvent): boolean {
  return event.kind === 'anomaly' && event.anomaly === 'end-of-data-lookalike';
}

function words(event: InspectorEvent): string {
  if (event.kind === 'verdict') return `${event.verdict} ${event.certainty}`;
  if (event.kind === 'session') {
    const { bytes, messages, verdicts } = event as Extract<InspectorEvent, { verdicts: readonly string[] }>;
    return `session ${messages} ${bytes.client} ${bytes.server} ${verdicts.join()}`;
  }
  return tell(event);
}

/** What the segments tell a tracker that has them all. */
export function direct(sent: readonly Sent[], ports: readonly number[] = [25]): string[] {
  const tracker = createTracker({ ports, implicitTlsPorts: [] });
  const news = sent.flatMap(({ segment }) => tracker.segment(segment));
  return story([...news, ...tracker.end(sent[sent.length - 1]?.segment.at ?? 0)]);
}
