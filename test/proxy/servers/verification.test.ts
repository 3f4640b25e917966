// Our own connection to a server: what it concludes, and that it says QUIT and nothing else.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Verification } from '../../../inspect/greeting/lesson';
import { createSockets } from '../../../proxy/sockets/linger';
import { verifyServer, type VerifyOptions } from '../../../proxy/servers/verification';
import { eventually, playServer, type Peer } from '../relay/peers';

const LONE = '220-mta.example\r\n';
const WAIT_MS = 150;

async function visit(
  play: (peer: Peer) => void,
  header?: VerifyOptions['header'],
): Promise<[string, string]> {
  const server = await playServer(play);
  const result = await new Promise<Verification>((done) =>
    verifyServer({
      server: { address: '127.0.0.1', port: server.port },
      sockets: createSockets(),
      connectMs: 5_000,
      mark: 0,
      wait: WAIT_MS * 1_000,
      header,
      onOpen: () => undefined,
      done,
    }),
  );
  const [peer] = server.peers;
  if (peer) await eventually('it left', () => peer.socket.destroyed || peer.socket.readableEnded);
  await server.close();
  const said = peer?.text() ?? '';
  return [result.kind === 'greeted' ? result.finding.knowledge.greeting : `unreachable: ${result.why}`, said];
}

const later =
  (ms: number, text: string) =>
  (peer: Peer): void => {
    peer.say(LONE);
    setTimeout(() => peer.socket.writable && peer.say(text), ms);
  };

const ROWS: readonly (readonly [name: string, play: (peer: Peer) => void, found: RegExp, said: string])[] = [
  ['a whole greeting', (peer) => peer.say('220 mta.example ESMTP\r\n'), /^wellformed$/, 'QUIT\r\n'],
  ['a lone 220-, and then the wait', (peer) => peer.say(LONE), /^truncated$/, 'QUIT\r\n'],
  ['a last line within the wait', later(60, '220 mta.example\r\n'), /^wellformed$/, 'QUIT\r\n'],
  ['a defect', (peer) => peer.say('220\tmta.example\r\n'), /^malformed$/, 'QUIT\r\n'],
  ['a refusal', (peer) => peer.say('554 5.7.1 no\r\n'), /^unreachable: it refused with 554$/, ''],
  ['a refusal behind a first line', later(30, '521 no\r\n'), /^unreachable: it refused with/, ''],
  ['it closes within its greeting', (peer) => peer.socket.end(LONE), /^unreachable: it closed/, ''],
  ['it closes without a word', (peer) => peer.socket.end(), /^unreachable: it closed/, ''],
  ['it resets', (peer) => peer.socket.resetAndDestroy(), /^unreachable/, ''],
  ['no SMTP', (peer) => peer.say('y'.repeat(2_000)), /^unreachable: it does not greet/, ''],
];

for (const [name, play, found, said] of ROWS) {
  test(name, async () => {
    const [what, words] = await visit(play);
    assert.match(what, found);
    assert.is(words, said);
  });
}

test('nobody listens', async () => {
  const server = await playServer(() => undefined);
  await server.close();
  const result = await new Promise<Verification>((done) =>
    verifyServer({
      server: { address: '127.0.0.1', port: server.port },
      sockets: createSockets(),
      connectMs: 5_000,
      mark: 0,
      wait: 1_000,
      onOpen: () => undefined,
      done,
    }),
  );
  assert.is(result.kind, 'unreachable');
});

test('what the server expects in front of the dialogue names the two ends of this connection', async () => {
  const [, said] = await visit(
    (peer) => peer.say('220 mta.example\r\n'),
    (own, server) => Buffer.from(`PROXY ${own.address} ${server.address}\r\n`),
  );
  assert.is(said, 'PROXY 127.0.0.1 127.0.0.1\r\nQUIT\r\n');
});

test.run();
