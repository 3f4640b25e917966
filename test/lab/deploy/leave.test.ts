// Leaving at any moment, whoever else is at work, and whatever has become of the network since.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../kit/process';
import { BRIDGE, LAUNCHER, scene } from './scene';

scene(
  'leave while bridge starts ends it, at whichever moment: nothing stays, and nothing comes later',
  async (it) => {
    const before = await it.snapshot();
    const running = join(it.stage.journal, '../running.json');
    // From before anything is changed to when all is in place.
    for (const delay of [0, 50, 100, 200, 300, 600, 900, 1_200]) {
      const child = it.start(...BRIDGE);
      await until(
        'it is in charge',
        // It is there, and empty, before it is locked.
        () => statSync(running, { throwIfNoEntry: false })?.size || undefined,
        PATIENCE_MS,
      );
      await sleep(delay);
      const left = await it.say('leave');
      assert.is(left.code, 0, left.output);
      const ended = await child.ended;
      const heard = `after ${delay} ms leave said: ${left.output}\nbridge ended with ${ended.code ?? ended.signal}: ${ended.output}`;
      assert.ok(LEFT.test(left.output), heard);
      // By a signal, and by no fault that the signal made.
      assert.ok(ended.code === 0 || ended.signal !== null, heard);
      assert.ok(!/^ehlowire: /m.test(ended.output), heard);
      assert.is(await it.snapshot(), before);
      assert.not.ok(existsSync(it.stage.pins), 'nothing is pinned');
      assert.not.ok(existsSync(it.stage.journal), 'no journal');
    }
  },
);

scene(
  'two at once: one bridge is in, of two that leave one has nothing to undo, status fits in',
  async (it) => {
    const before = await it.snapshot();
    const both = [1, 2].map(() => it.start(...BRIDGE));
    const asked = it.say('status');
    const first = await Promise.race(both.map(({ ended }) => ended));
    assert.match(first.output, /already running: process \d+, `ehlowire bridge`: see `ehlowire status`/);
    assert.match((await asked).output, /^(Not attached|Attached)/);
    await until(
      'it is in place',
      () => both.some((child) => child.output().includes('"wire-open"')) || undefined,
      PATIENCE_MS,
    );
    const left = await Promise.all([it.say('leave'), it.say('status'), it.say('leave')]);
    assert.match(left[1].output, /^(Not attached|Attached)/);
    const [one, two] = [left[0].output, left[2].output].sort();
    assert.match(one ?? '', /^left; /);
    assert.match(two ?? '', /^(nothing to undo$|nothing to undo: another `ehlowire leave` has undone it$)/m);
    await Promise.all(both.map(({ ended }) => ended));
    assert.is(await it.snapshot(), before);
  },
);

scene('one that ended and that nobody waited for is not running any more', async (it) => {
  const running = join(it.stage.journal, '../running.json');
  // A parent that never asks for its children.
  const line = '"$@" & exec sleep 600';
  const parent = it.stage.start('sh', '-c', line, 'sh', LAUNCHER, ...BRIDGE, ...it.stage.settings);
  await until('it is in place', () => parent.output().includes('"wire-open"') || undefined, PATIENCE_MS);
  const { pid } = JSON.parse(readFileSync(running, 'utf8')) as { pid: number };
  process.kill(pid, 'SIGKILL');
  await until(
    'it ended',
    () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ') || undefined,
    PATIENCE_MS,
  );
  const { process: told } = JSON.parse((await it.say('status', '--json')).output) as { process: unknown };
  assert.is(told, null);
  const again = await it.enter(...BRIDGE);
  await again.stop('SIGTERM');
  assert.is((await it.say('leave')).code, 0);
  await parent.stop('SIGKILL');
});

scene('a port that got another name has its address and routes back', async (it) => {
  await (await it.enter(...BRIDGE)).stop('SIGTERM');
  it.stage.ip('link', 'set', 'wan', 'down');
  it.stage.ip('link', 'set', 'wan', 'name', 'uplink', 'up');
  const left = await it.say('leave');
  assert.is(left.code, 0, left.output);
  assert.match(it.stage.ip('-br', 'address', 'show', 'uplink'), '198.18.0.2/24');
  assert.match(it.stage.ip('route'), 'default via 198.18.0.1 dev uplink');
  assert.not.match(it.stage.ip('-br', 'link'), 'ehlowire0');
});

const IN_THE_WAY: readonly {
  readonly name: string;
  readonly happens: readonly (readonly string[])[];
  readonly says: RegExp;
  readonly helps: readonly string[];
}[] = [
  {
    name: 'the port of the address is gone',
    happens: [['link', 'delete', 'wan']],
    says: /wan is gone, and its address 198\.18\.0\.2\/24 would be lost/,
    helps: ['address', 'delete', '198.18.0.2/24', 'dev', 'ehlowire0'],
  },
  {
    name: "somebody's port",
    happens: [
      ['link', 'add', 'tap0', 'type', 'veth', 'peer', 'name', 'guest'],
      ['link', 'set', 'tap0', 'master', 'ehlowire0'],
    ],
    says: /tap0 is a port of ehlowire0, and not by ehlowire/,
    helps: ['link', 'set', 'tap0', 'nomaster'],
  },
  {
    name: "somebody's address",
    happens: [['address', 'add', '203.0.113.7/24', 'dev', 'ehlowire0']],
    says: /ehlowire0 has the address 203\.0\.113\.7\/24, not by ehlowire/,
    helps: ['address', 'delete', '203.0.113.7/24', 'dev', 'ehlowire0'],
  },
];

for (const { name, happens, says, helps } of IN_THE_WAY) {
  scene(`not left, and nothing changed, until it is out of the way: ${name}`, async (it) => {
    await (await it.enter(...BRIDGE)).stop('SIGTERM');
    for (const words of happens) it.stage.ip(...words);
    const before = await it.snapshot();
    const refused = await it.say('leave');
    assert.is(refused.code, 1, refused.output);
    assert.match(refused.output, says);
    assert.is(await it.snapshot(), before);
    it.stage.ip(...helps);
    const left = await it.say('leave');
    assert.is(left.code, 0, left.output);
    assert.not.match(it.stage.ip('-br', 'link'), 'ehlowire0');
    assert.not.ok(existsSync(it.stage.pins));
  });
}

const LEFT = /^(left; |process \d+, `ehlowire bridge`, was on its way in and has ended: nothing to undo$)/m;

/** On a machine that has much else to do. */
const PATIENCE_MS = 60_000;

test.run();
