// Counting clients: never below the number, always again after a while, and never more memory than the caps say.

import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLIENT_WINDOWS, REMEMBERED_NETWORKS } from '../../../inspect/limits';
import { createClients, type Clients, type Origin } from '../../../inspect/policy/clients';
import type { ClientLimits } from '../../../inspect/policy/limits-of-load';

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const NONE = { most: Infinity, chosen: true };

const limitsOf = (limits: Partial<ClientLimits>): ClientLimits => ({
  connectionsPerClient: NONE,
  connectionsPerNetwork: NONE,
  newPerMinute: NONE,
  ...limits,
});

const foreign = (network: number, host = 0, family: 4 | 6 = 4): Origin => ({
  client: `${family}/${network}.${host}`,
  network: `${family}/${network}`,
  family,
  foreign: true,
});
const INSIDE: Origin = { client: '10.0.0.1', network: '10.0.0.0/24', family: 4, foreign: false };

/** What each asks, in order, all of them staying; `1` where it may come in. */
function play(
  limits: ClientLimits,
  asks: readonly (readonly [at: number, origin: Origin])[],
  clients = createClients(),
): string {
  return asks
    .map(([at, origin]) => {
      const excess = clients.judge(origin, limits, at);
      if (excess === undefined) clients.add(origin);
      return excess === undefined ? '1' : '0';
    })
    .join('');
}

const several = [0, 1, 2].map((network) => [0, foreign(100 + network)] as const);
const times = (count: number, ask: readonly [number, Origin]): (readonly [number, Origin])[] =>
  Array.from({ length: count }, () => ask);
const two = { most: 2, chosen: true };
const twoByDefault = { most: 2, chosen: false };

const ROWS: readonly {
  readonly name: string;
  readonly limits: Partial<ClientLimits>;
  readonly asks: readonly (readonly [number, Origin])[];
  readonly want: string;
}[] = [
  {
    name: 'one client at a time, chosen: holds at once',
    limits: { connectionsPerClient: two },
    asks: times(4, [0, foreign(1)]),
    want: '1100',
  },
  {
    name: 'chosen: holds for private addresses too',
    limits: { connectionsPerClient: two },
    asks: times(3, [0, INSIDE]),
    want: '110',
  },
  {
    name: 'by default: not while only one network was seen',
    limits: { connectionsPerClient: twoByDefault },
    asks: times(6, [0, foreign(1)]),
    want: '111111',
  },
  {
    name: 'by default: not while two networks were seen, the two lines of one firewall',
    limits: { connectionsPerClient: twoByDefault },
    asks: [[0, foreign(2)], ...times(4, [0, foreign(1)])],
    want: '11111',
  },
  {
    name: 'by default: holds where clients of three networks come',
    limits: { connectionsPerClient: twoByDefault },
    asks: [...several, ...times(4, [0, foreign(1)])],
    want: '1111100',
  },
  {
    name: 'by default: not for private addresses, whoever else comes',
    limits: { connectionsPerClient: twoByDefault },
    asks: [...several, ...times(4, [0, INSIDE])],
    want: '1111111',
  },
  {
    name: 'by default: private addresses are no networks that show that clients can be told apart',
    limits: { connectionsPerClient: twoByDefault },
    asks: [
      ...[1, 2, 3, 4].map((host) => [0, { ...INSIDE, client: `10.0.0.${host}` }] as const),
      ...times(4, [0, foreign(1)]),
    ],
    want: '11111111',
  },
  {
    name: 'by default: IPv6 clients that are seen do not speak for IPv4, which may be translated',
    limits: { connectionsPerClient: twoByDefault },
    asks: [...[1, 2, 3].map((network) => [0, foreign(network, 0, 6)] as const), ...times(4, [0, foreign(1)])],
    want: '1111111',
  },
  {
    name: 'by default: networks seen ten minutes ago do not count',
    limits: { connectionsPerClient: twoByDefault },
    asks: [...several, ...times(4, [11 * MINUTE, foreign(1)])],
    want: '1111111',
  },
  {
    name: 'one network at a time, from several hosts',
    limits: { connectionsPerNetwork: two },
    asks: [1, 2, 3].map((host) => [0, foreign(1, host)] as const),
    want: '110',
  },
  {
    name: 'another network is not its neighbour',
    limits: { connectionsPerNetwork: two },
    asks: [...times(2, [0, foreign(1)] as const), [0, foreign(2)]],
    want: '111',
  },
  {
    name: 'new ones a minute, and again when the minute has ended',
    limits: { newPerMinute: two },
    asks: [
      [0, foreign(1)],
      [10 * SECOND, foreign(1)],
      [59 * SECOND, foreign(1)],
      [60 * SECOND, foreign(1)],
    ],
    want: '1101',
  },
];

