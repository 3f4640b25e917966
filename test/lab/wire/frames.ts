// Frames of the lab's recordings, octet by octet: what one interface saw against what the other one did.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { awaitWord, type Place } from '../../kit/topology';
import type { Wire } from '../../kit/wire';

/** Where the parts of a TCP segment stand in its frame. */
export interface Layout {
  readonly from: 'client' | 'server';
  readonly ip: number;
  readonly tcp: number;
  readonly payload: number;
  readonly end: number;
}

/** A frame of the server that crossed changed. */
interface Changed {
  readonly was: string;
  readonly is: string;
}

interface Crossing {
  /** TCP segments, and frames of any other kind, that crossed. */
  readonly segments: number;
  readonly others: number;
  readonly changed: readonly Changed[];
}

interface Tap {
  stop(): Promise<readonly Buffer[]>;
}

/** Records all frames of an interface, whole. */
export async function tap(wire: Wire, place: Place, device: string, filter = ''): Promise<Tap> {
  const file = join(wire.folder, `${place}-${device}-${taps++}.pcap`);
  const options = ['-n', '-U', '--immediate-mode', '-B', '65536', '-s', '262144', '-Z', 'root'];
  const child = wire.topology.start(place, 'tcpdump', ...options, '-i', device, '-w', file, filter);
  await awaitWord(child, 'listening on');
  return {
    stop: async () => {
      await child.stop('SIGINT');
      assert.match(child.output(), /\b0 packets dropped by kernel/);
      return readFrames(file);
    },
  };
}

let taps = 0;

/** Frames on both sides of the shim while something happens. */
export async function tapBoth(wire: Wire, filter: string, during: () => Promise<void>): Promise<Crossing> {
  const [wan, lan] = await Promise.all([tap(wire, 'shim', 'wan', filter), tap(wire, 'shim', 'lan', filter)]);
  await during();
  // The last ones may still be on their way to the file.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return compare(await wan.stop(), await lan.stop());
}

/**
 * Every frame of one side must be on the other, octet by octet, and those of one side of a connection in their order
 * (two recordings on two processors do not agree on more). What the server sends may differ in one octet of its
 * payload and in the TCP checksum.
 */
function compare(wan: readonly Buffer[], lan: readonly Buffer[]): Crossing {
  const [outside, inside] = [group(wan), group(lan)];
  assert.equal([...outside.keys()].sort(), [...inside.keys()].sort(), 'connections');
  const changed = [...outside].flatMap(([name, frames]) => {
    const twins = inside.get(name) ?? [];
    assert.is(frames.length, twins.length, `frames of ${name}`);
    return frames.flatMap((frame, i) => {
      const twin = twins[i] ?? Buffer.alloc(0);
      if (frame.equals(twin)) return [];
      const layout = layoutOf(frame);
      assert.is(layout?.from, 'server', `frame ${i} of ${name} changed`);
      return [difference(frame, twin, layout)];
    });
  });
  const others = outside.get(OTHERS)?.length ?? 0;
  return { segments: wan.length - others, others, changed };
}

/** By sender and receiver; what is no segment of port 25 is sorted by its octets. */
function group(frames: readonly Buffer[]): ReadonlyMap<string, readonly Buffer[]> {
  const groups = new Map<string, Buffer[]>();
  for (const frame of frames) {
    const layout = layoutOf(frame);
    const name = layout === undefined ? OTHERS : nameOf(frame, layout);
    groups.set(name, [...(groups.get(name) ?? []), frame]);
  }
  groups.get(OTHERS)?.sort((a, b) => a.compare(b));
  return groups;
}

/** Addresses and ports. */
function nameOf(frame: Buffer, { ip, tcp }: Layout): string {
  const v4 = (frame[ip] ?? 0) >> 4 === 4;
  return frame.toString('hex', ip + (v4 ? 12 : 8), ip + (v4 ? 20 : 40)) + frame.toString('hex', tcp, tcp + 4);
}

const OTHERS = 'others';

function difference(is: Buffer, was: Buffer, layout: Layout | undefined): Changed {
  assert.ok(layout, 'a frame that is no TCP changed');
  assert.is(is.length, was.length);
  const offsets = [...is.keys()].filter((at) => is[at] !== was[at]);
  const checksum = layout.tcp + CHECKSUM;
  const octets = offsets.filter((at) => at !== checksum && at !== checksum + 1);
  assert.is(octets.length, 1, `octets ${octets.join()} changed`);
  assert.ok((octets[0] ?? 0) >= layout.payload, 'in the headers');
  const text = (frame: Buffer): string => frame.toString('latin1', layout.payload, layout.end);
  return { was: text(was), is: text(is) };
}

/** Undefined: no TCP segment of port 25. */
export function layoutOf(frame: Buffer): Layout | undefined {
  // Room for all headers that are looked at.
  if (frame.length < 54) return undefined;
  let at = 12;
  while (TAGS.has(frame.readUInt16BE(at))) at += 4;
  const type = frame.readUInt16BE(at);
  const ip = at + 2;
  if (type !== IPV4 && type !== IPV6) return undefined;
  const v4 = type === IPV4;
  if (frame[ip + (v4 ? 9 : 6)] !== TCP) return undefined;
  if (v4 && (frame.readUInt16BE(ip + 6) & 0x3fff) !== 0) return undefined;
  const tcp = ip + (v4 ? ((frame[ip] ?? 0) & 15) * 4 : 40);
  if (tcp + 20 > frame.length) return undefined;
  const end = v4 ? ip + frame.readUInt16BE(ip + 2) : ip + 40 + frame.readUInt16BE(ip + 4);
  const payload = tcp + ((frame[tcp + 12] ?? 0) >> 4) * 4;
  const from = [frame.readUInt16BE(tcp + 2), frame.readUInt16BE(tcp)].indexOf(25);
  if (from < 0) return undefined;
  return { from: from === 0 ? 'client' : 'server', ip, tcp, payload, end };
}

/** RFC 9293 §3.1: the sum over pseudo header and segment is all ones. */
export function isChecksumRight(frame: Buffer): boolean {
  const layout = layoutOf(frame);
  if (layout === undefined) return true;
  const { ip, tcp, end } = layout;
  const v4 = frame[ip] !== undefined && frame[ip] >> 4 === 4;
  const addresses = v4 ? frame.subarray(ip + 12, ip + 20) : frame.subarray(ip + 8, ip + 40);
  const length = end - tcp;
  const sum = [...words(addresses), TCP, length, ...words(frame.subarray(tcp, end))].reduce(
    (a, b) => a + b,
    0,
  );
  return fold(sum) === 0xffff;
}

function words(octets: Buffer): number[] {
  const even = octets.length % 2 === 0 ? octets : Buffer.concat([octets, Buffer.alloc(1)]);
  return Array.from({ length: even.length / 2 }, (_, i) => even.readUInt16BE(2 * i));
}

function fold(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest & 0xffff) + Math.floor(rest / 0x10000);
  return rest;
}

/** tcpdump writes the classic format, in the machine's own order of octets. */
export function readFrames(file: string): readonly Buffer[] {
  const all = readFileSync(file);
  const frames: Buffer[] = [];
  for (let at = 24; at + 16 <= all.length;) {
    const length = all.readUInt32LE(at + 8);
    frames.push(all.subarray(at + 16, at + 16 + length));
    at += 16 + length;
  }
  return frames;
}

const SETTLE_MS = 500;
const CHECKSUM = 16;
const TCP = 6;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8]);
