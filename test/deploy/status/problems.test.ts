// What should be so and is not: one sentence each, of what, on what, and what to do.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Journal } from '../../../deploy/journal/change';
import type { ControlProcess } from '../../../deploy/journal/control-process';
import { findProblems, type Seen } from '../../../deploy/status/problems';
import { ADOPTED, AGAIN, HOST, JOURNAL, RUNNING, START, WIRE } from '../journal/samples';

type SeenLink = { readonly up: boolean; readonly carrier: boolean; readonly master: string | undefined };
const UP: SeenLink = { up: true, carrier: true, master: undefined };
const PORT: SeenLink = { ...UP, master: 'ehlowire0' };
/** As they should be, but for these; undefined: there is no such link. */
function links(but: Readonly<Record<string, SeenLink | undefined>> = {}): Seen['links'] {
  const all = Object.entries({ ehlowire0: UP, eth1: PORT, eth2: PORT, ...but });
  return new Map(all.flatMap(([name, link]) => (link === undefined ? [] : [[name, link]])));
}
const SEEN: Seen = {
  links: links(),
  routes: [{ family: 4, table: '4548', destination: '0.0.0.0/0' }],
  attached: () => true,
  rules: () => [{ family: 4, priority: 100, mark: 0x4548_0000, table: '4548' }],
  sysctl: () => '0',
  divert: { families: [4], because: [] },
  wire: WIRE,
};
const BROKEN: readonly {
  readonly name: string;
  readonly seen?: Partial<Seen>;
  readonly journal?: Partial<Journal>;
  readonly running?: ControlProcess | null;
  readonly want: readonly string[];
}[] = [
  { name: 'all is as it should be', want: [] },
  { name: 'nobody is in charge: that is told elsewhere', running: null, want: [] },
  {
    name: 'cut short',
    journal: { entered: false },
    running: null,
    seen: { links: links({ ehlowire0: undefined }) },
    want: [
      'attaching was interrupted and is incomplete: `ehlowire leave`, then `ehlowire bridge --wan eth1 --lan eth2`',
    ],
  },
  {
    name: 'on its way in',
    journal: { entered: false },
    want: ['process 4242 is attaching it now: ask again in a moment'],
  },
  {
    name: 'on its way out',
    running: { ...RUNNING, does: 'leave' },
    want: ['process 4242 is detaching it now: ask again in a moment'],
  },
  {
    name: 'a port left the bridge',
    seen: { links: links({ eth1: UP }) },
    want: [`eth1 is no port of ehlowire0 any more, and no frame is forwarded: ${AGAIN}`],
  },
  {
    name: "a port left the operator's own bridge",
    journal: { place: ADOPTED },
    seen: { links: links({ br0: UP, eth1: { ...UP, master: 'br0' }, eth2: UP }) },
    want: ['eth2 is no port of br0 any more, and no frame is forwarded: `ip link set eth2 master br0`'],
  },
  {
    name: 'a port is gone',
    seen: { links: links({ eth2: undefined }) },
    running: null,
    want: [`eth2 is gone, and no frame is forwarded: when \`ip link\` shows it again, ${START}`],
  },
  {
    name: 'a port is down, another has no cable',
    seen: { links: links({ eth1: { ...PORT, up: false }, eth2: { ...PORT, carrier: false } }) },
    want: [
      'eth1 is down, and no frame is forwarded: `ip link set eth1 up`',
      'eth2 has no carrier, and no frame is forwarded: is its cable in, is the other end up?',
    ],
  },
  {
    name: 'the bridge is gone, and its ports with it: one sentence',
    seen: {
      links: links({ ehlowire0: undefined, eth1: UP, eth2: UP }),
    },
    want: [
      'the bridge ehlowire0 is gone, and no frame is forwarded: `ehlowire leave`, then `ehlowire bridge --wan eth1 --lan eth2`',
    ],
  },
  {
    name: 'the bridge is down',
    seen: { links: links({ ehlowire0: { ...UP, up: false } }) },
    want: ['ehlowire0 is down, and no frame is forwarded: `ip link set ehlowire0 up`'],
  },
  {
    name: 'the program is gone from a port',
    seen: { attached: (device) => device !== 'eth1' },
    want: [`no program at eth1 ingress, and frames there are neither recorded nor repaired: ${AGAIN}`],
  },
  {
    name: 'rule and route for the relay are gone',
    seen: { rules: () => [], routes: [{ family: 4, table: '254', destination: '0.0.0.0/0' }] },
    want: [
      `the IPv4 route for relayed connections is gone from table 4548, and they are lost: ${AGAIN}`,
      `the IPv4 rule for relayed connections is gone, and they are lost: ${AGAIN}`,
    ],
  },
  {
    name: 'the bridge lost its address under the relay',
    seen: { divert: { families: [], because: ['ehlowire0 has no IPv4 address'] } },
    want: [`relayed connections are lost, as ehlowire0 has no IPv4 address: fix that, then ${AGAIN}`],
  },
  {
    name: 'somebody hands frames to iptables',
    seen: { sysctl: () => '1' },
    want: [
      'net.bridge.bridge-nf-call-iptables was set to 1 by another process, and frames pass iptables: `sysctl net.bridge.bridge-nf-call-iptables=0`',
    ],
  },
  {
    name: 'nothing is pinned any more',
    seen: { wire: { kind: 'nothing' } },
    want: [
      'the pinned tables in /sys/fs/bpf/ehlowire are gone; the program can be neither read nor controlled: `ehlowire leave`, then `ehlowire bridge --wan eth1 --lan eth2`',
    ],
  },
  {
    name: "the host's interface is gone",
    journal: { place: HOST, steps: [] },
    seen: { links: new Map(), divert: undefined },
    running: null,
    want: [
      'eth0 is gone: when `ip link` shows it again, `systemctl restart ehlowire-host@eth0`, or `ehlowire host --dev eth0`',
    ],
  },
];

for (const { name, seen, journal, running, want } of BROKEN) {
  test(name, () => {
    const who = running === null ? undefined : (running ?? RUNNING);
    assert.equal(findProblems({ ...JOURNAL, ...journal }, { ...SEEN, ...seen }, who), want);
  });
}

test.run();
