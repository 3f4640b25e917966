// The operator's word on single servers: how it is written, and found again.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig, type Config } from '../../../proxy/config/config';
import { decideFor, repairOf, serversOf } from '../../../proxy/config/servers';
import { formatFault, isFault, type Fault } from '../../../proxy/system/fault';

function load(servers: unknown): Config | readonly Fault[] {
  const text = typeof servers === 'string' ? servers : JSON.stringify(servers);
  return loadConfig({}, { EHLOWIRE_GREETING_SERVERS: text });
}

function isGood(config: ReturnType<typeof load>): config is Config {
  return 'greeting' in config;
}

test('one server is found however its address is written, and no other', () => {
  const config = load([
    { server: '192.0.2.25:25', repair: 'now' },
    { server: '[2001:DB8:0::25]:587', repair: 'never' },
    { server: '192.0.2.26:25', repair: 'learn' },
  ]);
  assert.ok(isGood(config));
  if (!isGood(config)) return;
  const { servers } = config.greeting;
  const found = [
    ['192.0.2.25', 25],
    ['::ffff:192.0.2.25', 25],
    ['192.0.2.25', 587],
    ['2001:db8::25', 587],
    ['2001:db8:0:0:0:0:0:25', 587],
    ['192.0.2.26', 25],
    ['192.0.2.27', 25],
  ] as const;
  assert.equal(
    found.map(([address, port]) => repairOf(servers, { address, port })),
    ['now', 'now', undefined, 'never', 'never', 'learn', undefined],
  );
  assert.equal(serversOf(servers), [
    { address: '192.0.2.25', port: 25 },
    { address: '2001:db8::25', port: 587 },
    { address: '192.0.2.26', port: 25 },
  ]);
});

test('what the texts tell the operator to write is taken', () => {
  const server = { address: '2001:db8::25', port: 587 };
  const entry = /\{.*?\}/.exec(decideFor(server))?.[0] ?? '';
  const config = load(`[${entry}]`);
  assert.ok(isGood(config));
  if (isGood(config)) assert.is(repairOf(config.greeting.servers, server), 'now');
});

const ADDRESS = "must be the server's IP address and port, as 192.0.2.25:25 or [2001:db8::25]:25";
const SERVER = '192.0.2.25:25';
const BAD: readonly (readonly [name: string, servers: unknown, want: string])[] = [
  [
    'no list',
    '{}',
    ' = {}: must be a list, as [{"server": "192.0.2.25:25", "repair": "now"}], in texts as JSON',
  ],
  ['no object', ['now'], '[0] = "now": must be an object with "server" and "repair"'],
  [
    'an unknown key',
    [{ server: SERVER, repair: 'now', port: 25 }],
    '[0].port = 25: must be one of server, repair',
  ],
  ['no server', [{ repair: 'now' }], `[0].server = nothing: ${ADDRESS}`],
  ['a name', [{ server: 'mail.example:25', repair: 'now' }], `[0].server = "mail.example:25": ${ADDRESS}`],
  ['no port', [{ server: '192.0.2.25', repair: 'now' }], `[0].server = "192.0.2.25": ${ADDRESS}`],
  ['port 0', [{ server: '192.0.2.25:0', repair: 'now' }], `[0].server = "192.0.2.25:0": ${ADDRESS}`],
  ['no word', [{ server: SERVER }], '[0].repair = nothing: must be "learn", "now" or "never"'],
  [
    'another word',
    [{ server: SERVER, repair: 'yes' }],
    '[0].repair = "yes": must be "learn", "now" or "never"',
  ],
  [
    'a server twice',
    [
      { server: SERVER, repair: 'now' },
      { server: '[::ffff:192.0.2.25]:25', repair: 'never' },
    ],
    '[1].server = "[::ffff:192.0.2.25]:25": must be there once only',
  ],
];

for (const [name, servers, want] of BAD) {
  test(`refused: ${name}`, () => {
    const faults = load(servers);
    assert.ok(Array.isArray(faults) && faults.every(isFault));
    const texts = (faults as readonly Fault[]).map(formatFault);
    const plain = texts.map((text) => text.replace(' (in EHLOWIRE_GREETING_SERVERS)', ''));
    assert.equal(plain, [`bad configuration: greeting.servers${want}`]);
  });
}

test.run();
