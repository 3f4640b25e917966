// What a status says: the verdict, what is wrong right below it, then the rest; and the same as JSON.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Status } from '../../../deploy/status/status';
import { isWell, toObject, toText } from '../../../deploy/status/text';
import { createFault } from '../../../proxy/system/fault';
import { ABI } from '../../../proxy/wire/abi';
import { AGAIN, BRIDGE, HOST, JOURNAL, PINS, RUNNING, SINCE, START, WIRE } from '../journal/samples';

const FINE: Extract<Status, { kind: 'attached' }> = {
  ...{ kind: 'attached', journal: JOURNAL, running: RUNNING, problems: [], notRelayed: [], relays: true },
  rules: [],
  wire: WIRE,
};

const NUL = { rule: 'nul', settings: ['policy.nul = "enforce"'], except: [] };
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
    name: 'attached and fine',
    status: FINE,
    says: [
      [
        `Attached on ${HEAD}`,
        '',
        `  Process   4242, since ${SINCE}, version 0.1.0`,
        '  Relay     new servers until their greeting is known, and servers that need the relay',
        '  Detach    `ehlowire leave --keep-bridge`: mail is still forwarded; `ehlowire leave` removes the bridge too',
        '',
        'Servers',
        '  192.0.2.25:25               repair',
        '  [2001:db8::25]:587          observe, repair withdrawn: the greeting continued after its repaired line',
        '',
        'Learned',
        "  192.0.2.25:25               truncated, repair: verified by a connection of ehlowire's own",
        "  [2001:db8::25]:587          suspected truncated, not repaired: seen by 3 clients of 2 networks; ehlowire's own connections got a complete greeting 1 time",
        '    greeting.servers with {"server":"[2001:db8::25]:587","repair":"now"} (or "never") in the configuration decides for this server, --repair for all; otherwise nothing changes until both show the same',
        '',
        'Counters',
        '  frames                         1,234,567',
        '  lost                                   0',
      ],
    ],
    lacks: /!/,
    json: {
      ...{
        attached: true,
        healthy: true,
        lost_at_restart: false,
        attached_to: BRIDGE,
        since: SINCE,
        pins: PINS,
        process: RUNNING,
      },
      ...{ problems: [], relays: true, not_relayed: [], abi: 3, unread: null },
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
    name: 'not attached',
    status: { kind: 'detached', before: undefined },
    says: [
      [
        'Not attached: nothing of ehlowire is in the network',
        '  attach it: `ehlowire bridge --help`; check this machine first: `ehlowire doctor`',
      ],
    ],
    json: {
      ...{
        attached: false,
        healthy: false,
        lost_at_restart: false,
        attached_to: null,
        since: null,
        pins: null,
        process: null,
      },
      ...{ problems: [], relays: false, not_relayed: [], attachments: [], abi: null, unread: null },
      ...{ counters: null, servers: null, servers_not_held: null, learned: null, suspects: null },
    },
  },
  {
    name: 'before a reboot',
    status: { kind: 'detached', before: BRIDGE },
    says: [
      [
        'Not attached (it was on ehlowire0, between eth1 and eth2, before this machine was restarted): nothing of ehlowire is in the network',
        '  attach it: `ehlowire bridge --wan eth1 --lan eth2`; check this machine first: `ehlowire doctor`',
      ],
    ],
    json: { attached: false, healthy: false, lost_at_restart: true, attached_to: null },
  },
  {
    name: 'the program was taken out',
    status: { kind: 'bridge-only', journal: { ...JOURNAL, steps: [] } },
    says: [
      [
        'Detached: ehlowire0 is still a plain bridge; frames are neither recorded nor repaired',
        '  attach it again: `ehlowire bridge --wan eth1 --lan eth2`; `ehlowire leave` removes the bridge',
      ],
    ],
    json: { attached: false, healthy: false, attached_to: BRIDGE, problems: [], attachments: [] },
  },
  {
    name: 'in another namespace, with its process',
    status: { kind: 'other-namespace', journal: JOURNAL, running: RUNNING, wire: WIRE },
    says: [
      [
        `Attached in another network namespace, on ${HEAD}`,
        '  ! it is attached in another network namespace; status and `leave` work only there: `nsenter -t 4242 -n ehlowire status`',
        '',
        `  Process   4242, since ${SINCE}, version 0.1.0`,
      ],
      ['Servers', '  192.0.2.25:25               repair'],
    ],
    lacks: /Relay|Detach/,
    json: {
      ...{ attached: true, healthy: false, process: RUNNING, abi: 3, servers: WIRE.servers },
      problems: [
        'it is attached in another network namespace; status and `leave` work only there: `nsenter -t 4242 -n ehlowire status`',
      ],
    },
  },
  {
    name: 'in another namespace, without',
    status: { kind: 'other-namespace', journal: JOURNAL, running: undefined, wire: { kind: 'nothing' } },
    says: [
      [
        '  ! it is attached in another network namespace; status and `leave` work only there: find it by `lsns -t net` (net:[4026532000]), and `nsenter -t PID -n ehlowire status`',
      ],
    ],
    json: { attached: true, healthy: false, process: null, servers: null },
  },
  {
    name: 'with problems: they stand right below',
    status: {
      ...FINE,
      problems: ['eth1 is down: `ip link set eth1 up`', 'eth2 has no carrier: is its cable in?'],
    },
    says: [
      [
        `Attached, with problems on ${HEAD}`,
        '  ! eth1 is down: `ip link set eth1 up`',
        '  ! eth2 has no carrier: is its cable in?',
        '',
      ],
    ],
    json: { attached: true, healthy: false },
  },
  {
    name: 'no process: what goes on, what does not, and what to do',
    status: { ...FINE, running: undefined },
    says: [
      [
        `Attached on ${HEAD}`,
        '',
        `  Process   none: frames are forwarded and known servers are repaired, but nothing is logged or learned: ${START}`,
        '  Relay     off until a process runs again: all connections are only forwarded',
      ],
    ],
    json: { attached: true, healthy: true, process: null },
  },
  {
    name: 'tables of another version',
    status: {
      ...FINE,
      running: { ...RUNNING, version: '0.0.9' },
      wire: { kind: 'other-version', versions: [4711] },
    },
    says: [
      [`Attached, as far as can be seen on ${HEAD}`],
      [
        `  Unread    another version of ehlowire attached this (the process says 0.0.9): its tables have version 4711, this one reads ${ABI}: use that version's \`ehlowire status\`, or let this version take over: ${AGAIN}`,
      ],
    ],
    lacks: /Servers|Counters|libbpf/,
    json: { attached: true, healthy: true, abi: null, counters: null, servers: null },
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
        '  Relay     off: all servers stay on the wire path',
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
        '  Relay     new servers until their greeting is known, and servers that need the relay',
        '            not all: ehlowire0 has no IPv6 address',
      ],
    ],
    json: { relays: true, not_relayed: ['ehlowire0 has no IPv6 address'] },
  },
  {
    ...{ name: 'rules keep servers on the relay', status: { ...FINE, rules: [NUL] } },
    says: [['  Rules     nul keeps all servers on the relay (policy.nul = "enforce")']],
    json: { healthy: true, rules_on_relay: [NUL] },
  },
  {
    name: "on the mail server's own interface",
    status: {
      ...FINE,
      journal: { ...JOURNAL, place: HOST },
      ...{ relays: false, notRelayed: ['`ehlowire host` relays nothing'] },
    },
    says: [
      [`Attached on eth0, since ${SINCE}`],
      ['  Detach    `ehlowire leave`: no connection is interrupted'],
    ],
    json: { attached_to: HOST },
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
        '  lost                                  12  records did not fit into the ring: the log has gaps; mail was forwarded (raise wire.ring)',
        '  contradicted                           1  repairs were withdrawn: those servers continue after the line that looked like their last',
        '  no_relay                               3  connections should have been relayed and were only forwarded: no relay listened',
        '  unwatched                          1,234  connections were not recorded, because the ring was half full when they began; mail was forwarded (raise wire.ring)',
      ],
    ],
    json: { counters: { lost: 12, contradicted: 1, no_relay: 3, unwatched: 1_234 }, servers: [] },
  },
  {
    name: 'servers for which the kernel has no room',
    status: { ...FINE, wire: { ...WIRE, unheld: 12 } },
    says: [
      [
        '  [2001:db8::25]:587          observe, repair withdrawn: the greeting continued after its repaired line',
        "  ! 12 more servers do not fit into the kernel's table: each is treated like a new server",
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
    // A monitor sees `well` only where it is attached, without problems, readable, and has its process.
    const well = object['healthy'] === true && object['process'] !== null && object['counters'] !== null;
    assert.is(isWell(status), well);
  });
}

test.run();
