// STARTTLS: nothing plain crosses around it, from neither side, and honest TLS is not touched.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Relayed } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { makeMessage, writeMessage } from '../../kit/message';
import { discard, run, scratch, start, until, type Child } from '../../kit/process';
import { awaitWord } from '../../kit/topology';
import { clientNamed } from '../peers/clients';
import { awaitMail } from '../peers/maildir';
import { startPostfix, type Postfix } from '../peers/postfix';
import { deliverByDialogue } from '../peers/s_client';
import { selfSigned } from '../peers/selfsigned';
import { startChopper } from './chopper';
import { startRuled } from './rules';
import { playAll } from './smuggle';
import { COMMANDS, cutsOf, INJECTED, REPLIES, type Injection } from './starttls.table';
import { startTlsPeer, type TlsPeer } from './tls-peer';
import { openTalker } from './talker';

const lab = labSuite('policy/starttls');
const AT_ONCE = 30;

let peer: TlsPeer;
let postfix: Postfix;
let victim: Child;
let relay: Relayed;
let watching: Relayed;

lab.before(async () => {
  const { key, certificate } = await selfSigned();
  victim = start('python3', ['-u', VICTIM, 'server', key, certificate]);
  await awaitWord(victim, 'ready');
  [peer, postfix] = await Promise.all([startTlsPeer(), startPostfix()]);
  const victimPort = Number(/^ready (\d+)/.exec(victim.output())?.[1]);
  const upstreams = [peer.port, postfix.port, victimPort];
  [relay, watching] = await Promise.all([
    startRuled(upstreams),
    startRuled(upstreams, { starttls: 'observe' }),
  ]);
});
lab.after(async () => {
  await Promise.all([relay.stop(), watching.stop()]);
  await Promise.all([peer.stop(), postfix.stop(), victim.stop('SIGKILL')]);
  relay.discard();
  watching.discard();
});

/** Scripted peers that make each mistake there is: see the file. */
const VICTIM = join(__dirname, 'starttls_victim.py');
const PYTHON: readonly Need[] = ['python3', 'openssl'];

/** What came to each side in the end. */
interface Told {
  readonly server: string;
  readonly client: string;
}

/** One client and one server: each says its octets in its pieces. */
async function playInjection(
  port: number,
  id: string,
  client: Injection,
  server: Injection,
  cuts: Cuts,
): Promise<Told> {
  peer.prepare(id, Buffer.from(server.octets, 'latin1'), cuts.server);
  const talker = openTalker(port);
  await talker.reply();
  await talker.say(`EHLO ${id}\r\n`);
  await talker.reply();
  await talker.say(client.octets, cuts.client);
  await Promise.race([talker.ended, sleep(AFTER_MS)]);
  talker.hangUp();
  // What was on its way to the server is there when its connection has ended.
  await until(`the end of ${id}`, () => peer.closed(id) || undefined);
  return { server: peer.received(id).toString('latin1'), client: talker.heard() };
}

interface Cuts {
  readonly client: readonly number[];
  readonly server: readonly number[];
}

/** The relay may go on with what is TLS: it is given this long to send what it should not. */
const AFTER_MS = 1_500;

const [HONEST_COMMAND, HONEST_REPLY] = [
  { name: 'STARTTLS', octets: 'STARTTLS\r\n', from: 10 },
  { name: '220', octets: '220 2.0.0 ready\r\n', from: 17 },
];

/** As many commands as the row has replies to, in one flow. */
function commandsFor({ octets }: Injection): Injection {
  return octets.startsWith('250') ? { ...HONEST_COMMAND, octets: 'NOOP\r\nSTARTTLS\r\n' } : HONEST_COMMAND;
}

for (const [who, rows] of [
  ['client', COMMANDS],
  ['server', REPLIES],
] as const) {
  for (const row of rows) {
    lab.test(`${who}, ${row.name}: cut off in every piece`, [], async () => {
      const faults = await playAll(cutsOf(row), AT_ONCE, async ({ name, at }) => {
        const id = `${who}-${rows.indexOf(row)}-${name.replaceAll(/\W+/g, '-')}.example`;
        const told =
          who === 'client'
            ? await playInjection(relay.ports[0] ?? 0, id, row, HONEST_REPLY, { client: at, server: [] })
            : await playInjection(relay.ports[0] ?? 0, id, commandsFor(row), row, { client: [], server: at });
        const crossed = who === 'client' ? told.server : told.client;
        return crossed.includes(INJECTED) ? `${name}: it crossed` : undefined;
      });
      assert.equal(
        faults.filter((fault) => fault !== undefined),
        [],
      );
    });
  }
}

lab.test('both are blocked by name in the log, once each connection', [], async () => {
  await until('them', () => relay.events().some(({ event }) => event === 'blocked') || undefined);
  const blocked = relay.events().filter(({ event }) => event === 'blocked');
  assert.ok(
    blocked.every(({ rule }) => String(rule).includes('starttls')),
    JSON.stringify(blocked.at(0)),
  );
  assert.ok(!JSON.stringify(blocked).includes(INJECTED));
});

