// ehlowire as a user runs it: in, killed, back, out, and what is said when it cannot.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ABI } from '../../../proxy/wire/abi';
import { until } from '../../kit/process';
import { BRIDGE, scene } from './scene';

/** Where the kernel has links, the program at a hook stays for as long as this. */
const LINK = `v${ABI}/link_wan_ingress`;

scene('killed: the program stays; leave undoes all of it, twice, without any process', async (it) => {
  const before = await it.snapshot();
  const child = await it.enter(...BRIDGE);
  await child.stop('SIGKILL');
  assert.is(await it.programs('wan', 'ingress'), 1);
  const status = await it.say('status', '--json');
  assert.is(status.code, 1, 'no process lives');
  const told = JSON.parse(status.output) as Record<string, unknown>;
  assert.is(told['process'], null);
  assert.equal(told['problems'], []);
  const first = await it.say('leave');
  assert.is(first.code, 0, first.output);
  assert.is(await it.snapshot(), before);
  assert.not.ok(existsSync(it.stage.pins));
  assert.not.ok(existsSync(it.stage.journal));
  const second = await it.say('leave');
  assert.is(second.code, 0, second.output);
  assert.match(second.output, 'nothing to undo');
});

scene(
  'killed and started again: it takes over what is pinned, and leaves as if it had been one',
  async (it) => {
    const before = await it.snapshot();
    await (await it.enter(...BRIDGE)).stop('SIGKILL');
    const again = await it.enter(...BRIDGE);
    assert.match(again.output(), '"adopted":true');
    assert.is(await it.programs('wan', 'ingress'), 1);
    assert.is(await it.programs('lan', 'ingress'), 1);
    const status = await it.say('status');
    assert.is(status.code, 0, status.output);
    assert.match(status.output, /^Attached on ehlowire0, between wan and lan/);
    const left = await it.say('leave');
    assert.is(left.code, 0, left.output);
    assert.is((await again.ended).code, 0, 'leave ends the process');
    assert.is(await it.snapshot(), before);
  },
);

scene('a signal ends the process and nothing else; --keep-bridge leaves a plain bridge', async (it) => {
  const before = await it.snapshot();
  const child = await it.enter(...BRIDGE);
  assert.is((await child.stop('SIGTERM')).code, 0);
  assert.is(await it.programs('lan', 'ingress'), 1);
  const kept = await it.say('leave', '--keep-bridge');
  assert.is(kept.code, 0, kept.output);
  assert.is(await it.programs('lan', 'ingress'), 0);
  assert.match(it.stage.ip('link', 'show', 'wan'), 'master ehlowire0');
  const status = await it.say('status');
  assert.is(status.code, 1);
  assert.match(status.output, /^Detached: ehlowire0 is still a plain bridge/);
  assert.not.match(it.stage.ip('rule'), 'fwmark');
  assert.is((await it.say('leave')).code, 0);
  assert.is(await it.snapshot(), before);
});

scene('a second one is refused: other ports, the same ports, and the host', async (it) => {
  const child = await it.enter(...BRIDGE);
  const same = await it.say(...BRIDGE);
  assert.is(same.code, 1);
  assert.match(same.output, `already running: process ${child.pid}`);
  await child.stop('SIGKILL');
  for (const args of [
    ['bridge', '--wan', 'lan', '--lan', 'wan'],
    ['host', '--dev', 'wan'],
  ]) {
    const other = await it.say(...args);
    assert.is(other.code, 1);
    assert.match(
      other.output,
      /already attached: on ehlowire0, between wan and lan: `ehlowire leave` first\n/,
    );
  }
  assert.is(await it.programs('wan', 'ingress'), 1, 'what is in force stays');
});

scene('a port that is gone does not keep the rest from being undone', async (it) => {
  await (await it.enter(...BRIDGE)).stop('SIGKILL');
  it.stage.ip('link', 'delete', 'lan');
  const status = await it.say('status');
  assert.is(status.code, 1);
  assert.match(status.output, 'lan is gone');
  const left = await it.say('leave');
  assert.is(left.code, 0, left.output);
  assert.match(it.stage.ip('-br', 'address', 'show', 'wan'), '198.18.0.2/24');
  assert.not.match(it.stage.ip('-br', 'link'), 'ehlowire0');
});

