// The fault matrix by hand: run.ts [--runs N] [--only PART] [--keep FOLDER] [--width N]

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scratch } from '../../kit/process';
import { describe, nameOf, playAll, tasksOf, type Task } from './matrix';
import { ROWS } from './table';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '1' },
      only: { type: 'string' },
      /** Recordings stay there. */
      keep: { type: 'string' },
      width: { type: 'string', default: '4' },
    },
  });
  const { only } = values;
  const tasks = tasksOf(ROWS).filter((task) => only === undefined || nameOf(task).includes(only));
  let failed = false;
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const folder = values.keep === undefined ? scratch('faults') : join(values.keep, String(run));
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    const began = performance.now();
    const onPlayed = (task: Task, seconds: number): void =>
      console.error(`played in ${seconds.toFixed(1)} s: ${nameOf(task)}`);
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
