// A path to trace: `cli - r1 - … - r6`, real Linux routers, and one mail server that has a cable to each of r2 … r6.
// The server's address says how many routers are before it. Every cable runs through the namespace `wire`, where a
// bridge is its middle; a device of the lab can take the bridge's place.

import { bare, batch, inside, ip, makeNamespaces, settings } from '../../kit/netns';
import { run, start, type Child, type Outcome } from '../../kit/process';

/** Routers in the row. */
export const MOST = 6;
/** Routers on the shortest path. */
export const LEAST = 2;

export type Family = 'v4' | 'v6';
export const FAMILIES = ['v4', 'v6'] as const;

/** `r1` is the client's router. */
export type Place = 'cli' | `r${number}` | 'wire' | 'mta';

/** One cable: its name, and its ends from the client's side on. */
interface Cable {
  readonly name: string;
  readonly ends: readonly [{ place: Place; device: string }, { place: Place; device: string }];
  readonly net: number;
}

/** Networks of RFC 2544 and RFC 4193: `.1` is the end on the client's side. */
const address = {
  v4: (net: number, end: number): string => `198.18.${net}.${end}`,
  v6: (net: number, end: number): string => `fd00:18:${net}::${end}`,
} as const;

const CHAIN: readonly Cable[] = upTo(1, MOST).map((k) => ({
  name: `c${k}`,
  ends: [
    { place: k === 1 ? 'cli' : `r${k - 1}`, device: 'right' },
    { place: `r${k}`, device: 'left' },
  ],
  net: k,
}));
const LEGS: readonly Cable[] = upTo(LEAST, MOST).map((n) => ({
  name: `l${n}`,
  ends: [
    { place: `r${n}`, device: 'leg' },
    { place: 'mta', device: `leg${n}` },
  ],
  net: 100 + n,
}));
const CABLES = [...CHAIN, ...LEGS];

/** Nobody has them: the routers send them along the row. What translates knows them. */
const PUBLIC_NET = 200;

export const CLIENT = { v4: address.v4(1, 1), v6: address.v6(1, 1) } as const;

/** The mail server's address behind n routers. */
export function serverBehind(n: number, family: Family): string {
  return address[family](100 + n, 2);
}

/** An address that a router translates to the server's behind n routers. */
export function publicOf(n: number, family: Family): string {
  return address[family](PUBLIC_NET, n);
}

/** Router k's address on the client's side: with it, it answers when a TTL ends there. */
export function routerAddress(k: number, family: Family): string {
  return address[family](k, 2);
}

export interface Path {
  readonly name: string;
  start(place: Place, command: string, ...args: readonly string[]): Child;
  run(place: Place, timeoutMs: number, command: string, ...args: readonly string[]): Promise<Outcome>;
  /** A shell script; throws with what it said where it fails. */
  script(place: Place, text: string): void;
  settings(place: Place, values: Readonly<Record<string, number>>): void;
  /**
   * Takes the bridge out of the cable that leads to router k, or from router n to the server where k is n + 1, and
   * says between which devices of `wire` there is nothing now.
   */
  cut(k: number, n: number): readonly [outside: string, inside: string];
  /** From the client to router k no host writes checksums, as where network cards do it. */
  offload(k: number): void;
  /** All cables whole, no rules, all settings as they were, nothing learned of the path. */
  heal(): void;
  /** Ends what runs in the namespaces and deletes them; may be called twice, synchronous. */
  remove(): void;
}

const PLACES: readonly Place[] = ['cli', ...upTo(1, MOST).map((k): Place => `r${k}`), 'wire', 'mta'];

/** Why there can be none here, as a string. `name` must be short, and unique on this machine. */
export function makePath(name: string): Path | string {
  const made = makeNamespaces(name, PLACES);
  if (typeof made === 'string') return made;
  const netns = (place: Place): string => `${name}-${place}`;
  try {
    lay(netns);
    heal(netns);
  } catch (error) {
    made.remove();
    return `no path: ${error instanceof Error ? error.message : String(error)}`;
  }
  return {
    name,
    start: (place, ...command) => start('ip', ['netns', 'exec', netns(place), ...command]),
    run: (place, timeoutMs, ...command) =>
      run('ip', ['netns', 'exec', netns(place), ...command], { timeoutMs }),
    script: (place, text) => script(netns(place), text),
    settings: (place, values) => settings(netns(place), values),
    cut: (k, n) => {
      const cable = k <= n ? `c${k}` : `l${n}`;
      batch(netns('wire'), [`link set ${cable}a nomaster`, `link set ${cable}b nomaster`]);
      return [`${cable}a`, `${cable}b`];
    },
    offload: (k) => CHAIN.slice(0, k).forEach((cable) => sums(netns, cable, 'on')),
    heal: () => heal(netns),
    remove: made.remove,
  };
}

type Netns = (place: Place) => string;

