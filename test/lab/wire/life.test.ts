// Killed, started again, upgraded, taken out, a cable pulled: all of it under load, and no connection notices.

import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { run, scratch, type Child } from '../../kit/process';
import { LONE, makeWire, meet, ONE, startLoad, startServers, TWO, WHOLE } from '../../kit/wire';
import type { Servers, Tally, Wire } from '../../kit/wire';

const NEEDS: readonly Need[] = ['python3', 'clang', 'bpf'];
const CONNECTIONS = 8;
/** Names the programs that are there. */
const ATTACHED = join(__dirname, '../../kit/attached.py');

/** One way of being in place. */
interface Place {
  readonly name: string;
  readonly as: 'bridge' | 'host';
  /** Its flags. */
  readonly flags: readonly string[];
  /** Where its programs are. */
  readonly hooks: readonly (readonly [device: string, hook: string])[];
  /** What `status` says while the mail server's cable is out. */
  readonly problems: RegExp;
  /** Flags of `leave`, behind which mail still flows. */
  readonly leave: readonly string[];
  /** Only what depends on how the program is attached. */
  readonly brief?: true;
}

const PLACES: readonly Place[] = [
  {
    name: 'bridge',
    as: 'bridge',
    flags: ['--path', 'wire'],
    hooks: [
      ['wan', 'ingress'],
      ['lan', 'ingress'],
    ],
    problems: /lan is down/,
    leave: ['--keep-bridge'],
  },
  {
    // As on every kernel before 6.6.
    name: 'bridge, by filters',
    as: 'bridge',
    flags: ['--path', 'wire', '--set', 'wire.attach=tc'],
    hooks: [
      ['wan', 'ingress'],
      ['lan', 'ingress'],
    ],
    problems: /lan is down/,
    leave: ['--keep-bridge'],
    brief: true,
  },
  {
    name: 'host',
    as: 'host',
    flags: [],
    hooks: [
      ['eth0', 'ingress'],
      ['eth0', 'egress'],
    ],
    problems: /eth0 has no carrier/,
    leave: [],
  },
];

interface Scene {
  readonly place: Place;
  readonly wire: Wire;
  readonly servers: Servers;
  /** The process of the moment. */
  ehlowire: Child;
}

async function raise(place: Place): Promise<Scene> {
  const wire = makeWire(`l${PLACES.indexOf(place)}`, { as: place.as });
  const servers = await startServers(wire, `${ONE}=${LONE}`, `${TWO}=${WHOLE}`);
  const ehlowire = await wire.enter(...place.flags);
  await meet(wire, ONE);
  // It is saved within a second, whatever becomes of the process.
  await sleep(SOME_MS);
  return { place, wire, servers, ehlowire };
}

/** To a server that needs every single one of its greetings repaired, and to one that does not. */
async function underLoad({ wire }: Scene, during: () => Promise<void>): Promise<readonly Tally[]> {
  const loads = [ONE, TWO].map((server) => startLoad(wire, server, { connections: CONNECTIONS, pace: 0.02 }));
  await Promise.all(loads.map(({ greeted }) => greeted));
  await during();
  await sleep(SOME_MS);
  const tallies = await Promise.all(loads.map((load) => load.stop()));
  for (const { fine, failed } of tallies) {
    assert.equal(failed, {});
    assert.ok(fine >= CONNECTIONS, `only ${fine} sessions`);
  }
  return tallies;
}

function linesOf({ wire }: Scene, ...events: readonly string[]): LogLine[] {
  return wire.events().filter(({ event }) => events.includes(String(event)));
}

function adoptions(scene: Scene): unknown[] {
  return linesOf(scene, 'wire-open').map(({ adopted }) => adopted);
}

const SOME_MS = 1_500;
/** For a process with little priority to write its log. */
const PATIENCE_MS = 60_000;

async function killAndStart(scene: Scene): Promise<void> {
  const { wire, place } = scene;
  const sessions = (): LogLine[] => linesOf(scene, 'session');
  const before = sessions().length;
  let killed = '';
  const tallies = await underLoad(scene, async () => {
    await scene.ehlowire.stop('SIGKILL');
    killed = new Date().toISOString();
    await sleep(SOME_MS);
    scene.ehlowire = await wire.enter(...place.flags);
  });
  assert.equal(adoptions(scene), [false, true]);
  const opened = String(linesOf(scene, 'wire-open').at(-1)?.['time']);
  // Whoever reads the ring has the least priority of all, and ends when it is read.
  await change(scene, undefined);
  const all = tallies.reduce((sum, { fine }) => sum + fine, 0);
  const told = sessions().length - before;
  assert.ok(told >= all - 2 * CONNECTIONS, `${told} of ${all} sessions`);
  // Of those that were open as it was killed the one half was read by the dead.
  const between = sessions().filter(({ started }) => String(started) > killed && String(started) < opened);
  assert.ok(between.length > CONNECTIONS, `${between.length} sessions of the time between`);
  for (const line of between) {
    const { messages, 'bytes.client': octets, 'retransmits.client': again } = line;
    assert.equal({ messages, octets, again }, { messages: 2, octets: 395, again: 0 }, JSON.stringify(line));
  }
  // The server's greeting is truncated, and that is told.
  const others = linesOf(scene, 'loss', 'verdict').filter((line) => line['verdict'] !== 'greeting-truncated');
  assert.equal(others, []);
}

