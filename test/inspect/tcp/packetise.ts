// Transcripts as segments: a client and a server TCP that never existed, octet for octet like real ones.

import type { Direction, Micros } from '../../../inspect/events';
import { advance } from '../../../inspect/tcp/seq';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { octets, SECOND, START, type Turn } from '../smtp/transcript';

export interface PacketOptions {
  /** Initial sequence numbers; near 2^32 they wrap. */
  readonly isn?: Readonly<Record<Direction, number>>;
  /** Octets a segment carries at the most. */
  readonly mss?: number;
  /** TSval ticks per second; 0: no timestamps. */
  readonly rate?: number;
  readonly ttl?: Readonly<Record<Direction, number>>;
  /** The connection ends with both FINs. */
  readonly fin?: boolean;
}

export interface Sent {
  readonly from: Direction;
  readonly segment: Segment;
}

const ADDRESS = { client: '198.18.0.1', server: '198.18.0.2' } as const;
const PORT = { client: 40_000, server: 25 } as const;

/** Handshake, one segment or more a turn, a bare ACK of the other side behind each, FIN both ways. */
export function packetise(turns: readonly Turn[], options: PacketOptions = {}): Sent[] {
  const { isn = { client: 1_000, server: 2_000 }, mss = 1460, fin = true } = options;
  const next = { client: isn.client, server: isn.server };
  const sent: Sent[] = [];
  const send = (from: Direction, flags: number, payload: Uint8Array, at: Micros): void => {
    const to = OTHER[from];
    const seq = next[from];
    next[from] = advance(seq, payload.length + (flags & (FLAG.syn | FLAG.fin) ? 1 : 0));
    sent.push({ from, segment: segment(from, { seq, ack: next[to], flags, payload, at }, options) });
  };
  const none = new Uint8Array(0);
  send('client', FLAG.syn, none, START);
  send('server', FLAG.syn | FLAG.ack, none, START + 10_000);
  send('client', FLAG.ack, none, START + 20_000);
  turns.forEach(([who, text], i) => {
    const from = who === 'C' ? 'client' : 'server';
    const bytes = octets(text);
    const at = START + (i + 1) * SECOND;
    for (let start = 0; start < bytes.length; start += mss) {
      send(from, FLAG.psh | FLAG.ack, bytes.subarray(start, start + mss), at);
    }
    send(OTHER[from], FLAG.ack, none, at + 10_000);
  });
  if (fin) {
    const at = START + (turns.length + 1) * SECOND;
    send('client', FLAG.fin | FLAG.ack, none, at);
    send('server', FLAG.fin | FLAG.ack, none, at);
    send('client', FLAG.ack, none, at);
  }
  return sent;
}

export interface SegmentFacts {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly at: Micros;
}

export function segment(from: Direction, facts: SegmentFacts, options: PacketOptions = {}): Segment {
  const { rate = 1000, ttl = { client: 57, server: 64 } } = options;
  const { seq, ack, flags, payload, at } = facts;
  const to = OTHER[from];
  const syn = (flags & FLAG.syn) !== 0;
  const ticks = Math.floor(((at - START) / SECOND) * rate) + 1_000_000;
  return {
    at,
    source: ADDRESS[from],
    sourcePort: PORT[from],
    destination: ADDRESS[to],
    destinationPort: PORT[to],
    seq,
    ack: flags & FLAG.ack ? ack : 0,
    flags,
    window: 65_535,
    options: {
      ...(syn && { mss: 1460, windowScale: 7 }),
      ...(rate > 0 && { timestamps: [ticks, 0] as const }),
      sackPermitted: syn,
      sack: [],
      kinds: syn ? [2, 4, 8, 3] : rate > 0 ? [8] : [],
    },
    payload,
    length: payload.length,
    ttl: ttl[from],
    ipId: 0,
    vlans: [],
    checksum: 'unchecked',
  };
}

const OTHER = { client: 'server', server: 'client' } as const;