lab.test('observe: it crosses, and the log names it', [], async () => {
  const [command] = COMMANDS;
  assert.ok(command);
  const told = await playInjection(watching.ports[0] ?? 0, 'observed.example', command, HONEST_REPLY, {
    ...{ client: [], server: [] },
  });
  assert.ok(told.server.includes(INJECTED));
  const named = (): boolean => watching.events().some(({ anomaly }) => anomaly === 'starttls-injection');
  await until('the log to name it', () => named() || undefined);
});

lab.test('STARTTLS refused: the dialogue goes on', [], async () => {
  for (const reply of ['454 4.7.0 not now', '502 5.5.1 no', '501 5.5.4 no']) {
    const id = `refused-${reply.slice(0, 3)}.example`;
    peer.prepare(id, Buffer.from(`${reply}\r\n`), []);
    const talker = openTalker(relay.ports[0] ?? 0);
    await talker.reply();
    for (const line of [`EHLO ${id}`, 'STARTTLS', 'NOOP', 'MAIL FROM:<a@client.example>', 'QUIT']) {
      await talker.say(`${line}\r\n`);
      assert.match(await talker.reply(), line === 'STARTTLS' ? reply : /^2/, line);
    }
    await talker.ended;
    talker.hangUp();
  }
});

lab.test('a server that keeps plain commands for later: none is obeyed inside TLS', PYTHON, async () => {
  const before = victim.output().length;
  for (const pieces of ['one', 'two']) {
    const { output } = await run('python3', [VICTIM, 'injecting-client', String(relay.ports[2]), pieces]);
    assert.match(output, /^(cut off|tls)/m, output);
  }
  assert.not.match(victim.output().slice(before), INJECTED);
});

lab.test('a client that keeps plain replies for later: none is believed inside TLS', PYTHON, async () => {
  const { key, certificate } = await selfSigned();
  for (const pieces of ['one', 'two']) {
    const evil = start('python3', ['-u', VICTIM, 'injecting-server', key, certificate, pieces]);
    await awaitWord(evil, 'ready');
    const between = await startRuled([Number(/^ready (\d+)/.exec(evil.output())?.[1])]);
    const { output } = await run('python3', [VICTIM, 'client', String(between.ports[0])]);
    await Promise.all([between.stop(), evil.stop('SIGKILL')]);
    between.discard();
    assert.match(output, /^(cut off|believed)/m, output);
    assert.not.match(output, INJECTED);
  }
});

lab.test('both scripted peers are victims without the relay', PYTHON, async () => {
  const { key, certificate } = await selfSigned();
  const before = victim.output().length;
  await run('python3', [VICTIM, 'injecting-client', /^ready (\d+)/.exec(victim.output())?.[1] ?? '', 'one']);
  await until(
    'it to obey',
    () => victim.output().slice(before).includes(`tls MAIL FROM:<${INJECTED}`) || undefined,
  );
  const evil = start('python3', ['-u', VICTIM, 'injecting-server', key, certificate, 'one']);
  await awaitWord(evil, 'ready');
  const { output } = await run('python3', [VICTIM, 'client', /^ready (\d+)/.exec(evil.output())?.[1] ?? '']);
  await evil.stop('SIGKILL');
  assert.match(output, `believed 250 ${INJECTED}`);
});

const HONEST: readonly Need[] = ['postfix', 'openssl'];

for (const version of ['-tls1_2', '-tls1_3']) {
  for (const chopped of [false, true]) {
    lab.test(`openssl ${version} to Postfix${chopped ? ', octet by octet' : ''}`, HONEST, async () => {
      const folder = scratch('starttls');
      const message = makeMessage({ octets: 2_000 });
      const path = writeMessage(join(folder, 'message.eml'), message);
      const chopper = await startChopper(relay.ports[1] ?? 0, { replies: false });
      const port = chopped ? chopper.port : (relay.ports[1] ?? 0);
      const errand = { host: '127.0.0.1', port, path, starttls: true, timeoutMs: 60_000 };
      const result = await deliverByDialogue(errand, [version]);
      await chopper.stop();
      assert.ok(result.ok, result.output);
      assert.is((await awaitMail(postfix, message)).hash(), message.hash);
      discard(folder);
    });
  }
}

lab.test('a server whose TLS comes octet by octet', ['postfix', 'python3'], async () => {
  const chopper = await startChopper(postfix.port, { replies: true });
  const between = await startRuled([chopper.port]);
  const folder = scratch('starttls');
  const message = makeMessage({ octets: 2_000 });
  const path = writeMessage(join(folder, 'message.eml'), message);
  const errand = { host: '127.0.0.1', port: between.ports[0] ?? 0, path, starttls: true, timeoutMs: 60_000 };
  const result = await clientNamed('smtplib').deliver(errand);
  await between.stop();
  await chopper.stop();
  assert.ok(result.ok, result.output);
  assert.equal(
    between.events().filter(({ event }) => event === 'blocked'),
    [],
  );
  between.discard();
  discard(folder);
});

lab.run();
