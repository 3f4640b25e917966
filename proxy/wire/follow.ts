// A record of the ring, told to the tracker.

import type { Peer, Tracker, TrackerNews } from '../../inspect/tracker';
import type { WireRecord } from './records';

/** What the record says is new; one that is no segment says nothing. */
export function followRecord(tracker: Tracker, record: WireRecord): TrackerNews[] {
  if (record.kind === 'odd') return [];
  if (record.kind === 'stretch') {
    if (record.lost) tracker.lost(record.client, record.server);
    return tracker.stretch(record.client, record.server, record.from, record.stretch);
  }
  const { segment, from, lost } = record;
  const source: Peer = { address: segment.source, port: segment.sourcePort };
  const destination: Peer = { address: segment.destination, port: segment.destinationPort };
  const [client, server] = from === 'client' ? [source, destination] : [destination, source];
  if (lost) tracker.lost(client, server);
  return tracker.segment(segment);
}
