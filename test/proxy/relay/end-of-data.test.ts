// CRLF . CRLF on its way through the relay: the dot and what ends its line are never two writes.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, GREETING, politely, sleep, type Peer } from './peers';
import { onStage, upstreamOf } from './stage';

const greet = (peer: Peer): void => peer.say(GREETING);

const MESSAGE = 'Subject: x\r\n\r\n.. dots\r\n.x\r\n\r\n.\r\n';

/** Every way to cut the end of a message: after each of its octets but the last, and all apart. */
const CUTS: readonly (readonly string[])[] = [
  ...Array.from({ length: 8 }, (_, i) => [MESSAGE.slice(0, -1 - i), MESSAGE.slice(-1 - i)]),
  [MESSAGE.slice(0, -5), '\r', '\n', '.', '\r', '\n'],
  [MESSAGE.slice(0, -5), '\r\n', '.', '\r\n'],
  [MESSAGE.slice(0, -3), '.', '\r', '\n'],
  [...MESSAGE],
];

for (const cut of CUTS) {
  const name = cut.length > 10 ? 'octet by octet' : JSON.stringify(cut.map((piece) => piece.slice(-7)));
  test(`the dot and its CRLF are one write: ${name}`, () =>
    onStage(politely, {}, async (stage) => {
      const client = await call(stage.port);
      await client.expect(GREETING);
      client.say('MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n');
      await client.expect('354');
      const upstream = await upstreamOf(stage);
      const before = upstream.chunks.length;
      for (const piece of cut) {
        client.say(piece);
        // Time for a wrong write to arrive by itself.
        await sleep(4);
      }
      await client.expect('queued');
      const chunks = upstream.chunks.slice(before).map(String);
      assert.is(chunks.join(''), MESSAGE);
      assert.ok(chunks.at(-1)?.endsWith('.\r\n'), JSON.stringify(chunks.slice(-3)));
      client.socket.destroy();
    }));
}

test('a message cut off behind its dot is passed on as it is', () =>
  onStage(politely, {}, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    client.say('MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n');
    await client.expect('354');
    client.socket.end('text\r\n.');
    const upstream = await upstreamOf(stage);
    await upstream.ending();
    assert.ok(upstream.text().endsWith('text\r\n.'));
  }));

test('a client that resets behind its dot: the server has the rest, and RST', () =>
  onStage(greet, {}, async (stage) => {
    const client = await call(stage.port);
    await client.expect(GREETING);
    const upstream = await upstreamOf(stage);
    client.say('DATA\r\n');
    await upstream.expect('DATA\r\n');
    upstream.say('354 go\r\n');
    await client.expect('354');
    client.say('text\r\n.');
    await upstream.expect('text');
    client.socket.resetAndDestroy();
    assert.is(await upstream.ending(), 'rst');
    assert.ok(upstream.text().endsWith('text\r\n.'));
  }));

test.run();
