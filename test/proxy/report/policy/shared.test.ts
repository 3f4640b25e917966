// Captures of real dialogues, made by others: under the default policy none of them is refused or changed.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runPass } from '../../../../proxy/report/analyze/pass';
import { createDryRun } from '../../../../proxy/report/policy/capture';
import { createTally } from '../../../../proxy/report/policy/tally';
import { policyOf } from '../../../../proxy/config/reload';
import { skip } from '../../../kit/lab';

const PORTS = [25, 587, 465, 2525, 10_025];
const FOLDERS = ['captures', 'cases'].map((name) => join(__dirname, '../../../../../shared', name));

interface Played {
  readonly connections: number;
  /** `effect rule`. */
  readonly found: readonly string[];
}

async function play(file: string, all: boolean): Promise<Played> {
  const tally = createTally();
  const run = createDryRun({ policy: policyOf({}), all, tally, redact: undefined });
  await runPass([file], { ports: PORTS, observer: run, turn: () => Promise.resolve(true) });
  return {
    connections: run.counts.connections,
    found: tally.rows.map(({ effect, rule }) => `${effect} ${rule}`),
  };
}

const shared = suite('shared');
let connections = 0;
let strict = 0;
const there = FOLDERS.filter((folder) => existsSync(folder));
for (const folder of there)
  for (const name of readdirSync(folder).filter((each) => /\.pcap(ng)?$/.test(each)))
    shared(`${name}: nothing is refused or changed by default`, async () => {
      const played = await play(join(folder, name), false);
      connections += played.connections;
      assert.equal(
        played.found.filter((each) => !each.startsWith('reported ')),
        [],
      );
      strict += (await play(join(folder, name), true)).found.length;
    });

if (there.length < FOLDERS.length) skip(shared, 'shared', `no folder ${FOLDERS.join(' or ')}`);
else
  shared('they were read, and rules that are stricter would find something in them', () => {
    assert.ok(connections > 50, `${connections} connections`);
    assert.ok(strict > 20, `${strict} findings`);
  });

shared.run();
