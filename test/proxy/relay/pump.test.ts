// Two sockets, one connection: octets, FIN and RST pass; silence ends; nothing stays.

import { createHash, randomBytes } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, eventually, GREETING, politely, type Peer } from './peers';
import { NO_RULES } from '../../../inspect/policy/rules';
import { closeOf, onStage, upstreamOf } from './stage';

const greet = (peer: Peer): void => peer.say(GREETING);

test('a whole dialogue, and its record', () =>
  onStage(politely, {}, async ({ port, sink }) => {
    const client = await call(port);
    await client.expect('220 mta.example ESMTP\r\n');
    for (const [line, reply] of [
      ['EHLO vm\r\n', 'PIPELINING\r\n'],
      ['MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n', '354'],
      ['Subject: x\r\n\r\nhello\r\n.\r\n', 'queued'],
      ['QUIT\r\n', '221'],
    ] as const) {
      client.say(line);
      await client.expect(reply);
    }
    assert.is(await client.ending(), 'fin');
    client.socket.end();
    assert.equal(await closeOf(sink), { by: 'server', how: 'fin' });
    const phases = sink.of('phase').map(({ phase }) => phase);
    const want = ['connect', 'greeting', 'hello', 'mail', 'rcpt', 'data', 'message', 'quit', 'close'];
    assert.equal(phases, want);
    assert.is(sink.of('session')[0]?.messages, 1);
    const connections = new Set(sink.lines.map(({ connection }) => connection));
    assert.is(connections.size, 1);
    assert.equal([...connections][0]?.server.address, '127.0.0.1');
  }));

test('the connect phase is told before anyone speaks', () =>
  onStage(
    () => undefined,
    {},
    async ({ port, sink }) => {
      const client = await call(port);
      await eventually('told', () => sink.of('phase').some(({ phase }) => phase === 'connect'));
      client.socket.destroy();
    },
  ));

test('five megabytes each way are the same octets', () =>
  onStage(
    (peer) => {
      peer.say(GREETING);
      peer.socket.on('end', () => peer.socket.end(Buffer.concat(peer.chunks)));
    },
    // A rule would wait for replies.
    { rules: NO_RULES },
    async ({ port }) => {
      const client = await call(port);
      await client.expect(GREETING);
      const sent = randomBytes(5_000_000);
      client.socket.end(sent);
      await client.ending();
      const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
      assert.is(hash(Buffer.concat(client.chunks).subarray(GREETING.length)), hash(sent));
    },
  ));

test("the client's FIN reaches the server, which may go on", () =>
  onStage(greet, {}, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    client.socket.end('EHLO vm\r\n');
    const upstream = await upstreamOf(stage);
    assert.is(await upstream.ending(), 'fin');
    assert.is(upstream.text(), 'EHLO vm\r\n');
    upstream.say('250 still here\r\n');
    await client.expect('250 still here\r\n');
    assert.is(stage.sink.of('session').length, 0);
    upstream.socket.end();
    assert.is(await client.ending(), 'fin');
    assert.equal(await closeOf(stage.sink), { by: 'client', how: 'fin' });
  }));

test("the server's FIN reaches the client, which may go on", () =>
  onStage(greet, {}, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    const upstream = await upstreamOf(stage);
    upstream.socket.end('421 4.3.2 going down\r\n');
    assert.is(await client.ending(), 'fin');
    client.say('QUIT\r\n');
    await upstream.expect('QUIT\r\n');
    client.socket.end();
    assert.is(await upstream.ending(), 'fin');
    assert.equal(await closeOf(stage.sink), { by: 'server', how: 'fin' });
  }));

test('a FIN that came while the upstream was being reached is not lost', () =>
  onStage(greet, {}, async (stage) => {
    const client = await call(stage.port);
    client.socket.end();
    const upstream = await upstreamOf(stage);
    assert.is(await upstream.ending(), 'fin');
    upstream.socket.end();
    await client.expect(GREETING);
    assert.equal(await closeOf(stage.sink), { by: 'client', how: 'fin' });
  }));

for (const by of ['client', 'server'] as const) {
  test(`RST of the ${by} is passed on as RST`, () =>
    onStage(greet, {}, async (stage) => {
      const client = await call(stage.port);
      await client.expect(GREETING);
      const upstream = await upstreamOf(stage);
      const [from, to] = by === 'client' ? [client, upstream] : [upstream, client];
      from.socket.resetAndDestroy();
      assert.is(await to.ending(), 'rst');
      assert.equal(await closeOf(stage.sink), { by, how: 'rst' });
    }));

  test(`RST of the ${by} in the middle of a transfer ends both sides`, () =>
    // A rule would hold what the server does not answer, and not read on.
    onStage(greet, { rules: NO_RULES }, async (stage) => {
      const client = await call(stage.port);
      await client.expect(GREETING);
      const upstream = await upstreamOf(stage);
      const [from, to] = by === 'client' ? [client, upstream] : [upstream, client];
      to.socket.pause();
      from.say(Buffer.alloc(20_000_000, 'x\r\n'));
      await eventually('it flows', () => from.socket.writableLength > 0 && from.socket.bytesWritten > 0);
      // The relay does not read now: it hears of the RST when it writes, or when it reads again.
      from.socket.resetAndDestroy();
      to.socket.resume();
      assert.is(await to.ending(), 'rst');
      assert.equal(await closeOf(stage.sink), { by, how: 'rst' });
    }));
}

test('a client that resets while the upstream is being reached leaves one line', () =>
  onStage(greet, {}, async ({ port, sink, relay }) => {
    const client = await call(port);
    client.socket.resetAndDestroy();
    await eventually('gone', () => relay.counters.accepted === 1 && relay.counters.active === 0);
    assert.is(sink.of('session').length, 1);
  }));

for (const side of ['client', 'server'] as const) {
  const away = side === 'client' ? 'server' : 'client';
  test(`a ${side} that never reads stalls only itself`, () =>
    // A rule would refuse the line, and read on to its end.
    onStage(
      greet,
      { rules: NO_RULES, timeouts: { block: 700, command: 700, opaque: 700 } },
      async (stage) => {
        const client = await call(stage.port);
        await client.expect(GREETING);
        const upstream = await upstreamOf(stage);
        const [reader, writer] = side === 'client' ? [client, upstream] : [upstream, client];
        reader.socket.pause();
        // No lines: reading costs nothing, and only the brake can stop the octets.
        const mega = Buffer.alloc(1_000_000, 'x');
        for (let i = 0; i < 100; i++) writer.socket.write(mega);
        // Both kernels' buffers fill up, then the relay's own; nothing moves until the end.
        let before = -1;
        await eventually(`the ${away} is stopped`, () => {
          const stopped = before === writer.socket.writableLength;
          before = writer.socket.writableLength;
          return stopped && before > 0;
        });
        const other = await call(stage.port);
        await other.expect(GREETING);
        other.socket.destroy();
        await eventually('ended by timeout', () =>
          stage.sink.of('session').some(({ close }) => close.by === 'shim' && close.how === 'timeout'),
        );
        assert.ok(writer.socket.writableLength > 50_000_000, `${writer.socket.writableLength} left`);
      },
    ));
}

test('a client far ahead of a server that answers nothing is slowed down, and not stopped', () =>
  onStage(greet, {}, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    // More would be held until some are answered.
    const octets = 'NOOP\r\n'.repeat(250);
    client.say(octets);
    const upstream = await upstreamOf(stage);
    await eventually('all of it arrives', () => upstream.text().length === octets.length);
    client.socket.destroy();
  }));

test.run();
