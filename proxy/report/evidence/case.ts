// One connection on its way to evidence: its frames, and which of its octets may be shown.

import type { Certainty, Evidence, VerdictEvent, VerdictName } from '../../../inspect/events';
import type { SegmentSessionEvent } from '../../../inspect/tracker/inspector';
import type { Frame, Tracked, TrackerNews } from '../../../inspect/tracker/tracker';
import { createRecording, type Recording, type RecordingBounds } from './recording';
import { createVisible, type Visible } from './visible';
import { withoutNames } from './cut';

export interface Case {
  readonly recording: Recording;
  readonly visible: Visible;
  session: SegmentSessionEvent | undefined;
}

export function createCase({ inspector }: Tracked, bounds?: RecordingBounds): Case {
  return {
    recording: createRecording(bounds),
    visible: createVisible({
      midStream: inspector.view.client.syn === undefined,
      serverFromStart: () => inspector.view.server.syn !== undefined,
    }),
    session: undefined,
  };
}

/**
 * Adds what the tracker made of a frame, the one that it came in. Tells by how many octets more are held now. Where `room`
 * is used up nothing of the connection is kept: a capture with a hole of our own making proves something else.
 */
export function addNews(own: Case, news: TrackerNews, frame: Frame | undefined, room: number): number {
  const { recording } = own;
  const { connection, segment, events } = news;
  const before = recording.size;
  if (frame && segment) {
    const { view } = connection.inspector;
    const start = view[segment.from].stream.offsetOf(segment.segment.seq);
    if (room > 0) recording.add({ ...frame, ...segment, start });
    else recording.close();
  }
  for (const event of events) {
    own.visible.add(event);
    if (event.kind === 'session') own.session = event as SegmentSessionEvent;
  }
  return recording.size - before;
}

/** The frame of the news: the one at hand, or an earlier one that was remembered. */
export function frameOf({ remembered, segment }: TrackerNews, frame: Frame | undefined): Frame | undefined {
  return remembered ? remembered.frame : segment && frame;
}

/** Comments on the frames of the verdicts that stand; those of before lose theirs. */
export function markVerdicts(recording: Recording, verdicts: readonly VerdictEvent[]): void {
  recording.unmark();
  for (const verdict of verdicts) {
    for (const evidence of verdict.evidence) markEvidence(recording, verdict, evidence);
  }
}

export function markEvidence(
  recording: Recording,
  { verdict, certainty }: { readonly verdict: VerdictName; readonly certainty: Certainty },
  evidence: Evidence,
): void {
  recording.mark(evidence, `${verdict} (${certainty}): ${withoutNames(evidence.note)}`);
}
