// Four namespaces in a row, `cli - fw - shim - mta`: a client, a firewall, the place of ehlowire, a mail server.

import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bare, batch, inside, ip, makeNamespaces, settings } from './netns';
import { run, start, until, type Child, type Outcome } from './process';

export type Place = 'cli' | 'fw' | 'shim' | 'mta';

/** Addresses of RFC 2544 and, for IPv6, of RFC 4193; clients and servers are on-link for one another. */
export const ADDRESS = {
  /** What clients may know the server by, where the firewall translates it. */
  public: '198.18.0.250',
  shim: ['198.19.0.20', '198.19.0.21', '198.19.0.22', '198.19.0.23'],
  /** Several servers, all on port 25. */
  mta: ['198.19.0.4', '198.19.0.5', '198.19.0.6', '198.19.0.7', '198.19.0.8', '198.19.0.9'],
  mta6: 'fd00:19::4',
  /** Where the bridge is somebody else's and has addresses. */
  shim6: 'fd00:19::20',
  /** Clients of other networks than the client's own, by either family, on its machine. */
  strangers: ['198.18.1.9', '198.18.2.9'],
  strangers6: ['fd01:18::9', 'fd02:18::9'],
} as const;

/** Hops between the client and the firewall show in its TTL: a Linux client seven hops away. */
const CLIENT_TTL = 57;

export interface Topology {
  readonly name: string;
  /** Starts a program in one of the namespaces. */
  start(place: Place, command: string, ...args: readonly string[]): Child;
  run(place: Place, timeoutMs: number, command: string, ...args: readonly string[]): Promise<Outcome>;
  /** The client gets an address that nothing remembers: the nth of the pool, from 0. Both families. */
  moveClient(nth: number): ClientAddress;
  /** The firewall routes instead of being a wire (what terminates TCP must), or stops doing so. */
  route(on: boolean): void;
  /** Ends what runs in the namespaces and deletes them; may be called twice, synchronous. */
  remove(): void;
}

export interface ClientAddress {
  readonly v4: string;
  readonly v6: string;
}

/** Why there can be none here, as a string. `name` must be short, and unique on this machine. */
export function makeTopology(name: string): Topology | string {
  const made = makeNamespaces(name, PLACES);
  if (typeof made === 'string') return made;
  const netns = (place: Place): string => `${name}-${place}`;
  try {
    lay(netns);
  } catch (error) {
    made.remove();
    return `no topology: ${error instanceof Error ? error.message : String(error)}`;
  }
  return {
    name,
    start: (place, command, ...args) => start('ip', ['netns', 'exec', netns(place), command, ...args]),
    run: (place, timeoutMs, command, ...args) =>
      run('ip', ['netns', 'exec', netns(place), command, ...args], { timeoutMs }),
    moveClient: (nth) => moveClient(netns, nth),
    route: (on) => route(netns('fw'), on),
    remove: made.remove,
  };
}

/** Waits for a child to say that it works; throws with what it said instead. */
export async function awaitWord(child: Child, word: string, timeoutMs = 30_000): Promise<void> {
  await until(
    `"${word}"`,
    () => {
      if (child.process.exitCode !== null) throw new Error(`ended without "${word}": ${child.output()}`);
      return child.output().includes(word) || undefined;
    },
    timeoutMs,
  );
}