for (const { name, limits, asks, want } of ROWS)
  test(name, () => assert.is(play(limitsOf(limits), asks), want));

const OFFENDING: readonly (readonly [
  name: string,
  before: readonly Origin[],
  origin: Origin,
  at: number,
  want: string,
])[] = [
  ['is refused within the minute', several.map(([, origin]) => origin), foreign(1), 59 * SECOND, '0'],
  ['comes in when the minute has ended', several.map(([, origin]) => origin), foreign(1), 60 * SECOND, '1'],
  ['that may be many is not refused', [], foreign(1), SECOND, '1'],
  ['with a private address is not refused', several.map(([, origin]) => origin), INSIDE, SECOND, '1'],
];

for (const [name, before, origin, at, want] of OFFENDING)
  test(`a client whose connection was ended for its errors ${name}`, () => {
    const clients = createClients();
    for (const other of before) clients.judge(other, limitsOf({}), 0);
    clients.offend(origin, 0);
    assert.is(play(limitsOf({}), [[at, origin]], clients), want);
    const other = play(limitsOf({}), [[at, foreign(77)]], clients);
    assert.is(other, '1', 'another client comes in');
  });

const step = fc.record({
  network: fc.nat(3),
  host: fc.nat(2),
  family: fc.constantFrom(4 as const, 6 as const),
  own: fc.boolean(),
  wait: fc.nat(40 * SECOND),
  leaves: fc.nat(30),
});
const number = fc.record({ most: fc.integer({ min: 1, max: 6 }), chosen: fc.boolean() });

test('whatever comes and goes: nobody is refused who has less than the number', () =>
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.record({ connectionsPerClient: number, connectionsPerNetwork: number, newPerMinute: number }),
      (steps, limits) => {
        const clients = createClients();
        const inside: Origin[] = [];
        const asked: { readonly at: number; readonly client: string }[] = [];
        let at = 0;
        for (const { network, host, family, own, wait, leaves } of steps) {
          at += wait;
          const origin = { ...foreign(network, host, family), foreign: !own };
          const count = (is: (other: Origin) => boolean): number => inside.filter(is).length;
          const fewer =
            count(({ client }) => client === origin.client) < limits.connectionsPerClient.most &&
            count((other) => other.network === origin.network) < limits.connectionsPerNetwork.most &&
            asked.filter((each) => each.client === origin.client && at - each.at < MINUTE).length <
              limits.newPerMinute.most;
          asked.push({ at, client: origin.client });
          const excess = clients.judge(origin, limits, at);
          if (fewer) assert.is(excess, undefined);
          if (excess === undefined) {
            clients.add(origin);
            inside.push(origin);
          }
          const [left] = inside.splice(leaves, 1);
          if (left) clients.remove(left);
        }
        inside.forEach((origin) => clients.remove(origin));
        // All have left, and their minutes have ended: everyone may come in again.
        for (const { client, network } of [foreign(1, 1), foreign(2, 2)])
          assert.is(
            clients.judge({ client, network, family: 4, foreign: true }, limits, at + 2 * MINUTE),
            undefined,
          );
      },
    ),
  ));

test('an attacker with any number of addresses does not make the tables grow', () => {
  const clients = createClients();
  for (let i = 0; i < 3 * CLIENT_WINDOWS; i += 1) {
    clients.judge(foreign(i, i, 6), limitsOf({}), i);
    clients.offend(foreign(i, i, 6), i);
  }
  assert.ok(clients.size <= 2 * CLIENT_WINDOWS + 3 * REMEMBERED_NETWORKS, `${clients.size} entries`);
});

const seenAfter = (count: number, origins: readonly Origin[]): ReturnType<Clients['seen']> => {
  const clients = createClients();
  for (let i = 0; i < count; i += 1)
    clients.judge(origins[i % origins.length] ?? INSIDE, limitsOf({}), i * SECOND);
  return clients.seen(count * SECOND);
};

const HIDDEN: readonly (readonly [
  name: string,
  count: number,
  origins: readonly Origin[],
  hidden: boolean,
])[] = [
  ['few connections say nothing', 99, [INSIDE], false],
  ['all from one private address', 100, [INSIDE], true],
  ['all from one foreign network', 100, [foreign(1, 1), foreign(1, 2)], true],
  ['from one foreign network, and a probe of the own network', 100, [foreign(1), INSIDE], true],
  ['from three networks', 100, [foreign(1), foreign(2), foreign(3)], false],
  [
    'an internal relay, three private clients',
    100,
    ['a', 'b', 'c'].map((client) => ({ ...INSIDE, client })),
    false,
  ],
];

for (const [name, count, origins, hidden] of HIDDEN)
  test(`hidden clients: ${name}: ${hidden ? 'yes' : 'no'}`, () =>
    assert.is(seenAfter(count, origins).hidden, hidden));

test.run();
