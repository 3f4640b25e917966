// What status says of relays, and what its exit code says.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RelayStatus } from '../../../proxy/relay/status-file';
import { isWell, toObject, toText } from '../../../deploy/status/text';
import { BRIDGE, RUNNING, SINCE } from '../journal/samples';

const RELAY: RelayStatus = {
  pid: 4711,
  since: SINCE,
  version: '0.1.0',
  listeners: [{ listen: '[::]:25', upstream: '192.0.2.25:25' }, { listen: '0.0.0.0:8025' }],
  counters: { accepted: 1_203, blocked: 2, unreachable: 0, active: 3, sockets: 6 },
  servers: [
    {
      server: { address: '192.0.2.25', port: 25 },
      knowledge: { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 },
      way: 'verified',
      learned: 0,
    },
  ],
  suspects: [],
};
const NOWHERE = { kind: 'detached', before: undefined } as const;
const NONE = { relays: [], closed: [] };
const ONE = { relays: [RELAY], closed: [] };

test('only a relay: what runs, what it learned and counted, and that is well', () => {
  assert.equal(toText(NOWHERE, false, ONE).split('\n'), [
    `Relaying, by process 4711, since ${SINCE}, version 0.1.0`,
    '  [::]:25 → 192.0.2.25:25',
    '  0.0.0.0:8025 → the server that each client addressed',
    '  connections: 3 open, 1,203 accepted so far, 2 refused, 0 whose server could not be reached',
    '  servers:',
    "    192.0.2.25:25               truncated, repair: verified by a connection of ehlowire's own",
    '',
    'Not attached: nothing of ehlowire is in the network',
    '  attach it: `ehlowire bridge --help`; check this machine first: `ehlowire doctor`',
    '',
  ]);
  assert.ok(isWell(NOWHERE, ONE));
  assert.equal(toObject(NOWHERE, ONE)['relay_processes'], [RELAY]);
});

test('a relay that has met no server', () => {
  const text = toText(NOWHERE, false, { ...ONE, relays: [{ ...RELAY, servers: [] }] });
  assert.match(text, '\n    none yet\n');
});

test('what only root may see is named', () => {
  const text = toText(NOWHERE, false, { relays: [], closed: ['/run/ehlowire'] });
  assert.match(text, /^Only root can see the relays of \/run\/ehlowire\n/);
});

test('another user cannot write to the terminal', () => {
  const text = toText(NOWHERE, false, { ...ONE, relays: [{ ...RELAY, version: '\u001b[2J' }] });
  assert.not.match(text, '\u001b');
});

const WELL: readonly (readonly [
  name: string,
  status: Parameters<typeof isWell>[0],
  states: typeof ONE | typeof NONE,
  well: boolean,
])[] = [
  ['nothing at all', NOWHERE, NONE, false],
  ['a relay, and a place that a reboot undid', { ...NOWHERE, before: BRIDGE }, ONE, false],
  ['a relay, and a bridge on its way', { ...NOWHERE, running: RUNNING }, ONE, false],
];
for (const [name, status, states, well] of WELL) test(name, () => assert.is(isWell(status, states), well));

test('on the way in, before anything is changed', () => {
  const text = toText({ ...NOWHERE, running: RUNNING }, false);
  assert.is(
    text,
    'Not attached yet: process 4242, `ehlowire bridge`, is attaching it now: ask again in a moment\n',
  );
});

test.run();
