// What is known survives as JSON; what makes no sense is left out; and who asked is told what is learned.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GreetingKnowledge } from '../../../inspect/smtp/greeter';
import { readKnowledge, saveKnowledge, type ServerKnowledge } from '../../../proxy/relay/knowledge';
import { createMemory } from '../../../proxy/relay/memory';
import { startRelay } from '../../../proxy/relay/relay';
import type { Endpoint } from '../../../proxy/sinks/record';
import { call, playServer } from './peers';
import { configOf, rememberingSink } from './stage';

const TRUNCATED: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
const TEASER: GreetingKnowledge = { greeting: 'teaser', policy: 'observe', lines: 0, delay: 6_000_000 };
const KNOWN: readonly ServerKnowledge[] = [
  { server: { address: '192.0.2.25', port: 25 }, knowledge: TRUNCATED },
  { server: { address: '2001:db8::25', port: 587 }, knowledge: TEASER },
];

test('saved, written, read: the same, in the same order', () => {
  const memory = createMemory();
  for (const each of KNOWN) memory.know(each, 0);
  const text = JSON.stringify(saveKnowledge(memory.known()));
  assert.equal(readKnowledge(JSON.parse(text)), KNOWN);
});

test('a server of which nothing is known is not saved', () => {
  const memory = createMemory();
  memory.server({ address: '192.0.2.1', port: 25 });
  assert.equal(memory.known(), []);
});

const [first] = KNOWN;
const server = first?.server;
const NONSENSE: readonly (readonly [name: string, value: unknown])[] = [
  ['nothing', undefined],
  ['null', null],
  ['a text', 'x'],
  ['a list', []],
  ['another schema', { schema: 2, servers: KNOWN }],
  ['no list', { schema: 1, servers: {} }],
  ['no server', { schema: 1, servers: [{ knowledge: TRUNCATED }] }],
  ['no address', { schema: 1, servers: [{ server: { address: 'mx', port: 25 }, knowledge: TRUNCATED }] }],
  ['no port', { schema: 1, servers: [{ server: { address: '192.0.2.1', port: 0 }, knowledge: TRUNCATED }] }],
  ['no class', { schema: 1, servers: [{ server, knowledge: { ...TRUNCATED, greeting: 'odd' } }] }],
  [
    'no word of its own',
    { schema: 1, servers: [{ server, knowledge: { ...TRUNCATED, policy: 'toString' } }] },
  ],
  ['no count', { schema: 1, servers: [{ server, knowledge: { ...TRUNCATED, lines: -1 } }] }],
  ['no time', { schema: 1, servers: [{ server, knowledge: { ...TRUNCATED, delay: '1' } }] }],
];

for (const [name, value] of NONSENSE) {
  test(`left out: ${name}`, () => assert.equal(readKnowledge(value), []));
}

test('one bad entry costs only itself', () => {
  assert.equal(readKnowledge({ schema: 1, servers: [{}, ...KNOWN] }), KNOWN);
});

test('what a connection learns is told; a later start with it waits for nothing', async () => {
  const mta = await playServer((peer) => peer.say('220-mta.example\r\n'));
  const told: [Endpoint, GreetingKnowledge][] = [];
  const onLearned = (at: Endpoint, knowledge: GreetingKnowledge): void => void told.push([at, knowledge]);
  const relay = await startRelay(configOf(mta.port, { greeting: { patienceMs: 30 } }), rememberingSink(), {
    onLearned,
  });
  const client = await call(relay.addresses[0]?.port ?? 0);
  await client.expect('220 mta.example ESMTP\r\n');
  const want: ServerKnowledge = { server: { address: '127.0.0.1', port: mta.port }, knowledge: TRUNCATED };
  assert.equal(told, [[want.server, want.knowledge]]);
  assert.equal(relay.known(), [want]);
  client.socket.destroy();
  await relay.stop();

  // The patience of this one is an hour.
  const next = await startRelay(configOf(mta.port), rememberingSink(), { known: relay.known(), onLearned });
  const again = await call(next.addresses[0]?.port ?? 0);
  await again.expect('220 mta.example ESMTP\r\n');
  assert.is(told.length, 1, 'nothing new');
  again.socket.destroy();
  await next.stop();
  await mta.close();
});

test('what somebody else learned helps a connection that waits', async () => {
  const mta = await playServer((peer) => peer.say('220-mta.example\r\n'));
  let told = 0;
  const relay = await startRelay(configOf(mta.port), rememberingSink(), { onLearned: () => (told += 1) });
  const client = await call(relay.addresses[0]?.port ?? 0);
  await client.expect('220-mta.example\r\n');
  relay.know({ server: { address: '127.0.0.1', port: mta.port }, knowledge: TRUNCATED });
  await client.expect('220 mta.example ESMTP\r\n');
  assert.is(told, 0);
  client.socket.destroy();
  await relay.stop();
  await mta.close();
});

test.run();
