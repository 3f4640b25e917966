// A bridge that is in place, as the tables of status have it.

import type { Journal, Attachment } from '../../../deploy/journal/change';
import type { WireState } from '../../../deploy/status/wire-state';

export const SINCE = '2026-05-04T03:02:01.000Z';
export const PINS = '/sys/fs/bpf/ehlowire';
const CALL = 'net/bridge/bridge-nf-call-iptables';
export const BRIDGE: Attachment = {
  kind: 'bridge',
  wan: 'eth1',
  lan: 'eth2',
  bridge: 'ehlowire0',
  made: true,
};
export const ADOPTED: Attachment = { ...BRIDGE, bridge: 'br0', made: false };
export const HOST: Attachment = { kind: 'host', device: 'eth0' };
export const RUNNING = { pid: 4242, since: SINCE, version: '0.1.0', does: 'bridge' } as const;

const FILTERS = (['eth1', 'eth2'] as const).map((device, index) => ({
  kind: 'filter' as const,
  ...{ device, hook: 'ingress' as const, leg: index === 0 ? ('wan' as const) : ('lan' as const) },
  ...{ by: 'tc' as const, madeQdisc: true, priority: 1 },
}));
export const JOURNAL: Journal = {
  ...{ schema: 1, boot: 'this', namespace: 'net:[4026532000]', since: SINCE, place: BRIDGE, pins: PINS },
  entered: true,
  steps: [
    { name: 'frames past iptables', changes: [{ kind: 'sysctl', key: CALL, before: '1', after: '0' }] },
    { name: 'the program', changes: FILTERS },
    {
      name: 'relayed connections, IPv4',
      changes: [
        { kind: 'route', family: 4, words: ['local', '0.0.0.0/0', 'dev', 'lo', 'table', '4548'] },
        { kind: 'rule', family: 4, priority: 100, mark: 0x4548_0000, table: 4548 },
      ],
    },
  ],
};
export const WIRE: WireState = {
  kind: 'state',
  abi: 3,
  unheld: 0,
  counters: { COUNT_FRAMES: 1_234_567, COUNT_LOST: 0, COUNT_CONTRADICTED: 0, COUNT_NO_RELAY: 0 },
  servers: [
    { address: '192.0.2.25', port: 25, policy: 'repair', lines: 1, contradicted: false },
    { address: '2001:db8::25', port: 587, policy: 'observe', lines: 0, contradicted: true },
  ],
  learned: {
    servers: [
      {
        server: { address: '192.0.2.25', port: 25 },
        knowledge: { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 },
        way: 'verified',
        learned: 0,
      },
    ],
    suspects: [
      {
        server: { address: '2001:db8::25', port: 587 },
        ...{ greeting: 'truncated', clients: 3, networks: 2, honest: 1 },
      },
    ],
  },
};

/** How to restart it. */
export const AGAIN =
  '`systemctl restart ehlowire-bridge`, or end process 4242 and start `ehlowire bridge --wan eth1 --lan eth2`';
export const START = '`systemctl restart ehlowire-bridge`, or `ehlowire bridge --wan eth1 --lan eth2`';
