// Killed, started again, upgraded, taken out, a cable pulled: all of it under load, and no connection notices.

import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { run, type Child } from '../../kit/process';
import { LONE, makeWire, meet, ONE, startLoad, startServers, TWO, WHOLE } from '../../kit/wire';
import type { Servers, Tally, Wire } from '../../kit/wire';

const NEEDS: readonly Need[] = ['python3', 'clang', 'bpf'];
const CONNECTIONS = 8;

const lab = labSuite('wire, its life');
let wire: Wire;
let servers: Servers;
let ehlowire: Child;

lab.before(async () => {
  wire = makeWire('l');
  servers = await startServers(wire, `${ONE}=${LONE}`, `${TWO}=${WHOLE}`);
  ehlowire = await wire.enter('--path', 'wire');
  await meet(wire, ONE);
  // It is saved within a second, whatever becomes of the process.
  await sleep(SOME_MS);
});

lab.after(async () => {
  await servers.stop();
  await wire.remove();
});

/** To a server that needs every single one of its greetings repaired, and to one that does not. */
async function underLoad(during: () => Promise<void>): Promise<readonly Tally[]> {
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

function sessions(): LogLine[] {
  return wire.events().filter(({ event }) => event === 'session');
}

function adoptions(): unknown[] {
  return wire
    .events()
    .filter(({ event }) => event === 'wire-open')
    .map(({ adopted }) => adopted);
}

const SOME_MS = 1_500;

lab.test('killed and started again: what happened in between is told from the ring', NEEDS, async () => {
  const before = sessions().length;
  let killed = '';
  const tallies = await underLoad(async () => {
    await ehlowire.stop('SIGKILL');
    killed = new Date().toISOString();
    await sleep(SOME_MS);
    ehlowire = await wire.enter('--path', 'wire');
  });
  assert.equal(adoptions(), [false, true]);
  const opened = String(wire.events().findLast(({ event }) => event === 'wire-open')?.['time']);
  const all = tallies.reduce((sum, { fine }) => sum + fine, 0);
  const least = before + all - 2 * CONNECTIONS;
  // Whoever writes the log has the least priority of all.
  await wire.line(`${least} records`, () => sessions().length >= least, 60_000);
  // Of those that were open as it was killed the one half was read by the dead.
  const between = sessions().filter(({ started }) => String(started) > killed && String(started) < opened);
  assert.ok(between.length > CONNECTIONS, `${between.length} sessions of the time between`);
  for (const line of between) {
    const { messages, 'bytes.client': octets, 'retransmits.client': again } = line;
    assert.equal({ messages, octets, again }, { messages: 2, octets: 395, again: 0 }, JSON.stringify(line));
  }
  assert.equal(
    wire.events().filter(({ event }) => event === 'loss' || event === 'verdict'),
    verdictsOfMeeting(),
  );
});

/** The server's greeting is truncated, and that is told. */
function verdictsOfMeeting(): LogLine[] {
  return wire.events().filter((line) => line['verdict'] === 'greeting-truncated');
}

lab.test('upgraded: filters change over, and no greeting passes unrepaired', NEEDS, async () => {
  const launcher = await nextVersion('next', 'maps.h', /#define EXTENSIONS 4/, '#define EXTENSIONS 3');
  await underLoad(() => change(launcher));
  assert.is(adoptions().at(-1), true);
  await programsAre(1);
});

lab.test('upgraded to other tables, and back: what was learned goes along', NEEDS, async () => {
  const launcher = await nextVersion(
    'other',
    'abi.h',
    /#define EHLOWIRE_ABI \d+/,
    '#define EHLOWIRE_ABI 4711',
  );
  for (const each of [launcher, undefined]) {
    const known = startLoad(wire, ONE, { connections: 2, pace: 0.02 });
    const other = startLoad(wire, TWO, { connections: CONNECTIONS, pace: 0.02 });
    await Promise.all([known.greeted, other.greeted]);
    await change(each);
    assert.is(adoptions().at(-1), false);
    assert.equal((await other.stop()).failed, {});
    const { fine, failed } = await known.stop();
    // At most one that was between its SYN and its greeting: nobody knows any more what it is.
    const lost = Object.values(failed).reduce((sum, count) => sum + count, 0);
    assert.ok(fine > 2 && lost <= 1, JSON.stringify({ fine, failed }));
    await programsAre(1);
  }
});

async function change(launcher: string | undefined): Promise<void> {
  await ehlowire.stop('SIGTERM');
  ehlowire = await (launcher === undefined
    ? wire.enter('--path', 'wire')
    : wire.enterBy(launcher, '--path', 'wire'));
}

async function programsAre(count: number): Promise<void> {
  for (const device of ['wan', 'lan']) {
    const { output } = await wire.run('tc', 'filter', 'show', 'dev', device, 'ingress');
    assert.is(output.split('name ehlowire_').length - 1, count, output);
  }
}

/** This tree with something changed in the program. */
async function nextVersion(name: string, file: string, from: RegExp, to: string): Promise<string> {
  const root = join(__dirname, '../../..');
  const next = join(wire.folder, name);
  for (const part of ['ehlowire', 'package.json', 'tsconfig.json', 'inspect', 'proxy', 'deploy']) {
    cpSync(join(root, part), join(next, part), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(next, 'node_modules'));
  const replace = (path: string, pattern: RegExp, by: string): void => {
    const text = readFileSync(path, 'utf8');
    assert.match(text, pattern);
    writeFileSync(path, text.replace(pattern, by));
  };
  replace(join(next, 'proxy/wire', file), from, to);
  if (file === 'abi.h') replace(join(next, 'proxy/wire/abi.ts'), /const ABI = \d+/, 'const ABI = 4711');
  const built = await run(join(next, 'proxy/wire/build.sh'), []);
  assert.is(built.code, 0, built.output);
  return join(next, 'ehlowire');
}

lab.test('a cable out and in again: nothing is lost, and status told of it', NEEDS, async () => {
  let broken = '';
  await underLoad(async () => {
    wire.ip('shim', 'link set lan down');
    broken = (await wire.status()).broken.join();
    wire.ip('shim', 'link set lan up');
  });
  assert.match(broken, 'lan is down');
  assert.equal((await wire.status()).broken, []);
});

lab.test('taken out: the bridge goes on, and repairs end', NEEDS, async () => {
  const load = startLoad(wire, TWO, { connections: CONNECTIONS, pace: 0.02 });
  await load.greeted;
  const left = await wire.leave('--keep-bridge');
  assert.is(left.code, 0, left.output);
  await sleep(SOME_MS);
  assert.equal((await load.stop()).failed, {});
  assert.is((await ehlowire.ended).code, 0);
  await programsAre(0);
});

lab.run();