async function upgrade(scene: Scene): Promise<void> {
  const launcher = await nextVersion('next', 'maps.h', /#define EXTENSIONS 4/, '#define EXTENSIONS 3');
  await underLoad(scene, () => change(scene, launcher));
  assert.is(adoptions(scene).at(-1), true);
  await programsAre(scene, 1);
}

async function upgradeTables(scene: Scene): Promise<void> {
  const { wire } = scene;
  const launcher = await nextVersion('other', 'abi.h', /\bABI = \d+/, 'ABI = 4711');
  for (const each of [launcher, undefined]) {
    const known = startLoad(wire, ONE, { connections: 2, pace: 0.02 });
    const other = startLoad(wire, TWO, { connections: CONNECTIONS, pace: 0.02 });
    await Promise.all([known.greeted, other.greeted]);
    await change(scene, each);
    assert.is(adoptions(scene).at(-1), false);
    assert.equal((await other.stop()).failed, {});
    const { fine, failed } = await known.stop();
    // At most one that was between its SYN and its greeting: nobody knows any more what it is.
    const lost = Object.values(failed).reduce((sum, count) => sum + count, 0);
    assert.ok(fine > 2 && lost <= 1, JSON.stringify({ fine, failed }));
    await programsAre(scene, 1);
    const { unread, problems } = await wire.status();
    assert.equal(problems, []);
    if (each === undefined) assert.is(unread, null);
    else assert.match(String(unread), /its tables have version 4711, this one reads \d+: /);
  }
}

async function change(scene: Scene, launcher: string | undefined): Promise<void> {
  const { wire, place } = scene;
  await scene.ehlowire.stop('SIGTERM', PATIENCE_MS);
  scene.ehlowire = await (launcher === undefined
    ? wire.enter(...place.flags)
    : wire.enterBy(launcher, ...place.flags));
}

async function programsAre({ wire, place }: Scene, count: number): Promise<void> {
  for (const [device, hook] of place.hooks) {
    const { output } = await wire.run('python3', ATTACHED, device, hook);
    assert.is(output.split('ehlowire_').length - 1, count, output);
  }
}

const versions = new Map<string, Promise<string>>();

/** This tree with something changed in the program; made once. */
function nextVersion(name: string, file: string, from: RegExp, to: string): Promise<string> {
  const known = versions.get(name) ?? buildVersion(file, from, to);
  versions.set(name, known);
  return known;
}

async function buildVersion(file: string, from: RegExp, to: string): Promise<string> {
  const root = join(__dirname, '../../..');
  const next = scratch('version');
  for (const part of ['ehlowire', 'package.json', 'tsconfig.json', 'inspect', 'proxy', 'deploy']) {
    cpSync(join(root, part), join(next, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(next, 'node_modules'));
  const replace = (path: string, pattern: RegExp, by: string): void => {
    const text = readFileSync(path, 'utf8');
    assert.match(text, pattern);
    writeFileSync(path, text.replace(pattern, by));
  };
  replace(join(next, 'proxy/wire/bpf', file), from, to);
  const built = await run('npm', ['--prefix', next, 'run', '-s', 'build:wire']);
  assert.is(built.code, 0, built.output);
  return join(next, 'ehlowire');
}

async function pullTheCable(scene: Scene): Promise<void> {
  const { wire, place } = scene;
  let problems = '';
  await underLoad(scene, async () => {
    wire.ip('shim', 'link set lan down');
    problems = (await wire.status()).problems.join();
    wire.ip('shim', 'link set lan up');
  });
  assert.match(problems, place.problems);
  assert.equal((await wire.status()).problems, []);
}

async function leave(scene: Scene): Promise<void> {
  const { wire, place, ehlowire } = scene;
  const load = startLoad(wire, TWO, { connections: CONNECTIONS, pace: 0.02 });
  await load.greeted;
  const left = await wire.leave(...place.leave);
  assert.is(left.code, 0, left.output);
  await sleep(SOME_MS);
  assert.equal((await load.stop()).failed, {});
  assert.is((await ehlowire.ended).code, 0);
  await programsAre(scene, 0);
}

const ROWS: readonly (readonly [name: string, body: (scene: Scene) => Promise<void>])[] = [
  ['killed and started again: what happened in between is told from the ring', killAndStart],
  ['upgraded: filters change over, and no greeting passes unrepaired', upgrade],
  ['upgraded to other tables, and back: what was learned goes along', upgradeTables],
  ['a cable out and in again: nothing is lost, and status told of it', pullTheCable],
  ['taken out: mail goes on, and repairs end', leave],
];

const BRIEF = ROWS.filter(([, body]) => body !== upgradeTables && body !== pullTheCable);

for (const place of PLACES) {
  const lab = labSuite(`wire, its life as ${place.name}`);
  let scene: Scene | undefined;
  lab.before(async () => void (scene = await raise(place)));
  lab.after(async () => {
    await scene?.servers.stop();
    await scene?.wire.remove();
  });
  for (const [name, body] of place.brief ? BRIEF : ROWS) {
    lab.test(name, NEEDS, async () => {
      assert.ok(scene);
      if (scene !== undefined) await body(scene);
    });
  }
  lab.run();
}
