// The fault matrix by hand: run.ts [--runs N] [--only PATTERN] [--keep FOLDER] [--width N]

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scratch } from '../../kit/process';
import { playAll } from './matrix';
import { describe } from './report';
import { ROWS } from './table';
import { nameOf, tasksOf, type Playing } from './tasks';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1' },
      only: { type: 'string' },
      /** Recordings stay there. */
      keep: { type: 'string' },
      width: { type: 'string', default: '2' },
    },
  });
  const { only } = values;
  const tasks = tasksOf(ROWS).filter((task) => only === undefined || new RegExp(only).test(nameOf(task)));
  let failed = false;
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const folder = values.keep === undefined ? scratch('faults') : join(values.keep, String(run));
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const began = performance.now();
    const onPlayed = ({ row, serves }: Playing, seconds: number): void =>
      console.error(`played in ${seconds.toFixed(1)} s: ${row.name} [${serves.join(', ')}]`);
    const results = await playAll(tasks, { folder, width: Number(values.width), onPlayed });
    console.log(`\nRun ${run}, ${((performance.now() - began) / 1000).toFixed(0)} s\n\n${describe(results)}`);
    for (const result of results) {
      if (result.error !== undefined) console.log(`\n${nameOf(result)}: ${result.error}`);
    }
    failed ||= results.some(({ ok }) => !ok);
  }
  process.exitCode = failed ? 1 : 0;
}

void main();
