// What is known survives as JSON; what makes no sense, or was never verified, is left out.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GreetingKnowledge } from '../../../inspect/greeting/known';
import { NOTHING_SAVED, readSaved, toSaved, type KnownServer } from '../../../proxy/servers/saved';
import { call, eventually, playServer } from '../relay/peers';
import { configOf, openRelay, rememberingSink } from '../relay/stage';

const TRUNCATED: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
const TEASER: GreetingKnowledge = { greeting: 'teaser', policy: 'observe', lines: 0, delay: 6_000_000 };
const KNOWN: readonly KnownServer[] = [
  {
    server: { address: '192.0.2.25', port: 25 },
    knowledge: TRUNCATED,
    way: 'verified',
    learned: 1_700_000_000_000,
  },
  { server: { address: '2001:db8::25', port: 587 }, knowledge: TEASER, way: 'seen', learned: 0 },
];

test('saved, written, read: the same, in the same order', () => {
  const saved = { ...NOTHING_SAVED, servers: KNOWN, reported: { lost: 3, unwatched: 4 } };
  assert.equal(readSaved(JSON.parse(JSON.stringify(toSaved(saved)))), { saved });
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
  test(`left out, and reported: ${name}`, () => {
    const { saved, wrong } = readSaved(value);
    assert.equal(saved.servers, []);
    assert.type(wrong, 'string');
  });
}

test('one bad entry costs only itself', () => {
  const { saved, wrong } = readSaved({ schema: 2, servers: [{}, ...KNOWN] });
  assert.equal(saved.servers, KNOWN);
  assert.is(wrong, '1 of its entries make no sense');
});

test('what was verified is kept; a later start with it waits for nothing, and looks again', async () => {
  const mta = await playServer((peer) => peer.say('220-mta.example\r\n'));
  const sink = rememberingSink();
  const relay = await openRelay(configOf(mta.port, { greeting: { patienceMs: 30 } }), sink);
  const client = await call(relay.addresses[0]?.port ?? 0);
  await client.expect('220 mta.example ESMTP\r\n');
  await eventually('verified', () => sink.of('learned').length > 0);
  const server = { address: '127.0.0.1', port: mta.port };
  const known = relay.servers.known();
  const learned = known[0]?.learned ?? 0;
  assert.equal(known, [{ server, knowledge: TRUNCATED, way: 'verified', learned }]);
  client.socket.destroy();
  await relay.stop();

  // The patience of this one is an hour.
  const next = await openRelay(configOf(mta.port), rememberingSink(), { known });
  const before = mta.peers.length;
  const again = await call(next.addresses[0]?.port ?? 0);
  await again.expect('220 mta.example ESMTP\r\n');
  await eventually('a connection of its own', () => mta.peers.length === before + 2);
  again.socket.destroy();
  await next.stop();
  await mta.close();
});

test.run();
