// What keeps a place from being left, found before anything is taken back; and names that changed since.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Step } from '../../../deploy/journal/change';
import { renamed } from '../../../deploy/journal/names';
import { findObstacles, findStrange, type Now } from '../../../deploy/journal/obstacles';
import { formatFault } from '../../../proxy/system/fault';
import { JOURNAL } from './samples';

const KEY = 'net/ipv6/conf/eth1/disable_ipv6';
const STEPS: readonly Step[] = [
  { name: 'the bridge', changes: [{ kind: 'bridge', name: 'ehlowire0', address: '02:00:00:00:00:01' }] },
  {
    name: 'the ports',
    changes: [
      { kind: 'port', device: 'eth1', bridge: 'ehlowire0' },
      { kind: 'port', device: 'eth2', bridge: 'ehlowire0' },
      {
        kind: 'moved',
        to: 'ehlowire0',
        addresses: [{ from: 'eth1', words: ['192.0.2.1/24', 'label', 'eth1'] }],
        routes: [
          {
            before: ['unicast', '0.0.0.0/0', 'via', '192.0.2.9', 'dev', 'eth1'],
            after: ['unicast', '0.0.0.0/0', 'via', '192.0.2.9', 'dev', 'ehlowire0'],
          },
        ],
      },
    ],
  },
  { name: 'ports without IPv6', changes: [{ kind: 'sysctl', key: KEY, before: '0', after: '1' }] },
];

type SeenLink = Now['links'][number];
type SeenAddress = ReturnType<Now['addresses']>[number];
const BRIDGE: SeenLink = {
  name: 'ehlowire0',
  index: 9,
  kind: 'bridge',
  master: undefined,
  parent: undefined,
};
const PORTS = ['eth1', 'eth2'].map((name, at): SeenLink => ({
  ...BRIDGE,
  ...{ name, index: at + 2, kind: '', master: 'ehlowire0' },
}));
const LINKS = [BRIDGE, ...PORTS];
const OWN: SeenAddress = {
  family: 4,
  prefix: '192.0.2.1/24',
  scope: 'global',
  dynamic: false,
  words: ['192.0.2.1/24'],
};
const NOW: Now = { links: LINKS, addresses: () => [OWN], sysctl: () => '1', isWritable: () => true };

const TABLE: readonly {
  readonly name: string;
  readonly now?: Partial<Now>;
  readonly want: readonly string[];
}[] = [
  { name: 'as it was left', want: [] },
  { name: 'the bridge is gone, and all with it', now: { links: PORTS }, want: [] },
  { name: 'a port that had no address is gone', now: { links: LINKS.slice(0, 2) }, want: [] },
  {
    name: 'the port is gone whose address is on the bridge',
    now: { links: [BRIDGE, ...PORTS.slice(1)] },
    want: [
      'not left, and nothing was changed: eth1 is gone, and its address 192.0.2.1/24 would be lost: put eth1 back, or give it up: `ip address delete 192.0.2.1/24 dev ehlowire0`; then leave again',
    ],
  },
  {
    name: 'the port is gone, and somebody gave its address up',
    now: { links: [BRIDGE, ...PORTS.slice(1)], addresses: () => [] },
    want: [],
  },
  {
    name: "a port that is not ours: somebody's tap, or one of ours that got another name before its number was known",
    now: { links: [...LINKS, { ...BRIDGE, name: 'tap0', kind: 'tun', master: 'ehlowire0' }] },
    want: [
      'not left, and nothing was changed: tap0 is a port of ehlowire0, and not by ehlowire: `ip link set tap0 nomaster`, then leave again',
    ],
  },
  {
    name: 'a VLAN on the bridge',
    now: { links: [...LINKS, { ...BRIDGE, name: 'ehlowire0.5', kind: 'vlan', parent: 'ehlowire0' }] },
    want: [
      'not left, and nothing was changed: ehlowire0.5 stands on ehlowire0, and would go with it: `ip link delete ehlowire0.5`, then leave again',
    ],
  },
  {
    name: 'an address that somebody gave the bridge',
    now: { addresses: () => [OWN, { ...OWN, prefix: '198.51.100.7/24', words: ['198.51.100.7/24'] }] },
    want: [
      'not left, and nothing was changed: ehlowire0 has the address 198.51.100.7/24, not by ehlowire, and it would go with it: `ip address delete 198.51.100.7/24 dev ehlowire0`, then leave again',
    ],
  },
  {
    name: 'IPv6 addresses that come by themselves',
    now: {
      addresses: () => [
        OWN,
        { ...OWN, family: 6, scope: 'link', words: ['fe80::1/64'] },
        { ...OWN, family: 6, dynamic: true, words: ['2001:db8::1/64'] },
      ],
    },
    want: [],
  },
  {
    name: 'a setting that may not be written',
    now: { isWritable: () => false },
    want: [
      'not left, and nothing was changed: net.ipv6.conf.eth1.disable_ipv6: it may not be written here: run this as root, where /proc/sys can be written',
    ],
  },
  { name: 'one that need not be written', now: { isWritable: () => false, sysctl: () => '0' }, want: [] },
];

for (const { name, now, want } of TABLE) {
  test(name, () => assert.equal(findObstacles(STEPS, { ...NOW, ...now }).map(formatFault), want));
}

test('a setting that somebody changed since stays, and is named', () => {
  assert.equal(findStrange(STEPS, { ...NOW, sysctl: () => '2' }), [
    'net.ipv6.conf.eth1.disable_ipv6 stays 2: another process set it since (it was 0)',
  ]);
  for (const value of ['0', '1', undefined])
    assert.equal(findStrange(STEPS, { ...NOW, sysctl: () => value }), []);
});

const PLACED = { ...JOURNAL, steps: STEPS, links: { eth1: 2, eth2: 3, ehlowire0: 9 } };

test('an interface that was renamed is known by its number, wherever it is named', () => {
  const { place, steps, links } = renamed(PLACED, [{ name: 'uplink', index: 2 }, ...LINKS.slice(2)]);
  assert.not.match(
    JSON.stringify({ place, steps: steps.map(({ changes }) => changes), links }),
    /"eth1"|\/eth1\//,
  );
  assert.equal(links, { uplink: 2, eth2: 3, ehlowire0: 9 });
});

test('two that changed names are each known by their numbers', () => {
  const swapped = [
    { name: 'eth2', index: 2 },
    { name: 'eth1', index: 3 },
  ];
  const { place } = renamed(PLACED, swapped);
  assert.equal(place, { ...JOURNAL.place, wan: 'eth2', lan: 'eth1' });
});

test('one that was made anew is known by its name', () => {
  assert.is(renamed(PLACED, [{ name: 'eth1', index: 77 }]), PLACED);
});

test.run();
