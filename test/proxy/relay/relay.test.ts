// The relay as a whole: what stops it from starting, who is let in, who is told to come later, and its end.

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, eventually, GREETING, playServer, politely, type Peer } from './peers';
import { closeOf, configOf, faultOf, onStage, openRelay, rememberingSink } from './stage';

const greet = (peer: Peer): void => peer.say(GREETING);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('a port that is taken: a fault, and what was bound before is free again', async () => {
  const taken = await playServer(() => undefined);
  const free = await freePort();
  const listen = (port: number) => ({ listen: { host: '127.0.0.1', port } });
  assert.is(
    (await faultOf(configOf(1, { listeners: [listen(free), listen(taken.port)] })))?.code,
    'port-in-use',
  );
  assert.is((await faultOf(configOf(1, { listeners: [listen(free)] })))?.code, undefined);
  await taken.close();
});

test('an address that is not ours: a fault', async () => {
  const listeners = [{ listen: { host: '192.0.2.1', port: 0 } }];
  assert.is((await faultOf(configOf(1, { listeners })))?.code, 'address-unavailable');
});

test('an upstream without address: a fault at the start', async () => {
  const listeners = [{ upstream: { host: 'no.such.host.invalid', port: 25 } }];
  const code = (await faultOf(configOf(1, { listeners })))?.code;
  assert.ok(code === 'name-unknown' || code === 'name-unresolved', code);
});

test('several listeners, IPv4 and IPv6, each to its own upstream', async () => {
  const one = await playServer((peer) => politely(peer, '220 one.example\r\n'));
  const two = await playServer((peer) => politely(peer, '220 two.example\r\n'), '::1');
  const sink = rememberingSink();
  const listeners = [
    { upstream: { host: '127.0.0.1', port: one.port } },
    { listen: { host: '::1', port: 0 }, upstream: { host: '::1', port: two.port } },
    { upstream: { host: 'localhost', port: one.port } },
  ];
  const relay = await openRelay(configOf(0, { listeners }), sink);
  try {
    assert.is(sink.notes.filter(({ what }) => what === 'listening').length, 3);
    for (const [index, host, name] of [
      [0, '127.0.0.1', 'one'],
      [1, '::1', 'two'],
      [2, '127.0.0.1', 'one'],
    ] as const) {
      const client = await call(relay.addresses[index]?.port ?? 0, host);
      await client.expect(`220 ${name}.example\r\n`);
      client.socket.end('QUIT\r\n');
      await client.ending();
    }
    await eventually('three records', () => sink.of('session').length === 3);
    const servers = sink.lines.filter(({ event }) => event.kind === 'session').map((line) => line.connection);
    assert.equal(
      servers.map((connection) => connection?.server.address),
      ['127.0.0.1', '::1', '127.0.0.1'],
    );
    assert.equal(
      servers.map((connection) => connection?.client.address),
      ['127.0.0.1', '::1', '127.0.0.1'],
    );
    assert.is(new Set(servers.map((connection) => connection?.session)).size, 3);
  } finally {
    await relay.stop();
    await one.close();
    await two.close();
  }
});

test('no upstream: 421 in one piece, a record, one note for many', async () => {
  const sink = rememberingSink();
  const relay = await openRelay(configOf(await freePort()), sink);
  for (let i = 0; i < 3; i++) {
    const client = await call(relay.addresses[0]?.port ?? 0);
    // An early talker's octets, more than are read at once, must not turn the 421 into an RST.
    client.say(Buffer.alloc(8_000_000));
    assert.is(await client.ending(), 'fin');
    assert.match(client.text(), /^421 4\.4\.1 shim\.example upstream connection refused\r\n$/);
    assert.is(client.chunks.length, 1);
    client.socket.end();
    assert.equal(await once(client.socket, 'close'), [false], 'closed without an error');
  }
  await eventually('gone', () => relay.counters.active === 0);
  assert.is(relay.counters.unreachable, 3);
  const [note, ...more] = sink.notes.filter(({ what }) => what === 'upstream-refused');
  assert.is(more.length, 0);
  const [line] = sink.lines;
  assert.is(note?.fields['session'], line?.connection?.session);
  assert.is(note?.fields['client.port'], line?.connection?.client.port);
  assert.is(note?.fields['server.address'], '127.0.0.1');
  assert.equal(
    sink.of('session').map(({ close }) => close),
    Array(3).fill({ by: 'shim', how: 'fin', reason: 'upstream-refused' }),
  );
  await relay.stop();
});

