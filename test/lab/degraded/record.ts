// Records the fault lab's plays anew, as they are kept here: record.ts [--from FOLDER], a folder of `lab:faults --keep`.

import { parseArgs } from 'node:util';
import { scratch } from '../../kit/process';
import { playAll } from '../fault/matrix';
import { describe } from '../fault/report';
import { pack, TASKS } from './recordings';

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { from: { type: 'string' } } });
  const folder = values.from ?? scratch('recordings');
  if (values.from === undefined) console.log(describe(await playAll(TASKS, { folder })));
  await pack(folder);
}

void main();
