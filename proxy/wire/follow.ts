// A record of the ring, told to the tracker.

import type { Peer, Tracker, TrackerNews } from '../../inspect/tracker';
import type { WireRecord } from './records';

/** What the record says is new; one that is no segment says nothing. */
export function followRecord(tracker: Tracker, record: WireRecord): TrackerNews[] {
  if (record.kind === 'odd') return [];
  const [client, server] = record.kind === 'stretch' ? [record.client, record.server] : peersOf(record);
  if (record.lost || (record.midstream && isOpen(tracker, client, server))) tracker.lost(client, server);
  return record.kind === 'stretch'
    ? tracker.stretch(client, server, record.from, record.stretch)
    : tracker.segment(record.segment);
}

function peersOf({ segment, from }: Extract<WireRecord, { kind: 'segment' }>): readonly [Peer, Peer] {
  const source: Peer = { address: segment.source, port: segment.sourcePort };
  const destination: Peer = { address: segment.destination, port: segment.destinationPort };
  return from === 'client' ? [source, destination] : [destination, source];
}

/**
 * Whether the program had to make room while the connection was going on: what it had left to tell of it is gone. One
 * that is closed it has put away itself.
 */
function isOpen(tracker: Tracker, client: Peer, server: Peer): boolean {
  const tracked = tracker.find(client, server);
  return tracked !== undefined && tracked.inspector.closedAt === undefined;
}
