// Runs in a namespace with two cables, `wan` and `lan`: enters, looks, leaves, and fails wherever it can. Says as JSON
// what was wrong; a test starts it, as a process changes its namespace only as a whole.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { createFault, isFault, isFaults } from '../../../proxy/system/fault';
import { openWire, type Wire } from '../../../proxy/wire/wire';
import { leave, type Hands } from '../../../deploy/journal/enter';
import { readJournal } from '../../../deploy/journal/journal';
import { makeStep } from '../../../deploy/journal/make';
import { enterBridge } from '../../../deploy/attach/attach';
import { SITUATIONS, type Situation } from './situations.table';
import { difference, settle, snapshot } from './snapshot';

const [name = '', file = '', pins = '', mode = '', moment = ''] = process.argv.slice(2);
const wish = {
  ports: { wan: 'wan', lan: 'lan' },
  name: 'ehlowire0',
  pins,
  divert: { mark: 0x4548_0000, table: 4548, priority: 100 },
  mustRelay: false,
};

function main(situation: Situation): readonly string[] {
  if (mode === 'killed') return dieInside();
  prepare(situation);
  const before = snapshot();
  const rows = { entering: () => [], refusing: () => refuseEach(before), killing: () => killEach(before) };
  const problems = rows[mode as keyof typeof rows]();
  return [...problems, ...visit(situation, before)];
}

/** One step after another is refused, until there is no such step any more. */
function refuseEach(before: string): readonly string[] {
  const problems: string[] = [];
  let index = 0;
  for (let tried = true; tried; index += 1) {
    const step = { name: '' };
    // A step of one change is made, and refused all the same.
    const problem = fail(index, 0.5, before, step);
    tried = step.name !== '';
    if (problem !== undefined) problems.push(`refused in the middle of ${step.name}: ${problem}`);
  }
  return index < 3 ? [...problems, `there were only ${index} steps`] : problems;
}

/** Killed at one moment after another, each time in a process of its own, until it is not killed any more. */
function killEach(before: string): readonly string[] {
  const problems: string[] = [];
  let moment = 0;
  for (; ; moment += 1) {
    const args = [...process.execArgv, __filename, name, file, pins, 'killed', String(moment)];
    const { signal, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    const journal = readJournal(file);
    const where = `killed at moment ${moment}`;
    if (signal === null && stdout !== '[]') problems.push(`${where}: ${stdout}${stderr}`);
    if (journal === undefined && existsSync(pins)) problems.push(`${where}: pinned, and no journal`);
    if (isFault(journal)) problems.push(`${where}: ${JSON.stringify(journal)}`);
    else if (journal !== undefined)
      problems.push(...leave(file, journal).faults.map((fault) => `${where}: not left: ${fault.on}`));
    const differs = difference(before, snapshot());
    if (differs !== undefined) problems.push(`${where}: ${differs}`);
    if (existsSync(pins)) problems.push(`${where}: something is still pinned`);
    if (signal === null) break;
  }
  return moment < 8 ? [...problems, `there were only ${moment} moments`] : problems;
}

/** Before the program is loaded, behind that, and in the midst of each step. */
function dieInside(): readonly string[] {
  let count = -1;
  const pass = (): void => {
    count += 1;
    if (count === Number(moment)) process.kill(process.pid, 'SIGKILL');
  };
  const make: typeof makeStep = (step, attach) => {
    if (Number(moment) === count + 1)
      makeStep({ ...step, changes: step.changes.slice(0, Math.ceil(step.changes.length / 2)) }, attach);
    pass();
    return makeStep(step, attach);
  };
  const loadHere = (): ReturnType<Hands['load']> => {
    pass();
    const attach = load();
    pass();
    return attach;
  };
  const place = enterBridge(wish, { file, load: loadHere, make });
  return isFaults(place) ? place.map((fault) => `refused: ${JSON.stringify(fault)}`) : [];
}

function prepare({ ip, tc = [], sysctl = {} }: Situation): void {
  for (const [key, value] of Object.entries(sysctl)) writeFileSync(`/proc/sys/${key}`, value);
  execFileSync('ip', ['-batch', '-'], { input: `${ip.join('\n')}\n` });
  execFileSync('tc', ['-batch', '-'], { input: `${tc.join('\n')}\n` });
}

/** In, a look around, and out. */
function visit({ inside }: Situation, before: string): readonly string[] {
  const place = enterBridge(wish, { file, load });
  if (isFaults(place)) return place.map((fault) => `refused: ${JSON.stringify(fault)}`);
  settle();
  const problems = inside.flatMap(({ of, has = [], lacks = [] }) => {
    const text = spawnSync('ip', of.split(' '), { encoding: 'utf8' }).stdout;
    return [
      ...has.filter((part) => !text.includes(part)).map((part) => `ip ${of}: no "${part}" in ${text}`),
      ...lacks.filter((part) => text.includes(part)).map((part) => `ip ${of}: "${part}" in ${text}`),
    ];
  });
  problems.push(...leave(file, place.journal).faults.map((fault) => `not left: ${JSON.stringify(fault)}`));
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
  const place = enterBridge(wish, { file, load, make });
  if (!isFaults(place)) {
    // No such step: all went well, and is undone.
    leave(file, place.journal);
    return difference(before, snapshot());
  }
  if (place.length !== 1) return `could not go back: ${JSON.stringify(place)}`;
  if (readJournal(file) !== undefined) return 'the journal is still there';
  return difference(before, snapshot());
}

let wire: Wire | undefined;
function load(): ReturnType<Hands['load']> {
  wire?.close();
  const opened = openWire({ pins, ringOctets: 4096 });
  if (isFault(opened)) return opened;
  wire = opened;
  return (at) => opened.attach(at);
}
const situation = SITUATIONS.find((each) => each.name === name);
if (situation === undefined) throw new Error(`no such situation: ${name}`);
process.stdout.write(JSON.stringify(main(situation)));
