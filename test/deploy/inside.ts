// Runs in a namespace with two cables, `wan` and `lan`: enters, looks, leaves, and fails wherever it can. Says as JSON
// what was wrong; a test starts it, as a process changes its namespace only as a whole.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createFault, isFault } from '../../proxy/fault';
import { openWire } from '../../proxy/wire/wire';
import { leave, retreat, type Hands } from '../../deploy/journal/enter';
import { readJournal } from '../../deploy/journal/journal';
import { makeStep } from '../../deploy/journal/make';
import { enterBridge, isFaults } from '../../deploy/place';
import { SITUATIONS, type Situation } from './situations.table';
import { difference, settle, snapshot } from './snapshot';

const [name = '', file = '', pins = '', refusing = ''] = process.argv.slice(2);
const wish = {
  ports: { wan: 'wan', lan: 'lan' },
  name: 'ehlowire0',
  pins,
  divert: { mark: 0x4548_0000, table: 4548, priority: 100 },
};

function main(situation: Situation): readonly string[] {
  prepare(situation);
  const before = snapshot();
  const problems: string[] = [];
  // One after another, until there is no such step any more.
  let index = 0;
  for (let tried = refusing === 'refusing'; tried; index += 1) {
    const step = { name: '' };
    // A step of one change is made, and refused all the same.
    const problem = fail(index, 0.5, before, step);
    tried = step.name !== '';
    if (problem !== undefined) problems.push(`refused in the middle of ${step.name}: ${problem}`);
  }
  if (refusing === 'refusing' && index < 3) problems.push(`there were only ${index} steps`);
  return [...problems, ...visit(situation, before)];
}

function prepare({ ip, tc = [], sysctl = {} }: Situation): void {
  for (const [key, value] of Object.entries(sysctl)) writeFileSync(`/proc/sys/${key}`, value);
  execFileSync('ip', ['-batch', '-'], { input: `${ip.join('\n')}\n` });
  execFileSync('tc', ['-batch', '-'], { input: `${tc.join('\n')}\n` });
}

/** In, a look around, and out. */
function visit({ inside }: Situation, before: string): readonly string[] {
  const place = enterBridge(wish, { file, attach });
  if (isFaults(place)) return place.map((fault) => `refused: ${JSON.stringify(fault)}`);
  settle();
  const problems = inside.flatMap(({ of, has = [], lacks = [] }) => {
    const text = spawnSync('ip', of.split(' '), { encoding: 'utf8' }).stdout;
    return [
      ...has.filter((part) => !text.includes(part)).map((part) => `ip ${of}: no "${part}" in ${text}`),
      ...lacks.filter((part) => text.includes(part)).map((part) => `ip ${of}: "${part}" in ${text}`),
    ];
  });
  problems.push(...leave(file, place.journal).map((fault) => `not left: ${JSON.stringify(fault)}`));
  const differs = difference(before, snapshot());
  if (differs !== undefined) problems.push(`after leaving:\n${differs}`);
  if (readJournal(file) !== undefined) problems.push('the journal is still there');
  if (existsSync(pins)) problems.push('something is still pinned');
  return problems;
}

/** All is as it was when a step is refused, whether it was made to some part or not. `seen`: which step it was. */
function fail(index: number, part: number, before: string, seen: { name: string }): string | undefined {
  let count = 0;
  const make: typeof makeStep = (step, at) => {
    count += 1;
    if (count - 1 !== index) return makeStep(step, at);
    seen.name = step.name;
    makeStep({ ...step, changes: step.changes.slice(0, Math.ceil(step.changes.length * part)) }, at);
    return createFault('network-refused', 'a test');
  };
  const place = enterBridge(wish, { file, attach, make });
  if (!isFaults(place)) {
    // No such step: all went well, and is undone without what is pinned, which is needed again.
    retreat(file, place.journal);
    return difference(before, snapshot());
  }
  if (place.length !== 1) return `could not go back: ${JSON.stringify(place)}`;
  if (readJournal(file) !== undefined) return 'the journal is still there';
  return difference(before, snapshot());
}

const wire = openWire({ pins, ringOctets: 4096 });
if (isFault(wire)) throw new Error(JSON.stringify(wire));
const attach: Hands['attach'] = (at) => wire.attach(at);
const situation = SITUATIONS.find((each) => each.name === name);
if (situation === undefined) throw new Error(`no such situation: ${name}`);
process.stdout.write(JSON.stringify(main(situation)));
