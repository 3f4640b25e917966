// The degradation matrix by hand: run.ts [--only PLAY] [--way WAY] [--sample N] [--save DIR] [--write FILE] [--workers N]

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFrames } from './files';
import type { Named } from './matrix';
import { describe, markdown } from './report';
import { runAll } from './workers';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      /** Regular expressions: plays as `family: name`, and ways. */
      only: { type: 'string' },
      way: { type: 'string' },
      /** One variant of so many. */
      sample: { type: 'string' },
      /** Wrong variants go there as captures, the first ones. */
      save: { type: 'string' },
      write: { type: 'string' },
      workers: { type: 'string', default: '2' },
    },
  });
  const { only, way, save, sample } = values;
  if (save !== undefined) mkdirSync(save, { recursive: true });
  let saved = 0;
  const onWrong = (named: Named): void => {
    if (save !== undefined && saved < SAVED) saved = keep(save, saved, named);
  };
  const began = performance.now();
  const result = await runAll(
    { only, way, sample: sample === undefined ? undefined : Number(sample) },
    { workers: save === undefined ? Number(values.workers) : 0, onWrong },
  );
  console.log(describe(result, (performance.now() - began) / 1000));
  if (values.write !== undefined) writeFileSync(values.write, markdown(result, Number(sample ?? 1)));
  process.exitCode = result.kinds.length > 0 ? 1 : 0;
}

function keep(folder: string, saved: number, { play, way, variant }: Named): number {
  const name = `${saved + 1}-${`${play} ${way} ${variant.name}`.replace(/[^\w.-]+/g, '-').slice(0, 120)}`;
  const comment = `${play} · ${way} · ${variant.name}`;
  if ('frames' in variant)
    writeFrames(join(folder, `${name}.pcapng`), variant.frames(), comment, !variant.uncounted);
  else {
    const { wan, dmz } = variant.points();
    writeFrames(join(folder, `${name}.wan.pcapng`), wan, comment, true);
    writeFrames(join(folder, `${name}.dmz.pcapng`), dmz, comment, true);
  }
  return saved + 1;
}

const SAVED = 100;

void main();
