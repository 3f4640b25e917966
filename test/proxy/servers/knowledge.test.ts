// What is known survives as JSON; what makes no sense, or was never verified, is left out.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GreetingKnowledge } from '../../../inspect/greeting/known';
import { startRelay } from '../../../proxy/relay/relay';
import { readKnowledge, saveKnowledge, type ServerKnowledge } from '../../../proxy/servers/knowledge';
import { call, eventually, playServer } from '../relay/peers';
import { configOf, rememberingSink } from '../relay/stage';

const TRUNCATED: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
const TEASER: GreetingKnowledge = { greeting: 'teaser', policy: 'observe', lines: 0, delay: 6_000_000 };
const KNOWN: readonly ServerKnowledge[] = [
  { server: { address: '192.0.2.25', port: 25 }, knowledge: TRUNCATED, way: 'verified' },
  { server: { address: '2001:db8::25', port: 587 }, knowledge: TEASER, way: 'seen' },
];

test('saved, written, read: the same, in the same order', () => {
  const text = JSON.stringify(saveKnowledge(KNOWN));
  assert.equal(readKnowledge(JSON.parse(text)), KNOWN);
});

const [first] = KNOWN;
const server = first?.server;
const NONSENSE: readonly (readonly [name: string, value: unknown])[] = [
  ['nothing', undefined],
  ['null', null],
  ['a text', 'x'],
  ['a list', []],
  ['the schema that kept what nobody had verified', { schema: 1, servers: KNOWN }],
  ['no list', { schema: 2, servers: {} }],
  ['no server', { schema: 2, servers: [{ knowledge: TRUNCATED, way: 'verified' }] }],
  [
    'no address',
    { schema: 2, servers: [{ server: { address: 'mx', port: 25 }, knowledge: TRUNCATED, way: 'verified' }] },
  ],
  [
    'no port',
    {
      schema: 2,
      servers: [{ server: { address: '192.0.2.1', port: 0 }, knowledge: TRUNCATED, way: 'verified' }],
    },
  ],
  [
    'no class',
    { schema: 2, servers: [{ server, knowledge: { ...TRUNCATED, greeting: 'odd' }, way: 'verified' }] },
  ],
  [
    'no word of its own',
    { schema: 2, servers: [{ server, knowledge: { ...TRUNCATED, policy: 'toString' }, way: 'verified' }] },
  ],
  ['no count', { schema: 2, servers: [{ server, knowledge: { ...TRUNCATED, lines: -1 }, way: 'verified' }] }],
  ['no time', { schema: 2, servers: [{ server, knowledge: { ...TRUNCATED, delay: '1' }, way: 'verified' }] }],
  ['no way', { schema: 2, servers: [{ server, knowledge: TRUNCATED }] }],
  ['a repair that only clients saw', { schema: 2, servers: [{ server, knowledge: TRUNCATED, way: 'seen' }] }],
];

for (const [name, value] of NONSENSE) {
  test(`left out: ${name}`, () => assert.equal(readKnowledge(value), []));
}

test('one bad entry costs only itself', () => {
  assert.equal(readKnowledge({ schema: 2, servers: [{}, ...KNOWN] }), KNOWN);
});

test('what was verified is kept; a later start with it waits for nothing, and looks again', async () => {
  const mta = await playServer((peer) => peer.say('220-mta.example\r\n'));
  const sink = rememberingSink();
  const relay = await startRelay(configOf(mta.port, { greeting: { patienceMs: 30 } }), sink);
  const client = await call(relay.addresses[0]?.port ?? 0);
  await client.expect('220 mta.example ESMTP\r\n');
  await eventually('verified', () => sink.of('learned').length > 0);
  const server = { address: '127.0.0.1', port: mta.port };
  assert.equal(relay.known(), [{ server, knowledge: TRUNCATED, way: 'verified' }]);
  client.socket.destroy();
  await relay.stop();

  // The patience of this one is an hour.
  const next = await startRelay(configOf(mta.port), rememberingSink(), { known: relay.known() });
  const before = mta.peers.length;
  const again = await call(next.addresses[0]?.port ?? 0);
  await again.expect('220 mta.example ESMTP\r\n');
  await eventually('a connection of its own', () => mta.peers.length === before + 2);
  again.socket.destroy();
  await next.stop();
  await mta.close();
});

test.run();
