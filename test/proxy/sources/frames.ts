// Frames and capture files out of nothing: Ethernet, IPv4, TCP with right checksums, in pcap and pcapng.

export interface SegmentPlan {
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly toPort: number;
  readonly seq: number;
  readonly ack?: number;
  /** Flag octet: SYN 2, ACK 16, PSH 8, FIN 1, RST 4. */
  readonly flags: number;
  readonly payload?: Uint8Array;
  /** TSval and TSecr. */
  readonly timestamps?: readonly [number, number];
  readonly ttl?: number;
  readonly ipId?: number;
  readonly window?: number;
  /** The SYN's MSS, SACK-permitted and window scale; absent: 1460, yes, 7. */
  readonly syn?: { readonly mss?: number; readonly sackPermitted: boolean; readonly windowScale?: number };
  /** SACK blocks: left and right edges. */
  readonly sack?: readonly (readonly [number, number])[];
}

/** An Ethernet frame with one TCP segment; a SYN carries MSS, SACK-permitted and window scale. */
export function buildFrame(plan: SegmentPlan): Uint8Array {
  const options = optionsOf(plan);
  const payload = plan.payload ?? new Uint8Array(0);
  const tcpLength = 20 + options.length + payload.length;
  const frame = new Uint8Array(14 + 20 + tcpLength);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00]);
  frame[14] = 0x45;
  view.setUint16(16, 20 + tcpLength);
  view.setUint16(18, plan.ipId ?? 0);
  view.setUint16(20, 0x4000);
  frame[22] = plan.ttl ?? 64;
  frame[23] = 6;
  frame.set(addressOf(plan.from), 26);
  frame.set(addressOf(plan.to), 30);
  view.setUint16(24, checksum(view, 14, 34, 0));
  view.setUint16(34, plan.fromPort);
  view.setUint16(36, plan.toPort);
  view.setUint32(38, plan.seq >>> 0);
  view.setUint32(42, (plan.ack ?? 0) >>> 0);
  frame[46] = ((20 + options.length) / 4) << 4;
  frame[47] = plan.flags;
  view.setUint16(48, plan.window ?? 65_000);
  frame.set(options, 54);
  frame.set(payload, 54 + options.length);
  view.setUint16(50, checksum(view, 34, frame.length, pseudo(view, tcpLength)));
  return frame;
}

function optionsOf({ flags, timestamps, syn = SYN, sack = [] }: SegmentPlan): Uint8Array {
  const options = [
    ...(flags & 2 && syn.mss !== undefined ? [2, 4, ...word(syn.mss).slice(2)] : []),
    ...(flags & 2 && syn.sackPermitted ? [4, 2] : []),
    ...(flags & 2 && syn.windowScale !== undefined ? [3, 3, syn.windowScale] : []),
    ...(timestamps ? [8, 10, ...timestamps.flatMap(word)] : []),
    ...(sack.length > 0 ? [5, 2 + 8 * sack.length, ...sack.flat().flatMap(word)] : []),
  ];
  while (options.length % 4 !== 0) options.push(1);
  return Uint8Array.from(options);
}

function word(value: number): number[] {
  return [24, 16, 8, 0].map((bits) => (value >>> bits) & 255);
}

function pseudo(view: DataView, tcpLength: number): number {
  let sum = 6 + tcpLength;
  for (let at = 26; at < 34; at += 2) sum += view.getUint16(at);
  return sum;
}

function checksum(view: DataView, start: number, end: number, first: number): number {
  let sum = first;
  for (let at = start; at < end; at += 2) {
    sum += at + 1 < end ? view.getUint16(at) : view.getUint8(at) << 8;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function addressOf(text: string): number[] {
  return text.split('.').map(Number);
}

/** One side's and the other's segments of one connection, with sequence numbers kept. */
export interface Wire {
  readonly frames: { readonly at: number; readonly frame: Uint8Array }[];
  /** Sends octets, or a bare flag segment; `lost`: it is numbered and never captured; `again`: the last octets once more. */
  send(
    side: 'client' | 'server',
    at: number,
    text?: string,
    more?: { flags?: number; lost?: boolean; again?: boolean; stamp?: number },
  ): void;
}

export interface WireOptions {
  readonly client?: string;
  readonly clientPort?: number;
  readonly server?: string;
  readonly serverPort?: number;
}

/** A connection with its handshake done at `at` (microseconds); times count on in the same unit. */
export function openWire(at: number, options: WireOptions = {}): Wire {
  const { client = '198.51.100.7', clientPort = 40_000, server = '203.0.113.5', serverPort = 25 } = options;
  const next = { client: 1_000, server: 900_000 };
  /** What each side has of the other in order: the acknowledgements behind a loss stand still. */
  const heard = { client: 900_000, server: 1_000 };
  const ids = { client: 1, server: 1 };
  const frames: { at: number; frame: Uint8Array }[] = [];
  const push = (
    side: 'client' | 'server',
    when: number,
    flags: number,
    payload: Uint8Array,
    lost: boolean,
    stamp: number,
  ): void => {
    const [from, to] = side === 'client' ? [client, server] : [server, client];
    const [fromPort, toPort] = side === 'client' ? [clientPort, serverPort] : [serverPort, clientPort];
    const other = side === 'client' ? 'server' : 'client';
    const plan = {
      from,
      fromPort,
      to,
      toPort,
      seq: next[side],
      ack: flags & 16 ? heard[side] : 0,
      flags,
      payload,
    };
    const timestamps = [stamp >>> 0, 0] as const;
    if (!lost) frames.push({ at: when, frame: buildFrame({ ...plan, timestamps, ipId: ids[side] }) });
    ids[side] += 1;
    const before = next[side];
    next[side] += payload.length + (flags & 2 ? 1 : 0) + (flags & 1 ? 1 : 0);
    if (!lost && heard[other] === before) heard[other] = next[side];
  };
  const none = new Uint8Array(0);
  push('client', at, 2, none, false, at / 1000);
  push('server', at + 200, 18, none, false, at / 1000);
  push('client', at + 400, 16, none, false, at / 1000);
  return {
    frames,
    send(side, when, text = '', { flags, lost = false, again = false, stamp = when / 1000 } = {}) {
      const payload = Uint8Array.from(Buffer.from(text, 'latin1'));
      if (again) next[side] -= payload.length;
      push(side, when, flags ?? (payload.length > 0 ? 24 : 16), payload, lost, stamp);
    },
  };
}

/** A classic capture file, little-endian, microseconds. */
export function pcapFile(
  frames: readonly { readonly at: number; readonly frame: Uint8Array }[],
  { linkType = 1, snaplen = 262_144 } = {},
): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(snaplen, 16);
  head.writeUInt32LE(linkType, 20);
  return Buffer.concat([
    head,
    ...frames.flatMap(({ at, frame }) => [recordHead(at, frame, snaplen), frame.subarray(0, snaplen)]),
  ]);
}

export function recordHead(at: number, frame: Uint8Array, snaplen = 262_144): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(Math.floor(at / 1e6), 0);
  head.writeUInt32LE(at % 1e6, 4);
  head.writeUInt32LE(Math.min(frame.length, snaplen), 8);
  head.writeUInt32LE(frame.length, 12);
  return head;
}

const SYN = { mss: 1460, sackPermitted: true, windowScale: 7 };
