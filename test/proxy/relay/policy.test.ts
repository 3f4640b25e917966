// Policy between real sockets: what the relay does of what the filter says. The rules themselves: test/inspect/policy.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, eventually, GREETING, politely } from './peers';
import { closeOf, onStage, upstreamOf } from './stage';

test('a refused command is answered, logged, and never sent on', () =>
  onStage(politely, {}, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    client.say('RSET\r\nVRFY root\r\nNOOP\r\nQUIT\r\n');
    await client.ending();
    assert.equal(client.text().split('\r\n').slice(1, -1), [
      '250 2.0.0 ok',
      '252 2.5.0 Addresses are not verified here; try RCPT',
      '250 2.0.0 ok',
      '221 2.0.0 bye',
    ]);
    assert.is((await upstreamOf(stage)).text(), 'RSET\r\nNOOP\r\nQUIT\r\n');
    assert.equal(
      stage.sink.of('blocked').map(({ rule, action, detail }) => [rule, action, detail]),
      [['commands', 'answer', 'verification VRFY']],
    );
    const phases = stage.sink.of('phase').map(({ verb, reply }) => `${verb ?? ''} ${reply?.code ?? ''}`);
    assert.ok(phases.includes('VRFY 252'), phases.join());
  }));

test('a client that says everything at once and ends: what is held still arrives, and then the FIN', () =>
  onStage(politely, {}, async (stage) => {
    const client = await call(stage.port);
    client.socket.end('EHLO vm\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n');
    assert.is(await client.ending(), 'fin');
    assert.ok(client.text().endsWith('250 2.0.0 queued\r\n221 2.0.0 bye\r\n'), client.text());
    const upstream = await upstreamOf(stage);
    assert.is(await upstream.ending(), 'fin');
    assert.is(
      upstream.text(),
      'EHLO vm\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n',
    );
    assert.equal(await closeOf(stage.sink), { by: 'client', how: 'fin' });
  }));

test('a client that goes on behind DATA without its reply is not read beyond what can be held', () => {
  let go = (): void => undefined;
  return onStage(
    (peer) => {
      peer.say(GREETING);
      go = () => peer.say('354 go on\r\n');
    },
    {},
    async (stage) => {
      const client = await call(stage.port);
      await client.expect(GREETING);
      const message = Buffer.alloc(30_000_000, `${'x'.repeat(76)}\r\n`);
      client.say('DATA\r\n');
      client.say(message);
      const upstream = await upstreamOf(stage);
      await upstream.expect('DATA\r\n');
      await eventually('the client is not read', () => client.socket.writableLength > 10_000_000);
      assert.is(upstream.text(), 'DATA\r\n');
      go();
      client.say('\r\n.\r\n');
      await eventually('all of it', () => upstream.socket.bytesRead === 6 + message.length + 5);
    },
  );
});

test('a smuggled message is refused, and both sides are closed', () =>
  onStage(politely, { rules: { smuggling: 'enforce' } }, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    client.say('EHLO vm\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n');
    await client.expect('354');
    client.say('a\r\n\n.\r\nMAIL FROM:<x@y>\r\n.\r\nQUIT\r\n');
    assert.is(await client.ending(), 'fin');
    assert.ok(client.text().includes('\r\n550 5.5.2 '), client.text());
    const upstream = await upstreamOf(stage);
    assert.is(await upstream.ending(), 'fin');
    assert.not.ok(upstream.text().includes('x@y'), upstream.text());
    assert.equal(await closeOf(stage.sink), { by: 'shim', how: 'fin', reason: 'policy' });
  }));

test('a message whose line ends are changed arrives whole, in pieces of any size', () =>
  onStage(politely, {}, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    client.say('DATA\r\n');
    await client.expect('354');
    const line = `${'y'.repeat(70)}\n`;
    client.say(line.repeat(40_000));
    client.say('\r\n.\r\n');
    await client.expect('queued');
    const wanted = `DATA\r\n${line.replace('\n', '\r\n').repeat(40_000)}\r\n.\r\n`;
    assert.ok((await upstreamOf(stage)).text() === wanted, 'the same octets, but for the line ends');
    const [anomaly] = stage.sink.of('anomaly').filter((each) => each.anomaly === 'normalized');
    assert.is(anomaly?.detail, '40000 bare LF');
  }));

test.run();