function lay(netns: Netns): void {
  for (const { name, ends } of CABLES) {
    for (const [nth, { place, device }] of ends.entries()) {
      const middle = `${name}${nth === 0 ? 'a' : 'b'}`;
      ip(
        'link',
        'add',
        device,
        'netns',
        netns(place),
        'type',
        'veth',
        'peer',
        'name',
        middle,
        'netns',
        netns('wire'),
      );
      bare(netns(place), device);
      bare(netns('wire'), middle);
    }
  }
  const wire = CABLES.flatMap(({ name }) => [
    `link add ${name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    ...[`${name}a`, `${name}b`, name].map((device) => `link set ${device} up`),
  ]);
  batch(netns('wire'), wire);
  for (const place of PLACES.filter((each) => each !== 'wire')) {
    batch(netns(place), [...addressesOf(place), ...routesOf(place)]);
  }
  answerWhereAsked(netns('mta'));
}

function addressesOf(place: Place): readonly string[] {
  return CABLES.flatMap(({ ends, net }) =>
    ends.flatMap((end, nth) =>
      end.place !== place
        ? []
        : [
            `address add ${address.v4(net, nth + 1)}/24 dev ${end.device}`,
            `address add ${address.v6(net, nth + 1)}/64 dev ${end.device} nodad`,
            `link set ${end.device} up`,
          ],
    ),
  );
}

/** Each router knows all cables: those before it by the left, those behind it by the right. */
function routesOf(place: Place): readonly string[] {
  if (place === 'mta') return [];
  const at = place === 'cli' ? 0 : Number(place.slice(1));
  const nets = [
    ...CABLES.map(({ net, name }) => ({ net, at: Number(name.slice(1)), leg: name.startsWith('l') })),
  ];
  const right = nets.filter((each) => (each.leg ? each.at > at : each.at > at + 1)).map(({ net }) => net);
  const left = nets.filter((each) => (each.leg ? each.at < at : each.at < at)).map(({ net }) => net);
  const by =
    (net: number, end: number) =>
    (to: number): readonly string[] => [
      `route add ${address.v4(to, 0)}/24 via ${address.v4(net, end)}`,
      `route add fd00:18:${to}::/64 via ${address.v6(net, end)}`,
    ];
  return [
    ...(at < MOST ? [...right, PUBLIC_NET] : []).flatMap(by(at + 1, 2)),
    ...(at > 0 ? left : []).flatMap(by(at, 1)),
  ];
}

/** An answer leaves by the cable that it was asked by. */
function answerWhereAsked(mta: string): void {
  for (const { name, net } of LEGS) {
    const n = Number(name.slice(1));
    for (const [flag, family, length] of [
      ['-4', 'v4', 24],
      ['-6', 'v6', 64],
    ] as const) {
      const from = address[family](net, 2);
      ip(
        '-n',
        mta,
        flag,
        'route',
        'add',
        'default',
        'via',
        address[family](net, 1),
        'table',
        String(100 + n),
      );
      ip(
        '-n',
        mta,
        flag,
        'rule',
        'add',
        'from',
        `${from}/${length === 24 ? 32 : 128}`,
        'lookup',
        String(100 + n),
      );
    }
  }
}

function heal(netns: Netns): void {
  for (const place of PLACES.filter((each) => each !== 'wire')) {
    script(netns(place), FORGET);
    settings(netns(place), place.startsWith('r') ? { ...QUICK, ...ROUTING } : QUICK);
  }
  const whole = CABLES.flatMap(({ name }) => [
    `link set ${name}a master ${name}`,
    `link set ${name}b master ${name}`,
  ]);
  batch(netns('wire'), whole);
  CHAIN.forEach((cable) => sums(netns, cable, 'off'));
}

/** The protocol of a route that a fault adds. */
export const LEARNED = 77;
const FORGET = [
  'nft flush ruleset',
  ...['-4', '-6'].flatMap((flag) => [
    `ip ${flag} route flush cache`,
    `ip ${flag} route flush proto ${LEARNED}`,
  ]),
].join('\n');

/** Whether the checksums of what goes towards the server are left to the card. */
function sums(netns: Netns, { name, ends: [{ place, device }] }: Cable, word: 'on' | 'off'): void {
  inside(netns(place), 'ethtool', '-K', device, 'tx', word);
  inside(netns('wire'), 'ethtool', '-K', `${name}b`, 'tx', word);
}

/** No limit on what it answers, and one trace does not teach the next one. */
const QUICK = {
  'net/ipv4/icmp_ratelimit': 0,
  'net/ipv4/icmp_msgs_per_sec': 100_000,
  'net/ipv6/icmp/ratelimit': 0,
  'net/ipv4/tcp_no_metrics_save': 1,
};
const ROUTING = {
  'net/ipv4/ip_forward': 1,
  'net/ipv6/conf/all/forwarding': 1,
};
/** Linux's default; IPv6 has 100 ms in newer kernels, and 1,000 before. */
export const LIMITED = {
  'net/ipv4/icmp_ratelimit': 1_000,
  'net/ipv4/icmp_msgs_per_sec': 1_000,
  'net/ipv6/icmp/ratelimit': 1_000,
};

function script(namespace: string, text: string): void {
  try {
    inside(namespace, 'sh', '-ec', text);
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? '';
    throw new Error(`refused in ${namespace}: ${said}\n${text}`, { cause: error });
  }
}

function upTo(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
