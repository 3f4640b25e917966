// Greetings end to end: what a client waits for, what one connection teaches the next, and replies in step.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LearnedEvent, RepairEvent } from '../../../inspect/events';
import { call, eventually, politely, sleep, type Peer } from './peers';
import { closeOf, onStage, upstreamOf, type Remembered } from './stage';

const LONE = '220-mta.example\r\n';
/** Short for a test, and long against a loaded machine's hiccups. */
const PATIENCE = { greeting: { patienceMs: 150 } };
const HOUR = { greeting: { patienceMs: 3_600_000 } };
const NOW = [{ repair: 'now' }] as const;

const lone = (peer: Peer): void => politely(peer, LONE);

/** The incident's server: the second half comes after a while, and then it is a good server. */
const teaser =
  (ms: number, rest: string) =>
  (peer: Peer): void => {
    politely(peer, LONE);
    setTimeout(() => peer.socket.writable && peer.say(rest), ms);
  };

/** EHLO, NOOP, QUIT, each answered by its own reply. */
async function inStep(client: Peer): Promise<void> {
  const before = client.text();
  client.say('EHLO vm\r\n');
  await client.expect('250 PIPELINING\r\n');
  client.say('NOOP\r\n');
  await client.expect('250 2.0.0 ok\r\n');
  client.say('QUIT\r\n');
  await client.expect('221 ');
  await client.ending();
  client.socket.end();
  const replies = '250-mta.example\r\n250 PIPELINING\r\n250 2.0.0 ok\r\n221 2.0.0 bye\r\n';
  assert.is(client.text().slice(before.length), replies);
}

const COMPLETED = /^220-mta\.example\r\n220 mta\.example ESMTP\r\n$/;
const finalLine = '220 mta.example';
const learned = ({ of }: Remembered): LearnedEvent['greeting'][] =>
  of('learned').map(({ greeting }) => greeting);
const repaired = ({ of }: Remembered): RepairEvent['defect'][] => of('repair').map(({ defect }) => defect);

test('a whole greeting passes as it is, and is learned', () =>
  onStage(politely, HOUR, async ({ port, sink }) => {
    const client = await call(port);
    await client.expect('220 mta.example ESMTP\r\n');
    await inStep(client);
    assert.equal(repaired(sink), []);
    assert.equal(learned(sink), ['wellformed']);
  }));

test('a lone 220-: after the patience the client has its last line, and the next one at once', () =>
  onStage(lone, PATIENCE, async ({ port, sink }) => {
    const first = await call(port);
    assert.is(await first.expect(LONE), LONE);
    assert.match(await first.expect(finalLine), COMPLETED);
    const [repair] = sink.of('repair');
    assert.ok((repair?.held ?? 0) >= 150_000, `held ${repair?.held}`);
    assert.equal(repaired(sink), ['truncated']);
    await inStep(first);
    assert.equal(learned(sink), [], 'one client may only raise a suspicion');
    await eventually('ehlowire has looked for itself', () => learned(sink).includes('truncated'));
    assert.equal(
      sink.of('learned').map(({ way }) => way),
      ['verified'],
    );

    const second = await call(port);
    assert.match(await second.expect(finalLine), COMPLETED);
    assert.ok((sink.of('repair')[1]?.held ?? 150_000) < 150_000);
    assert.is(second.chunks.length, 1, 'one greeting, one segment');
    await inStep(second);
  }));

test('who waits already is told what was verified because of another one', () =>
  onStage(lone, PATIENCE, async (stage) => {
    const first = await call(stage.port);
    await first.expect(finalLine);
    await sleep(60);
    const second = await call(stage.port);
    await second.expect(finalLine);
    const [, repair] = stage.sink.of('repair');
    assert.ok((repair?.held ?? 150_000) < 150_000, 'not its own patience');
    for (const peer of [first, second]) await inStep(peer);
  }));

test('now: nobody waits, not even the first', () =>
  onStage(lone, { ...HOUR, listeners: NOW }, async ({ port }) => {
    const client = await call(port);
    assert.match(await client.expect(finalLine), COMPLETED);
    assert.is(client.chunks.length, 1);
    await inStep(client);
  }));

