// Networks that a bridge is made in, or found in: lines of `ip -batch` and of `tc -batch`, and what is to be seen inside.

export interface Situation {
  readonly name: string;
  /** It is also refused at each step. */
  readonly everywhere?: boolean;
  /** It is also killed at each step. */
  readonly killed?: boolean;
  readonly ip: readonly string[];
  readonly tc?: readonly string[];
  readonly sysctl?: Readonly<Record<string, string>>;
  /** Of what `ip` says once it is in place. */
  readonly inside: readonly {
    readonly of: string;
    readonly has?: readonly string[];
    readonly lacks?: readonly string[];
  }[];
}

const UP = ['link set wan up', 'link set lan up'];

export const SITUATIONS: readonly Situation[] = [
  {
    name: 'two ports without addresses: the bridge has none either, and takes none',
    ip: UP,
    inside: [
      { of: '-br address', has: ['ehlowire0        UP             \n'] },
      { of: '-d link show ehlowire0', has: ['stp_state 0', 'forward_delay 0', 'mcast_snooping 0'] },
      { of: 'rule', lacks: ['fwmark'] },
      { of: '-d link show wan', has: ['master ehlowire0', 'state forwarding'] },
    ],
  },
  {
    name: 'ports that are down come up, and go down again',
    ip: [],
    inside: [{ of: '-br link', has: ['wan@', 'UP'], lacks: ['DOWN'] }],
  },
  {
    name: 'the management address is on a port: addresses and routes of both families go along',
    everywhere: true,
    killed: true,
    ip: [
      ...UP,
      'address add 198.18.0.2/24 broadcast 198.18.0.255 dev wan label wan:x',
      'address add 198.18.0.22/24 dev wan',
      'address add 198.18.5.5 peer 198.18.5.6/32 dev wan',
      'address add fd00:18::2/64 dev wan nodad',
      'route add 198.18.9.0/24 dev wan metric 9',
      'route add default via 198.18.0.1 dev wan src 198.18.0.22',
      'route add 198.18.7.0/24 via 198.18.0.3 dev wan metric 77 mtu 1300 table 99',
      'route add ::/0 via fd00:18::1 dev wan',
      'route add fd00:77::/64 via fd00:18::3 dev wan metric 7',
    ],
    inside: [
      {
        of: 'address show ehlowire0',
        has: ['198.18.0.2/24', 'secondary', 'fd00:18::2/64', 'peer 198.18.5.6/32'],
      },
      { of: 'address show wan', lacks: ['inet'] },
      {
        of: 'route show table all',
        has: ['default via 198.18.0.1 dev ehlowire0', '198.18.7.0/24 via 198.18.0.3 dev ehlowire0 table 99'],
      },
      {
        of: '-6 route',
        has: ['default via fd00:18::1 dev ehlowire0', 'fd00:77::/64 via fd00:18::3'],
        lacks: ['dev wan'],
      },
      { of: 'rule', has: ['fwmark 0x45480000 lookup 4548'] },
      { of: '-6 rule', has: ['fwmark 0x45480000 lookup 4548'] },
    ],
  },
  {
    name: 'both ports have addresses, one runs out, and one is a link-local one that somebody chose',
    ip: [
      ...UP,
      'address add 198.18.0.2/24 dev wan',
      'address add 198.19.0.2/24 dev lan valid_lft 3000 preferred_lft 2000',
      'address add fe80::1/64 dev lan nodad',
      'route add 198.20.0.0/16 nexthop via 198.18.0.9 dev wan weight 1 nexthop via 198.19.0.9 dev lan weight 2',
    ],
    inside: [
      { of: '-br address', has: ['198.18.0.2/24', '198.19.0.2/24', 'fe80::1/64'] },
      { of: 'route', has: ['198.20.0.0/16'], lacks: ['dev wan', 'dev lan'] },
    ],
  },
  {
    name: "others' filters and qdisc stay, the strict reverse path too",
    everywhere: true,
    ip: [...UP, 'address add 198.18.0.2/24 dev wan', 'route add default via 198.18.0.1 dev wan'],
    tc: [
      'qdisc add dev wan clsact',
      'filter add dev wan ingress pref 1 protocol ip bpf bytecode "1,6 0 0 0"',
      'filter add dev wan egress pref 1 protocol ip bpf bytecode "1,6 0 0 0"',
    ],
    sysctl: { 'net/ipv4/conf/all/rp_filter': '1', 'net/ipv6/conf/lan/disable_ipv6': '1' },
    inside: [{ of: 'rule', has: ['fwmark'] }],
  },
  {
    name: 'another bridge goes on handing its frames to iptables, ours does not',
    ip: [...UP, 'link add other type bridge'],
    sysctl: { 'net/bridge/bridge-nf-call-iptables': '1' },
    inside: [
      { of: '-d link show other', has: ['nf_call_iptables 1'] },
      { of: '-d link show ehlowire0', has: ['nf_call_iptables 0'] },
    ],
  },
  {
    name: 'a bridge that joins both ports is used as it is',
    everywhere: true,
    ip: [
      'link add br0 type bridge forward_delay 1500 ageing_time 10000',
      'link set wan master br0',
      'link set lan master br0',
      ...UP,
      'link set br0 up',
      'address add 198.18.0.2/24 dev br0',
      'route add 198.19.0.0/16 dev br0',
    ],
    sysctl: {
      'net/bridge/bridge-nf-call-iptables': '0',
      'net/bridge/bridge-nf-call-ip6tables': '0',
      'net/bridge/bridge-nf-call-arptables': '0',
    },
    inside: [
      { of: '-d link show br0', has: ['ageing_time 10000'] },
      { of: '-br link', lacks: ['ehlowire0'] },
      { of: 'rule', has: ['fwmark'] },
    ],
  },
];