test('one connection too many: 421 4.3.2, and room again after one left', () =>
  onStage(greet, { relay: { maxConnections: 1 } }, async ({ port, relay, sink }) => {
    const first = await call(port);
    await first.expect(GREETING);
    const second = await call(port);
    assert.is(await second.ending(), 'fin');
    assert.match(second.text(), /^421 4\.3\.2 shim\.example [^\r]+\r\n$/);
    assert.equal(
      sink.of('blocked').map(({ rule, action }) => [rule, action]),
      [['connections', 'refuse']],
    );
    assert.equal(await closeOf(sink), { by: 'shim', how: 'fin', reason: 'connections' });
    assert.is(relay.counters.blocked, 1);
    first.socket.resetAndDestroy();
    await eventually('room', () => relay.counters.active === 0);
    const third = await call(port);
    await third.expect(GREETING);
    third.socket.destroy();
  }));

test('one client too often: 421 4.7.0, while others come in', () =>
  onStage(greet, { limits: { connectionsPerClient: { most: 1, chosen: true } } }, async ({ port, sink }) => {
    const first = await call(port);
    await first.expect(GREETING);
    const again = await call(port);
    assert.is(await again.ending(), 'fin');
    assert.match(again.text(), /^421 4\.7\.0 shim\.example [^\r]+\r\n$/);
    const other = await call(port, '127.0.0.1', '127.0.0.2');
    await other.expect(GREETING);
    assert.equal(
      sink.of('blocked').map(({ rule }) => rule),
      ['load'],
    );
    assert.equal(await closeOf(sink), { by: 'shim', how: 'fin', reason: 'load' });
    for (const peer of [first, again, other]) peer.socket.destroy();
  }));

test('drain: nobody new, those there may finish', () =>
  onStage(politely, {}, async ({ port, relay }) => {
    const client = await call(port);
    await client.expect(GREETING);
    const drained = relay.drain();
    const late = await call(port).then(
      () => 'let in',
      () => 'refused',
    );
    assert.is(late, 'refused');
    client.say('QUIT\r\n');
    await client.expect('221');
    client.socket.end();
    await drained;
    assert.is(relay.counters.active, 0);
  }));

test('drain: who stays too long is told, and ended', () =>
  onStage(politely, { relay: { drainMs: 30 } }, async ({ port, relay, sink }) => {
    const client = await call(port);
    await client.expect(GREETING);
    const drained = relay.drain();
    assert.is(await client.ending(), 'fin');
    assert.ok(client.text().endsWith('421 4.3.2 shim.example service shutting down\r\n'), client.text());
    client.socket.end();
    await drained;
    assert.equal(await closeOf(sink), { by: 'shim', how: 'fin', reason: 'shutdown' });
  }));

test('stop ends who never reads', () =>
  onStage(greet, {}, async ({ port, relay, server }) => {
    const client = await call(port);
    await client.expect(GREETING);
    client.socket.pause();
    server.peers[0]?.say(Buffer.alloc(30_000_000));
    await relay.stop();
    assert.is(relay.counters.active, 0);
    client.socket.destroy();
  }));

test('hundreds come and go: one session line each, nothing left', () =>
  onStage(politely, { relay: { maxConnections: 1_000 } }, async (stage) => {
    const ends = ['QUIT', 'FIN', 'RST', 'QUIT'] as const;
    const one = async (index: number): Promise<void> => {
      const client = await call(stage.port);
      await client.expect(GREETING);
      const end = ends[index % ends.length];
      if (end === 'RST') return void client.socket.resetAndDestroy();
      client.socket.end(end === 'QUIT' ? 'QUIT\r\n' : '');
      await client.ending();
      return undefined;
    };
    await Promise.all(Array.from({ length: 300 }, (_, index) => one(index)));
    await eventually('nothing is left', () => stage.relay.counters.active === 0);
    assert.is(stage.sink.of('session').length, 300);
  }));

test.run();