test('never: nothing is changed, whatever is learned', () =>
  onStage(lone, { ...PATIENCE, listeners: [{ repair: 'never' }] }, async ({ port, sink }) => {
    const client = await call(port);
    await eventually('learned', () => sink.of('learned').length > 0);
    assert.is(client.text(), LONE);
    const next = await call(port);
    await next.expect(LONE);
    await sleep(50);
    assert.is(next.text(), LONE);
    next.socket.destroy();
    assert.equal(repaired(sink), []);
    client.socket.destroy();
  }));

test('a teaser within the patience: no repair, no client octet before its end, nothing shifted', () =>
  onStage(teaser(80, '220 mta.example ESMTP\r\n'), { greeting: { patienceMs: 2_000 } }, async (stage) => {
    const client = await call(stage.port);
    assert.is(await client.expect(LONE), LONE);
    await client.expect('220 mta.example ESMTP\r\n');
    assert.is((await upstreamOf(stage)).text(), '');
    await inStep(client);
    assert.equal(repaired(stage.sink), []);
  }));

test('a teaser longer than the patience: the late line is swallowed, replies stay in step, no repair is left in force', () =>
  onStage(teaser(300, '220 mta.example ESMTP Postfix\r\n'), PATIENCE, async ({ port, sink }) => {
    const client = await call(port);
    assert.match(await client.expect(finalLine), COMPLETED);
    await eventually('the late line came', () => learned(sink).includes('teaser'));
    await inStep(client);
    assert.not.match(client.text(), /Postfix/);
    assert.is(learned(sink).at(-1), 'teaser');
  }));

test('a late refusal answers the command that waits for one, then both sides are closed', () =>
  onStage(
    (peer) => {
      peer.say(LONE);
      setTimeout(() => peer.say('521 5.7.1 go away\r\n'), 300);
    },
    PATIENCE,
    async (stage) => {
      const client = await call(stage.port);
      await client.expect(finalLine);
      client.say('EHLO vm\r\n');
      await client.expect('521 5.7.1 go away\r\n');
      assert.is(await client.ending(), 'fin');
      assert.is(await (await upstreamOf(stage)).ending(), 'fin');
      assert.equal(await closeOf(stage.sink), { by: 'server', how: 'fin' });
    },
  ));

test('a late refusal and FIN, before the client asked: kept for its next command', () =>
  onStage(
    (peer) => {
      peer.say(LONE);
      setTimeout(() => peer.socket.end('521 5.7.1 go away\r\n'), 300);
    },
    PATIENCE,
    async (stage) => {
      const client = await call(stage.port);
      await client.expect(finalLine);
      const upstream = await upstreamOf(stage);
      await eventually('the server has gone', () => upstream.socket.writableFinished);
      await sleep(50);
      client.say('EHLO vm\r\n');
      await client.expect('521 5.7.1 go away\r\n');
      assert.is(await client.ending(), 'fin');
      assert.equal(await closeOf(stage.sink), { by: 'server', how: 'fin' });
      assert.is(upstream.text(), '', 'who refused is not spoken to');
    },
  ));

test('a server that closes behind its lone 220-: completed at once, then FIN', () =>
  onStage(
    (peer) => peer.socket.end(LONE),
    HOUR,
    async ({ port }) => {
      const client = await call(port);
      assert.is(await client.ending(), 'fin');
      assert.match(client.text(), COMPLETED);
      client.socket.destroy();
    },
  ));

test('without a name in the greeting the upstream has one, or its address', () =>
  onStage(
    (peer) => peer.say('220-\r\n'),
    { greeting: { patienceMs: 20, hostname: '' } },
    async ({ port }) => {
      const client = await call(port);
      await client.expect('220 [127.0.0.1] ESMTP\r\n');
      client.socket.destroy();
    },
  ));

test('a client that goes while it is waiting leaves nothing behind', () =>
  onStage(lone, HOUR, async (stage) => {
    const client = await call(stage.port);
    await client.expect(LONE);
    client.socket.resetAndDestroy();
    assert.equal(await closeOf(stage.sink), { by: 'client', how: 'rst' });
    await eventually('gone', () => stage.relay.counters.active === 0);
  }));

test.run();
