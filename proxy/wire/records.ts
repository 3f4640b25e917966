// One record of the ring, read: a segment, or elided octets.

import type { Direction, Micros } from '../../inspect/events';
import type { Frame } from '../../inspect/tracker/half-open';
import type { Elided } from '../../inspect/tracker/inspector';
import { parsePacket } from '../../inspect/tcp/packet';
import type { Leg, Segment } from '../../inspect/tcp/segment';
import type { Endpoint } from '../../inspect/address';
import { peersOf, type Tracker, type TrackerNews } from '../../inspect/tracker/tracker';
import { readAddress } from './tables';
import { ELIDED_KEY, FLOW_KEY, LEG, RECORD, RECORD_FLAG, RECORD_KIND, SIDE, TAIL_OCTETS } from './abi';

export type WireRecord =
  | (Facts & {
      readonly kind: 'segment';
      readonly segment: Segment;
      /** What stands before the IP header, as the frame had it on the wire; a view where no tag was put back. */
      readonly link: Uint8Array;
      /** The frame as far as it is in the record: without such a tag, and without the payload where the first of it is not there. */
      readonly frame: Frame;
    })
  | (Facts & {
      readonly kind: 'elided';
      readonly client: Endpoint;
      readonly server: Endpoint;
      readonly elided: Elided;
    })
  /** A frame that is TCP for the program and not for our parser. */
  | { readonly kind: 'odd'; readonly why: string };

interface Facts {
  readonly from: Direction;
  readonly leg: Leg;
  /** Records of this connection before this one found no room in the ring. */
  readonly lost: boolean;
  /** The connection was not in the program's table, or not any more, and this is not where it begins. */
  readonly midstream: boolean;
  /** The greeting in it was repaired: the last change, and how many there are. */
  readonly repaired: { readonly at: number; readonly was: number; readonly changes: number } | undefined;
  /** The server went on behind a greeting that the repair had ended. */
  readonly contradicted: boolean;
}

/**
 * Reads one record; `octets` is the ring's own memory and used again afterwards. `origin` is the time at which the
 * kernel's monotonic clock stood at 0.
 */
export function readRecord(octets: Uint8Array, origin: Micros): WireRecord {
  const fields = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const flags = fields.getUint8(RECORD.flags);
  const facts: Facts = {
    from: fields.getUint8(RECORD.from) === SIDE.SIDE_CLIENT ? 'client' : 'server',
    leg: fields.getUint8(RECORD.leg) === LEG.LEG_WAN ? 'wan' : 'lan',
    lost: (flags & RECORD_FLAG.RECORD_LOST) !== 0,
    midstream: (flags & RECORD_FLAG.RECORD_MIDSTREAM) !== 0,
    repaired:
      (flags & RECORD_FLAG.RECORD_REPAIRED) === 0
        ? undefined
        : {
            at: fields.getUint32(RECORD.repaired_at, true),
            was: fields.getUint32(RECORD.replaced, true),
            changes: fields.getUint32(RECORD.repairs, true),
          },
    contradicted: (flags & RECORD_FLAG.RECORD_CONTRADICTED) !== 0,
  };
  // Nanoseconds in two halves: a number holds some hundred days of them to the last.
  const monotonic = fields.getUint32(RECORD.at + 4, true) * 2 ** 32 + fields.getUint32(RECORD.at, true);
  const at = origin + Math.round(monotonic / 1000);
  if (fields.getUint8(RECORD.kind) === RECORD_KIND.RECORD_ELIDED)
    return readElided(fields, octets, at, facts);
  return readSegment(fields, octets, at, facts, flags);
}

function readSegment(
  fields: DataView,
  octets: Uint8Array,
  at: Micros,
  facts: Facts,
  flags: number,
): WireRecord {
  const captured = fields.getUint32(RECORD.captured, true);
  const packet = parsePacket(ETHERNET, octets.subarray(RECORD.data, RECORD.data + captured), at);
  if (packet.kind !== 'segment') {
    return { kind: 'odd', why: packet.kind === 'malformed' ? packet.why : packet.kind };
  }
  const skipped = fields.getUint32(RECORD.skipped, true);
  // Octets that an earlier record elided are no part of this segment any more.
  const lead = (flags & RECORD_FLAG.RECORD_LEAD) !== 0 ? skipped : 0;
  const gone = skipped - lead;
  const tag = fields.getUint16(RECORD.vlan_protocol, true);
  const { segment } = packet;
  const rest = {
    ...segment,
    length: fields.getUint32(RECORD.payload, true) - gone,
    seq: (segment.seq + gone) >>> 0,
    ...(tag !== 0 && { vlans: [fields.getUint16(RECORD.vlan_tci, true) & VLAN_ID, ...segment.vlans] }),
    ...((flags & RECORD_FLAG.RECORD_CONTENT) !== 0 && { elided: true }),
    ...(lead > 0 && { lead }),
  };
  const whole = octets.subarray(RECORD.data, RECORD.data + captured);
  const headers = segment.dataAt ?? captured;
  const frame: Frame = {
    linkType: ETHERNET,
    // What follows the headers in the record is not what followed them on the wire.
    octets: skipped > 0 ? whole.slice(0, headers) : whole,
    length: headers + fields.getUint32(RECORD.payload, true),
  };
  return { kind: 'segment', segment: rest, link: linkOf(whole, fields), frame, ...facts };
}