scene('what somebody took away is told, each with what mends it, and so it is mended', async (it) => {
  const before = await it.snapshot();
  await (await it.enter(...BRIDGE)).stop('SIGTERM');
  if (existsSync(join(it.stage.pins, LINK))) rmSync(join(it.stage.pins, LINK));
  else await it.stage.run('tc', 'filter', 'delete', 'dev', 'wan', 'ingress');
  await until('the program is gone', async () => (await it.programs('wan', 'ingress')) === 0 || undefined);
  it.stage.ip('rule', 'delete', 'fwmark', '0x45480000');
  it.stage.ip('route', 'flush', 'table', '4548');
  it.stage.ip('link', 'set', 'lan', 'nomaster');
  const status = await it.say('status');
  assert.is(status.code, 1);
  const again = '`systemctl restart ehlowire-bridge`, or `ehlowire bridge --wan wan --lan lan`';
  assert.equal(
    status.output.split('\n').filter((line) => line.startsWith('  !')),
    [
      `  ! lan is no port of ehlowire0 any more, and no frame is forwarded: ${again}`,
      `  ! no program at wan ingress, and frames there are neither recorded nor repaired: ${again}`,
      `  ! the IPv4 route for relayed connections is gone from table 4548, and they are lost: ${again}`,
      `  ! the IPv4 rule for relayed connections is gone, and they are lost: ${again}`,
    ],
  );
  const child = await it.enter(...BRIDGE);
  const mended = await it.say('status');
  assert.is(mended.code, 0, mended.output);
  await child.stop('SIGKILL');
  rmSync(it.stage.pins, { recursive: true });
  const unpinned = await it.say('status');
  assert.match(unpinned.output, /^ {2}! the pinned tables in \S+ are gone; .*: `ehlowire leave`, then /m);
  const left = await it.say('leave');
  assert.is(left.code, 0, left.output);
  assert.is(await it.snapshot(), before);
});

scene('after a reboot the journal is dropped, not undone', async (it) => {
  await (await it.enter(...BRIDGE)).stop('SIGKILL');
  const text = readFileSync(it.stage.journal, 'utf8').replace(/"boot": "[^"]*"/, '"boot": "another"');
  writeFileSync(it.stage.journal, text);
  const status = await it.say('status');
  assert.is(status.code, 1);
  assert.match(status.output, 'before this machine was restarted');
  const left = await it.say('leave');
  assert.is(left.code, 0);
  assert.match(left.output, 'started anew');
  assert.match(it.stage.ip('-br', 'link'), 'ehlowire0');
  assert.not.ok(existsSync(it.stage.journal));
});

scene("host: of the mail server's interface only the filters change", async (it) => {
  const before = await it.snapshot();
  const child = await it.enter('host', '--dev', 'wan');
  assert.is(await it.programs('wan', 'ingress'), 1);
  assert.is(await it.programs('wan', 'egress'), 1);
  const status = await it.say('status');
  assert.is(status.code, 0, status.output);
  assert.match(status.output, '`ehlowire host` relays nothing');
  await child.stop();
  assert.is((await it.say('leave')).code, 0);
  assert.is(await it.snapshot(), before);
});

const REFUSED: readonly {
  readonly name: string;
  readonly prepare?: readonly string[];
  readonly args: readonly string[];
  readonly code: number;
  readonly says: RegExp;
}[] = [
  {
    name: 'no such interface',
    args: ['bridge', '--wan', 'wan', '--lan', 'none'],
    code: 1,
    says: /no such interface: none/,
  },
  { name: 'one side only', args: ['bridge', '--wan', 'wan', '--lan', 'wan'], code: 2, says: /name two/ },
  {
    name: 'loopback',
    args: ['bridge', '--wan', 'lo', '--lan', 'wan'],
    code: 2,
    says: /no bridge can be made: lo/,
  },
  {
    name: 'an unknown path',
    args: [...BRIDGE, '--path', 'fast'],
    code: 2,
    says: /--path fast: must be auto, wire, relay/,
  },
  {
    name: 'different MTU',
    prepare: ['link', 'set', 'wan', 'mtu', '1400'],
    args: BRIDGE,
    code: 2,
    says: /wan 1400, lan 1500: .*`ip link set lan mtu 1400`/,
  },
  {
    name: 'the name is taken',
    prepare: ['link', 'add', 'ehlowire0', 'type', 'bridge'],
    args: BRIDGE,
    code: 2,
    says: /there is an interface ehlowire0/,
  },
  {
    name: 'relay, and no way for it',
    prepare: ['route', 'delete', 'default'],
    args: [...BRIDGE, '--path', 'relay'],
    code: 2,
    says: /nothing can be relayed here: there is no IPv4 route back/,
  },
];

for (const { name, prepare, args, code, says } of REFUSED) {
  scene(`refused, and nothing changed: ${name}`, async (it) => {
    if (prepare !== undefined) it.stage.ip(...prepare);
    const before = await it.snapshot();
    const outcome = await it.say(...args);
    assert.is(outcome.code, code, outcome.output);
    assert.match(outcome.output, says);
    assert.is(await it.snapshot(), before);
    assert.not.ok(existsSync(it.stage.pins));
    assert.not.ok(existsSync(it.stage.journal));
  });
}

test.run();