/** Names that a run left behind which was killed: their processes and links are gone, the names are not. */
export function forgetStale(prefix: string): void {
  for (const file of readdirSync('/run/netns', { encoding: 'utf8' })) {
    const [, pid] = new RegExp(`^${prefix}(\\d+)-`).exec(file) ?? [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      execFileSync('ip', ['netns', 'delete', file], { stdio: 'ignore' });
    } catch {
      // Made in a mount namespace that is gone: an empty file.
      rmSync(join('/run/netns', file), { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const PLACES: readonly Place[] = ['cli', 'fw', 'shim', 'mta'];

type Netns = (place: Place) => string;

const CABLES: readonly (readonly [Place, string, Place, string])[] = [
  ['cli', 'eth0', 'fw', 'out'],
  ['fw', 'in', 'shim', 'wan'],
  ['shim', 'lan', 'mta', 'eth0'],
];

function lay(netns: Netns): void {
  for (const [a, aName, b, bName] of CABLES) {
    ip('link', 'add', aName, 'netns', netns(a), 'type', 'veth', 'peer', 'name', bName, 'netns', netns(b));
  }
  for (const [a, aName, b, bName] of CABLES) {
    bare(netns(a), aName);
    bare(netns(b), bName);
  }
  bridge(netns('shim'));
  settings(netns('cli'), {
    'net/ipv4/ip_default_ttl': CLIENT_TTL,
    'net/ipv6/conf/eth0/hop_limit': CLIENT_TTL,
  });
  for (const place of ['cli', 'mta'] as const) {
    // One row must not teach the next one round trips and windows.
    settings(netns(place), { 'net/ipv4/tcp_no_metrics_save': 1 });
    batch(netns(place), ['link set eth0 up']);
  }
  batch(netns('fw'), ['link set out up', 'link set in up']);
  const servers = ADDRESS.mta.map((address) => `address add ${address}/24 dev eth0`);
  batch(netns('mta'), [
    ...servers,
    `address add ${ADDRESS.mta6}/64 dev eth0 nodad`,
    'route add 198.18.0.0/24 dev eth0',
    'route add fd00:18::/64 dev eth0',
    ...strangers().map((address) => `route add ${address} dev eth0`),
  ]);
}

function strangers(): readonly string[] {
  return [...ADDRESS.strangers, ...ADDRESS.strangers6];
}

function bridge(namespace: string): void {
  batch(namespace, [
    'link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0',
    'link set wan master br0',
    'link set lan master br0',
    'link set wan up',
    'link set lan up',
    'link set br0 up',
    ...ADDRESS.shim.map((address) => `address add ${address}/24 dev br0`),
    'route add 198.18.0.0/24 dev br0',
  ]);
  const bridgeNf = ['iptables', 'ip6tables', 'arptables'].map((each) => [
    `net/bridge/bridge-nf-call-${each}`,
    0,
  ]);
  settings(namespace, Object.fromEntries(bridgeNf) as Record<string, number>);
}

function moveClient(netns: Netns, nth: number): ClientAddress {
  const address = { v4: `198.18.0.${10 + (nth % 200)}`, v6: `fd00:18::${(10 + nth).toString(16)}` };
  const hardware = inside(netns('mta'), 'cat', '/sys/class/net/eth0/address').trim();
  batch(netns('cli'), [
    'address flush dev eth0 scope global',
    `address add ${address.v4}/24 dev eth0`,
    `address add ${address.v6}/64 dev eth0 nodad`,
    ...ADDRESS.strangers.map((stranger) => `address add ${stranger}/32 dev eth0`),
    ...ADDRESS.strangers6.map((stranger) => `address add ${stranger}/128 dev eth0 nodad`),
    `route replace 198.19.0.0/24 dev eth0 src ${address.v4}`,
    `route replace fd00:19::/64 dev eth0 src ${address.v6}`,
    'neighbour flush dev eth0',
    // Nobody answers for the translated address: it is the firewall's only on paper.
    `neighbour replace ${ADDRESS.public} lladdr ${hardware} nud permanent dev eth0`,
  ]);
  for (const place of ['mta', 'shim'] as const) {
    batch(netns(place), [`neighbour flush dev ${place === 'mta' ? 'eth0' : 'br0'}`]);
  }
  return address;
}

/** As a router it answers ARP for both sides, so that neither notices. */
function route(namespace: string, on: boolean): void {
  const verb = on ? 'replace' : 'flush';
  const value = on ? 1 : 0;
  settings(namespace, {
    'net/ipv4/ip_forward': value,
    'net/ipv4/conf/out/proxy_arp': value,
    'net/ipv4/conf/in/proxy_arp': value,
    'net/ipv4/conf/all/rp_filter': 0,
    'net/ipv4/conf/out/rp_filter': 0,
    'net/ipv4/conf/in/rp_filter': 0,
  });
  batch(namespace, [`route ${verb} 198.18.0.0/24 dev out`, `route ${verb} 198.19.0.0/24 dev in`]);
}
