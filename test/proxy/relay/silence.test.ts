// Who keeps silent too long is told so, where it can be told, and ended.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, eventually, GREETING, politely, sleep, type Peer } from './peers';
import { closeOf, onStage } from './stage';

const greet = (peer: Peer): void => peer.say(GREETING);

interface Silence {
  readonly name: string;
  readonly timeouts: Parameters<typeof onStage>[1]['timeouts'];
  readonly play: (peer: Peer) => void;
  readonly say: string;
  readonly expect: string;
  /** Who kept silent. */
  readonly on: 'client' | 'server';
  /** What the client is told, or nothing. */
  readonly want: RegExp;
}

const SILENCES: readonly Silence[] = [
  {
    name: 'no greeting',
    timeouts: { greeting: 50 },
    play: () => undefined,
    say: '',
    expect: '',
    on: 'server',
    want: /^421 4\.4\.2 shim\.example .*\r\n$/,
  },
  {
    name: 'no reply to MAIL',
    timeouts: { mail: 50 },
    play: greet,
    say: 'MAIL FROM:<>\r\n',
    expect: GREETING,
    on: 'server',
    want: /^220 .*\r\n421 4\.4\.2 shim\.example .*\r\n$/,
  },
  {
    name: 'no command',
    timeouts: { command: 50 },
    play: greet,
    say: '',
    expect: GREETING,
    on: 'client',
    want: /^220 .*\r\n421 4\.4\.2 shim\.example .*\r\n$/,
  },
  {
    name: 'half a reply: nothing may be put behind it',
    timeouts: { mail: 50 },
    play: (peer) => {
      peer.say(GREETING);
      peer.socket.on('data', () => peer.say('250-half'));
    },
    say: 'MAIL FROM:<>\r\n',
    expect: '250-half',
    on: 'server',
    want: /^220 .*\r\n250-half$/,
  },
  {
    name: 'one line of two: the same',
    timeouts: { hello: 50 },
    play: (peer) => {
      peer.say(GREETING);
      peer.socket.on('data', () => peer.say('250-half\r\n'));
    },
    say: 'EHLO vm\r\n',
    expect: '250-half\r\n',
    on: 'server',
    want: /^220 .*\r\n250-half\r\n$/,
  },
  {
    name: 'in TLS: nothing may be put into it',
    timeouts: { opaque: 50 },
    play: (peer) => {
      peer.say(GREETING);
      peer.socket.on('data', () => peer.text() === 'STARTTLS\r\n' && peer.say('220 go\r\n'));
    },
    say: 'STARTTLS\r\n',
    expect: '220 go\r\n',
    on: 'client',
    want: /^220 .*\r\n220 go\r\n$/,
  },
];

for (const { name, timeouts, play, say, expect, on, want } of SILENCES) {
  test(`silence: ${name}`, () =>
    onStage(play, { timeouts: timeouts ?? {} }, async ({ port, sink }) => {
      const client = await call(port);
      if (say !== '') client.say(say);
      await client.expect(expect);
      assert.is(await client.ending(), 'fin');
      assert.match(client.text(), want);
      assert.equal(await closeOf(sink), { by: 'shim', how: 'timeout', reason: `${on}-timeout` });
    }));
}

test('a dialogue that goes on is not ended, however long it takes', () =>
  onStage(politely, { timeouts: { command: 120, hello: 120 } }, async ({ port, sink }) => {
    const client = await call(port);
    await client.expect(GREETING);
    for (let i = 1; i <= 8; i++) {
      client.say('NOOP\r\n');
      await eventually('answered', () => client.text().split('250 ').length === i + 1);
      await sleep(30);
    }
    assert.is(sink.of('session').length, 0);
    client.socket.destroy();
  }));

test.run();
