// What a status says: the verdict, what is wrong right below it, then the rest; and the same as JSON.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Status } from '../../../deploy/status/status';
import { isWell, toObject, toText } from '../../../deploy/status/text';
import { createFault } from '../../../proxy/system/fault';
import { AGAIN, BRIDGE, HOST, JOURNAL, PINS, RUNNING, SINCE, START, WIRE } from '../journal/samples';

const FINE: Extract<Status, { kind: 'in-place' }> = {
  ...{ kind: 'in-place', journal: JOURNAL, running: RUNNING, broken: [], notRelayed: [], relays: true },
  wire: WIRE,
};

const HEAD = `ehlowire0, between eth1 and eth2, since ${SINCE}`;
const TEXTS: readonly {
  readonly name: string;
  readonly status: Status;
  /** Lines that follow one another somewhere in the text, from its beginning on. */
  readonly says: readonly (readonly string[])[];
  readonly lacks?: RegExp;
  readonly json: Readonly<Record<string, unknown>>;
}[] = [
  {
    name: 'in place and fine',
    status: FINE,
    says: [
      [
        `In place on ${HEAD}`,
        '',
        `  Process   4242, since ${SINCE}, version 0.1.0`,
        '  Relay     servers not met before, until their greeting is known, and those that need it',
        '  Way out   `ehlowire leave --keep-bridge`: mail goes on crossing; `ehlowire leave` removes the bridge too',
        '',
        'Servers',
        '  192.0.2.25:25               repair',
        '  [2001:db8::25]:587          observe, taken back: its greeting went on behind a repair',
        '',
        'Learned',
        "  192.0.2.25:25               truncated, repair: verified by a connection of ehlowire's own",
        '  [2001:db8::25]:587          suspected truncated, not repaired: seen by 3 clients of 2 networks; ehlowire itself was greeted well 1 time',
        '    greeting.servers with {"server":"[2001:db8::25]:587","repair":"now"} (or "never") in the configuration decides for this server, --repair for all; else it stays as it is until both show the same',
        '',
        'Counters',
        '  frames                         1,234,567',
        '  lost                                   0',
      ],
    ],
    lacks: /!/,
    json: {
      ...{
        in_place: true,
        whole: true,
        forgotten: false,
        place: BRIDGE,
        since: SINCE,
        pins: PINS,
        process: RUNNING,
      },
      ...{ broken: [], relays: true, not_relayed: [], abi: 3, unread: null },
      attachments: [
        { device: 'eth1', hook: 'ingress', by: 'tc', priority: 1 },
        { device: 'eth2', hook: 'ingress', by: 'tc', priority: 1 },
      ],
      counters: { frames: 1_234_567, lost: 0, contradicted: 0, no_relay: 0 },
      servers: WIRE.servers,
      servers_not_held: 0,
      learned: WIRE.learned.servers,
      suspects: WIRE.learned.suspects,
    },
  },
  {
    name: 'not in place',
    status: { kind: 'nowhere', before: undefined },
    says: [
      [
        'Not in place: nothing of ehlowire is in the network',
        '  `ehlowire bridge --help` puts it in; `ehlowire doctor` says whether this machine can',
      ],
    ],
    json: {
      ...{
        in_place: false,
        whole: false,
        forgotten: false,
        place: null,
        since: null,
        pins: null,
        process: null,
      },
      ...{ broken: [], relays: false, not_relayed: [], attachments: [], abi: null, unread: null },
      ...{ counters: null, servers: null, servers_not_held: null, learned: null, suspects: null },
    },
  },
  {
    name: 'before a reboot',
    status: { kind: 'nowhere', before: BRIDGE },
    says: [
      [
        'Not in place (it was on ehlowire0, between eth1 and eth2, before the machine was started anew): nothing of ehlowire is in the network',
        '  `ehlowire bridge --wan eth1 --lan eth2` puts it in; `ehlowire doctor` says whether this machine can',
      ],
    ],
    json: { in_place: false, whole: false, forgotten: true, place: null },
  },
  {
    name: 'the program was taken out',
    status: { kind: 'plain', journal: { ...JOURNAL, steps: [] } },
    says: [
      [
        'Taken out: ehlowire0 goes on as a plain bridge, and frames are neither seen nor repaired',
        '  `ehlowire bridge --wan eth1 --lan eth2` puts it in again; `ehlowire leave` removes the bridge',
      ],
    ],
    json: { in_place: false, whole: false, place: BRIDGE, broken: [], attachments: [] },
  },
  {
    name: 'in another namespace, with its process',
    status: { kind: 'elsewhere', journal: JOURNAL, running: RUNNING, wire: WIRE },
    says: [
      [
        `In place, and not here on ${HEAD}`,
        '  ! it is in place in another network namespace, and only there it can be judged or left: `nsenter -t 4242 -n ehlowire status`',
        '',
        `  Process   4242, since ${SINCE}, version 0.1.0`,
      ],
      ['Servers', '  192.0.2.25:25               repair'],
    ],
    lacks: /Relay|Way out/,
    json: {
      ...{ in_place: true, whole: false, process: RUNNING, abi: 3, servers: WIRE.servers },
      broken: [
        'it is in place in another network namespace, and only there it can be judged or left: `nsenter -t 4242 -n ehlowire status`',
      ],
    },
  },
  {
    name: 'in another namespace, without',
    status: { kind: 'elsewhere', journal: JOURNAL, running: undefined, wire: { kind: 'nothing' } },
    says: [
      [
        '  ! it is in place in another network namespace, and only there it can be judged or left: find it by `lsns -t net` (net:[4026532000]), and `nsenter -t PID -n ehlowire status`',
      ],
    ],
    json: { in_place: true, whole: false, process: null, servers: null },
  },
  {
    name: 'not whole: what is broken stands right below',
    status: {
      ...FINE,
      broken: ['eth1 is down: `ip link set eth1 up`', 'eth2 has no carrier: is its cable in?'],
    },
    says: [
      [
        `In place, and not whole on ${HEAD}`,
        '  ! eth1 is down: `ip link set eth1 up`',
        '  ! eth2 has no carrier: is its cable in?',
        '',
      ],
    ],
    json: { in_place: true, whole: false },
  },
  {
    name: 'nobody is in charge: what goes on, what does not, and what to do',
    status: { ...FINE, running: undefined },
    says: [
      [
        `In place on ${HEAD}`,
        '',
        `  Process   none: frames cross and known servers are repaired, but nothing is written or learned: ${START}`,
        '  Relay     nothing until there is a process again: all connections cross',
      ],
    ],
    json: { in_place: true, whole: true, process: null },
  },
  {
    name: 'tables of another version',
    status: {
      ...FINE,
      running: { ...RUNNING, version: '0.0.9' },
      wire: { kind: 'other-version', versions: [4711] },
    },
    says: [
      [`In place, as far as can be seen on ${HEAD}`],
      [
        `  Unread    another version of ehlowire put this in (the process says 0.0.9): its tables are of version 4711, and this one reads 3: ask by that one's \`ehlowire status\`, or let this one take over: ${AGAIN}`,
      ],
    ],
    lacks: /Servers|Counters|libbpf/,
    json: { in_place: true, whole: true, abi: null, counters: null, servers: null },
  },
  {
    name: 'no libbpf any more',
    status: { ...FINE, wire: createFault('library-missing', 'libbpf.so.1', { fix: 'apt install libbpf1' }) },
    says: [['  Unread    servers and counters cannot be read: libbpf.so.1: apt install libbpf1']],
    json: { unread: 'servers and counters cannot be read: libbpf.so.1: apt install libbpf1', counters: null },
  },
  {
    name: 'nothing is relayed: why',
    status: {
      ...FINE,
      relays: false,
      notRelayed: ['there is no IPv4 route back to the clients: no default route'],
    },
    says: [
      [
        '  Relay     nothing: all servers stay on the wire',
        '            there is no IPv4 route back to the clients: no default route',
      ],
    ],
    json: { relays: false, not_relayed: ['there is no IPv4 route back to the clients: no default route'] },
  },
  {
    name: 'IPv4 alone is relayed: why',
    status: { ...FINE, notRelayed: ['ehlowire0 has no IPv6 address'] },
    says: [
      [
        '  Relay     servers not met before, until their greeting is known, and those that need it',
        '            not all: ehlowire0 has no IPv6 address',
      ],
    ],
    json: { relays: true, not_relayed: ['ehlowire0 has no IPv6 address'] },
  },
  {
    name: "on the mail server's own interface",
    status: {
      ...FINE,
      journal: { ...JOURNAL, place: HOST },
      ...{ relays: false, notRelayed: ['on a host nothing is relayed'] },
    },
    says: [
      [`In place on eth0, since ${SINCE}`],
      ['  Way out   `ehlowire leave`: no connection is interrupted'],
    ],
    json: { place: HOST },
  },
  {
    name: 'counters that should be nought say what it means that they are not',
    status: {
      ...FINE,
      wire: {
        ...WIRE,
        servers: [],
        counters: { COUNT_LOST: 12, COUNT_CONTRADICTED: 1, COUNT_NO_RELAY: 3, COUNT_UNWATCHED: 1_234 },
      },
    },
    says: [
      ['Servers', '  none yet'],
      [
        '  lost                                  12  records found no room: the log has gaps, mail has not (wire.ring)',
        '  contradicted                           1  repairs were taken back: those servers go on behind the line that seemed their last',
        '  no_relay                               3  connections were to be relayed, and crossed: no relay listened',
        '  unwatched                          1,234  connections were not recorded, as the ring was half full when they began: the log lacks them, mail crossed (wire.ring)',
      ],
    ],
    json: { counters: { lost: 12, contradicted: 1, no_relay: 3, unwatched: 1_234 }, servers: [] },
  },
  {
    name: 'servers for which the kernel has no room',
    status: { ...FINE, wire: { ...WIRE, unheld: 12 } },
    says: [
      [
        '  [2001:db8::25]:587          observe, taken back: its greeting went on behind a repair',
        "  ! 12 more found no room in the kernel's table: each is treated like a server not met before",
        '',
      ],
    ],
    json: { servers_not_held: 12 },
  },
  {
    name: 'many servers',
    status: {
      ...FINE,
      wire: {
        ...WIRE,
        servers: Array.from({ length: 23 }, (_, index) => ({
          ...{ address: `192.0.2.${index}`, port: 25, policy: 'observe', lines: 0, contradicted: false },
        })),
      },
    },
    says: [['  192.0.2.19:25               observe', '  … 3 more: --json', '']],
    json: {},
  },
];

for (const { name, status, says, lacks, json } of TEXTS) {
  test(name, () => {
    const text = toText(status, false);
    for (const lines of says) assert.ok(`\n${text}`.includes(`\n${lines.join('\n')}\n`), text);
    if (lacks) assert.not.match(text, lacks);
    const object = toObject(status);
    for (const [key, value] of Object.entries(json)) assert.equal(object[key], value, key);
    assert.equal(Object.keys(object), Object.keys(toObject(FINE)), 'the same keys always');
    // Only of what is in place, whole, read and in somebody's charge a monitor may be told that all is well.
    const well = object['whole'] === true && object['process'] !== null && object['counters'] !== null;
    assert.is(isWell(status), well);
  });
}

test.run();
