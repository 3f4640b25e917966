// Transcripts as frames, through a tracker and into an evidence folder.

import {
  openEvidence,
  type EvidenceOptions,
  type EvidenceWriter,
} from '../../../../proxy/report/evidence/evidence';
import { isFault } from '../../../../proxy/system/fault';
import type { Redaction } from '../../../../inspect/grammar/argument';
import { createTracker, type TrackerNews } from '../../../../inspect/tracker/tracker';
import type { Segment } from '../../../../inspect/tcp/segment';
import type { Sent } from '../../../inspect/tcp/packetise';
import { buildFrame } from '../../sources/frames';

export const ETHERNET = 1;

export function frameOf(segment: Segment): Uint8Array {
  const { source, sourcePort, destination, destinationPort, seq, ack, flags, payload, ttl, options } =
    segment;
  const { ipId = 0, window } = segment;
  return buildFrame({
    from: source,
    fromPort: sourcePort,
    to: destination,
    toPort: destinationPort,
    ...{ seq, ack, flags, payload, ttl, ipId, window },
    sack: options.sack,
    ...(options.timestamps && { timestamps: [options.timestamps[0], options.timestamps[1]] as const }),
  });
}

/** Runs segments through a tracker into `options.folder`. */
export function record(
  sent: readonly Sent[],
  options: EvidenceOptions,
  redact?: Redaction,
  take: (news: readonly TrackerNews[]) => void = () => undefined,
): EvidenceWriter {
  const uncounted = options.ran !== undefined && options.ran.dropped === undefined;
  const tracker = createTracker({
    ports: [25],
    implicitTlsPorts: [465],
    redact,
    keepFrames: true,
    uncounted,
  });
  const evidence = openEvidence(options);
  if (isFault(evidence)) throw new Error(`no evidence: ${evidence.on}`);
  // One buffer for all, as a live capture has it: what is kept must have been copied.
  const buffer = new Uint8Array(65_536);
  for (const { segment } of sent) {
    const frame = frameOf(segment);
    buffer.fill(0xee);
    buffer.set(frame, 100);
    const octets = buffer.subarray(100, 100 + frame.length);
    const news = tracker.frame(ETHERNET, octets, segment.at);
    take(news);
    evidence.observe(news, { linkType: ETHERNET, octets, length: frame.length });
  }
  const ended = options.ran?.to ?? (sent[sent.length - 1]?.segment.at ?? 0) + 1_000_000;
  for (const news of [tracker.idle(ended), tracker.end(ended)]) {
    take(news);
    evidence.observe(news);
  }
  return evidence;
}
