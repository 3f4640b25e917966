// A record of the ring, told to the tracker.

import { peersOf, type Tracker, type TrackerNews } from '../../inspect/tracker/tracker';
import type { Endpoint } from '../../inspect/address';
import type { WireRecord } from './records';

/** What the record says is new; one that is no segment says nothing. */
export function followRecord(tracker: Tracker, record: WireRecord): TrackerNews[] {
  if (record.kind === 'odd') return [];
  if (record.lost || (record.midstream && isOpen(tracker, record))) tracker.lost(...betweenOf(record));
  return record.kind === 'stretch'
    ? tracker.stretch(record.client, record.server, record.from, record.stretch, record.leg)
    : tracker.segment(record.segment, record.leg, record.frame);
}

type Told = Exclude<WireRecord, { kind: 'odd' }>;

function betweenOf(record: Told): readonly [Endpoint, Endpoint] {
  return record.kind === 'stretch' ? [record.client, record.server] : peersOf(record.segment);
}

/**
 * Whether the program had to make room while the connection was going on: what it had left to tell of it is gone. One
 * that is closed it has put away itself.
 */
function isOpen(tracker: Tracker, record: Told): boolean {
  const tracked = tracker.find(...betweenOf(record));
  return tracked?.inspector.closedAt === undefined;
}
