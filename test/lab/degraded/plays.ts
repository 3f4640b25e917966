// All plays of the matrix: transcripts, the fault lab's recordings, and the captures and cases that lie beside the project.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SMTP_PORTS } from '../../../proxy/system/address';
import { framesOf } from './files';
import type { Frame } from './frame';
import { recordings } from './recordings';
import { dialogues, judged } from './transcripts';

export type Family = 'transcript' | 'judged' | 'fault' | 'control' | 'capture' | 'case';

export interface Play {
  readonly family: Family;
  readonly name: string;
  readonly ports: readonly number[];
  readonly frames: readonly Frame[];
  /** The same outside of the firewall; `frames` are those inside. */
  readonly outside?: readonly Frame[];
}

export async function allPlays(): Promise<readonly Play[]> {
  return [
    ...dialogues().map((each): Play => ({ family: 'transcript', ports: LAB_PORTS, ...each })),
    ...judged().map((each): Play => ({ family: 'judged', ports: LAB_PORTS, ...each })),
    ...(await recordings()).map(({ row, inside, outside }): Play => ({
      ...{ family: row.kind, name: row.name, ports: LAB_PORTS, frames: inside },
      ...(outside && { outside }),
    })),
    ...(await besides('captures', 'capture')),
    ...(await besides('cases', 'case')),
  ];
}

/** Two files of one name that end in -wan and -dmz are two points, and two in -tx and -rx the directions of one. */
async function besides(folder: string, family: Family): Promise<Play[]> {
  const path = join(SHARED, folder);
  if (!existsSync(path)) return [];
  const names = readdirSync(path).filter((name) => /\.pcap(ng)?$/.test(name));
  const read = (...files: readonly string[]): Promise<Frame[]> =>
    framesOf(
      files.map((name) => join(path, name)),
      SMTP_PORTS,
    );
  const plays: Play[] = [];
  for (const name of names) {
    if (name.includes('-wan.') || name.includes('-rx.')) continue;
    const [outside, other] = [name.replace('-dmz.', '-wan.'), name.replace('-tx.', '-rx.')];
    const frames = await read(name, ...(other === name ? [] : [other]));
    const play = { family, name, ports: SMTP_PORTS, frames };
    if (frames.length > 0) plays.push(outside === name ? play : { ...play, outside: await read(outside) });
  }
  return plays;
}

const LAB_PORTS = [25];
const SHARED = join(__dirname, '../../../../shared');
