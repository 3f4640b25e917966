// The tests' transcripts as frames: at the pace of a near network, with the packet numbers and echoes of real stacks.

import type { Direction, Micros } from '../../../inspect/events';
import type { Segment } from '../../../inspect/tcp/segment';
import { ROWS as DIALOGUES } from '../../inspect/smtp/session.table';
import { START } from '../../inspect/smtp/transcript';
import { packetise, type Sent } from '../../inspect/tcp/packetise';
import { BEYOND_ROWS } from '../../inspect/verdict/beyond.table';
import { INSIDE_ROWS } from '../../inspect/verdict/inside.table';
import { ROWS as VERDICTS } from '../../inspect/verdict/verdicts.table';
import { buildFrame } from '../../proxy/sources/frames';
import type { Frame } from './frame';

interface Transcript {
  readonly name: string;
  readonly frames: readonly Frame[];
}

/** Every dialogue of the session's table: some are odd, and some go on as no TCP would, as they were made for octets. */
export function dialogues(): readonly Transcript[] {
  return DIALOGUES.filter(({ options, turns }) => !options && turns.length > 0).flatMap(({ name, turns }) => [
    { name, frames: framed(hasten(packetise(turns))) },
    { name: `${name}, no timestamps`, frames: framed(hasten(packetise(turns, { rate: 0 }))) },
  ]);
}

/** What was done to connections, for the judges; nobody probes here. */
export function judged(): readonly Transcript[] {
  return [...VERDICTS, ...INSIDE_ROWS, ...BEYOND_ROWS].map(({ name, sent }) => ({
    name,
    frames: framed(sent),
  }));
}

/** A turn a second becomes a turn every ten milliseconds. */
function hasten(sent: readonly Sent[]): Sent[] {
  const quick = (at: Micros): Micros => START + Math.round((at - START) / PACE);
  return sent.map(({ from, segment }) => {
    const { timestamps } = segment.options;
    const at = quick(segment.at);
    const stamps = timestamps && ([FIRST_STAMP + Math.floor((at - START) / 1_000), timestamps[1]] as const);
    return {
      from,
      segment: { ...segment, at, options: { ...segment.options, ...(stamps && { timestamps: stamps }) } },
    };
  });
}

function framed(sent: readonly Sent[]): Frame[] {
  const ids = { client: 0x1000, server: 0x8000 };
  const stamps: Record<Direction, number> = { client: 0, server: 0 };
  return sent.map(({ from, segment }) => {
    const ipId = (segment.ipId || ids[from]) & 0xffff;
    ids[from] = ipId + 1;
    const [value, echo] = segment.options.timestamps ?? [0, 0];
    stamps[from] = value;
    const octets = frameOf(segment, ipId, echo || stamps[from === 'client' ? 'server' : 'client']);
    return { at: segment.at, link: ETHERNET, octets, length: octets.length, from };
  });
}

function frameOf(segment: Segment, ipId: number, echo: number): Uint8Array {
  const { source, sourcePort, destination, destinationPort, options } = segment;
  const { seq, ack, flags, payload, ttl, window } = segment;
  const { mss, sackPermitted, windowScale, sack, timestamps } = options;
  return buildFrame({
    from: source,
    fromPort: sourcePort,
    to: destination,
    toPort: destinationPort,
    ...{ seq, ack, flags, payload, ttl, window, ipId, sack },
    syn: {
      sackPermitted,
      ...(mss !== undefined && { mss }),
      ...(windowScale !== undefined && { windowScale }),
    },
    ...(timestamps && { timestamps: [timestamps[0], echo] as const }),
  });
}

const PACE = 100;
const ETHERNET = 1;
/** That of `packetise`. */
const FIRST_STAMP = 1_000_000;
