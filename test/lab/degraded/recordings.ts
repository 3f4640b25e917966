// What the fault lab's plays looked like, recorded once: small enough to be kept here, so that no namespaces are needed.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parsePacket } from '../../../inspect/tcp/packet';
import { pcapFile } from '../../proxy/sources/frames';
import type { Row } from '../fault/row';
import { ROWS } from '../fault/table';
import { playingsOf, tasksOf, type Playing, type Task } from '../fault/tasks';
import { framesOf } from './files';
import type { Frame } from './frame';

export interface Recorded {
  readonly row: Row;
  /** At the shim, inside of the firewall. */
  readonly inside: readonly Frame[];
  /** At the client, outside of it; of some plays. */
  readonly outside: readonly Frame[] | undefined;
}

/** What is to be seen from recordings. */
export const TASKS: readonly Task[] = tasksOf(ROWS).filter(
  ({ vantage }) => vantage === 'inside' || vantage === 'two points',
);

interface Note {
  readonly row: string;
  readonly client: string;
  readonly outside: boolean;
}

/** Puts the recordings of all of TASKS, as `playAll` left them in a folder, into the files here. */
export async function pack(folder: string): Promise<void> {
  const notes: Note[] = [];
  const points: Record<'inside' | 'outside', Frame[]> = { inside: [], outside: [] };
  for (const [nth, playing] of playingsOf(TASKS).entries()) {
    const inside = await framesOf([join(folder, `${nth}.inside.pcap`)], PORTS);
    const outside = isTwoPoint(playing)
      ? await framesOf([join(folder, `${nth}.outside.pcap`)], PORTS)
      : undefined;
    const client = inside.find(({ from }) => from === 'client');
    if (!client) throw new Error(`nothing was recorded of ${playing.row.name}`);
    notes.push({ row: playing.row.name, client: sourceOf(client), outside: outside !== undefined });
    points.inside.push(...inside);
    points.outside.push(...(outside ?? []));
  }
  for (const point of ['inside', 'outside'] as const) {
    const frames = points[point].map(({ at, octets }) => ({ at, frame: octets }));
    writeFileSync(fileOf(point), gzipSync(pcapFile(frames), { level: 9 }));
  }
  writeFileSync(NOTES, `${JSON.stringify(notes, undefined, 2)}\n`);
}

export async function recordings(): Promise<readonly Recorded[]> {
  const notes = JSON.parse(readFileSync(NOTES, 'utf8')) as readonly Note[];
  const inside = byClient(await framesOf([fileOf('inside')], PORTS));
  const outside = byClient(await framesOf([fileOf('outside')], PORTS));
  return notes.flatMap((note) => {
    const row = ROWS.find(({ name }) => name === note.row);
    if (!row) return [];
    const frames = { inside: inside.get(note.client) ?? [], outside: outside.get(note.client) };
    return [{ row, inside: frames.inside, outside: note.outside ? frames.outside : undefined }];
  });
}

function byClient(frames: readonly Frame[]): Map<string, Frame[]> {
  const groups = new Map<string, Frame[]>();
  for (const frame of frames) {
    const client = clientOf(frame);
    const group = groups.get(client) ?? [];
    groups.set(client, group);
    group.push(frame);
  }
  return groups;
}

function isTwoPoint({ serves }: Playing): boolean {
  return serves.includes('two points');
}

function clientOf(frame: Frame): string {
  return frame.from === 'client' ? sourceOf(frame) : endsOf(frame).destination;
}

function sourceOf(frame: Frame): string {
  return endsOf(frame).source;
}

function endsOf({ link, octets, at }: Frame) {
  const packet = parsePacket(link, octets, at);
  if (packet.kind !== 'segment') throw new Error(`a recording has a ${packet.kind} in it`);
  return packet.segment;
}

function fileOf(point: 'inside' | 'outside'): string {
  return join(__dirname, `${point}.pcap.gz`);
}

const NOTES = join(__dirname, 'recorded.json');
const PORTS = [25];