/** With the tag that the card took off in its place (IEEE 802.1Q §9). */
function linkOf(frame: Uint8Array, fields: DataView): Uint8Array {
  let end = ADDRESSES;
  while (TAGS.has(((frame[end] ?? 0) << 8) | (frame[end + 1] ?? 0))) end += 4;
  const link = frame.subarray(0, end + 2);
  // The protocol is in network order, as it lay in the frame.
  if (fields.getUint16(RECORD.vlan_protocol, true) === 0) return link;
  const tagged = new Uint8Array(link.length + 4);
  tagged.set(link.subarray(0, ADDRESSES), 0);
  tagged.set(new Uint8Array(fields.buffer, fields.byteOffset + RECORD.vlan_protocol, 2), ADDRESSES);
  new DataView(tagged.buffer).setUint16(ADDRESSES + 2, fields.getUint16(RECORD.vlan_tci, true));
  tagged.set(link.subarray(ADDRESSES), ADDRESSES + 4);
  return tagged;
}

function readElided(fields: DataView, octets: Uint8Array, at: Micros, facts: Facts): WireRecord {
  const seq = fields.getUint32(RECORD.seq, true);
  const length = fields.getUint32(RECORD.octets, true);
  const shown = fields.getUint32(RECORD.shown, true);
  const kept = octets.subarray(
    RECORD.data + ELIDED_KEY,
    RECORD.data + fields.getUint32(RECORD.captured, true),
  );
  const end =
    kept.length === TAIL_OCTETS
      ? unrotate(kept, seq + length - shown - fields.getUint32(RECORD.shift, true), shown)
      : kept.slice(0, shown);
  const key = RECORD.data;
  return {
    kind: 'elided',
    client: {
      address: readAddress(octets, key + FLOW_KEY.client),
      port: fields.getUint16(key + FLOW_KEY.client_port, true),
    },
    server: {
      address: readAddress(octets, key + FLOW_KEY.server),
      port: fields.getUint16(key + FLOW_KEY.server_port, true),
    },
    elided: { at, seq, length, end },
    ...facts,
  };
}

/** The octet with number n, counted from where the first place is, stands at n mod TAIL_OCTETS. */
function unrotate(kept: Uint8Array, from: number, count: number): Uint8Array {
  const start = (from >>> 0) % TAIL_OCTETS;
  const head = kept.subarray(start, Math.min(TAIL_OCTETS, start + count));
  const end = new Uint8Array(count);
  end.set(head, 0);
  end.set(kept.subarray(0, count - head.length), head.length);
  return end;
}

/** Gives the record to the tracker; what it makes of it. */
export function trackRecord(tracker: Tracker, record: WireRecord): TrackerNews[] {
  if (record.kind === 'odd') return [];
  if (record.lost || (record.midstream && isOpen(tracker, record))) tracker.lost(...betweenOf(record));
  return record.kind === 'elided'
    ? tracker.elided(record.client, record.server, record.from, record.elided, record.leg)
    : tracker.segment(record.segment, record.leg, record.frame);
}

type Known = Exclude<WireRecord, { kind: 'odd' }>;

function betweenOf(record: Known): readonly [Endpoint, Endpoint] {
  return record.kind === 'elided' ? [record.client, record.server] : peersOf(record.segment);
}

/**
 * Whether the connection left the program's table before it was closed, to make room: what was elided and not recorded
 * by then is lost.
 */
function isOpen(tracker: Tracker, record: Known): boolean {
  const tracked = tracker.find(...betweenOf(record));
  return tracked?.inspector.closedAt === undefined;
}

const ETHERNET = 1;
/** Both hardware addresses. */
const ADDRESSES = 12;
/** EtherTypes of VLAN tags. */
const TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
const VLAN_ID = 0x0fff;
