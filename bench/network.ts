// The network of one candidate: a client, a bridge and a server, in three namespaces with two cables.

import { execFileSync } from 'node:child_process';
import { makeNamespace, type Namespace } from '../test/kit/netns';
import { start, type Child } from '../test/kit/process';

const CLIENT = '198.18.0.1';
export const SERVER = '198.18.0.2';
const BRIDGE = '198.18.0.9';

type Host = 'client' | 'bridge' | 'server';

export interface Network {
  readonly name: string;
  /** The bridge's own address on the link. */
  readonly mac: string;
  /** Only the network namespace is entered: a bpffs stays where it is. */
  enter(host: Host, command: string, ...args: readonly string[]): readonly [string, string[]];
  start(host: Host, command: string, ...args: readonly string[]): Child;
  remove(): void;
}

/** Offloads stay on, as on any machine that has not been prepared. */
export function makeNetwork(name: string): Network {
  const namespaces: Namespace[] = [];
  const remove = (): void => namespaces.forEach((each) => each.remove());
  process.on('exit', remove);
  for (const host of HOSTS) {
    const made = makeNamespace(`${name}-${host}`);
    if (typeof made === 'string') throw new Error(made);
    namespaces.push(made);
  }
  cable(`${name}-client`, `${name}-bridge`, 'wan');
  cable(`${name}-server`, `${name}-bridge`, 'lan');
  for (const [host, address] of [
    ['client', CLIENT],
    ['server', SERVER],
  ] as const) {
    ip('-n', `${name}-${host}`, 'link', 'set', 'eth0', 'up');
    join(`${name}-${host}`, 'eth0', address);
  }
  makeBridge(`${name}-bridge`);
  const enter: Network['enter'] = (host, command, ...args) => [
    'nsenter',
    [`--net=/run/netns/${name}-${host}`, command, ...args],
  ];
  const link = JSON.parse(ip('-n', `${name}-bridge`, '-j', 'link', 'show', 'br0')) as { address: string }[];
  return {
    name,
    mac: link[0]?.address ?? '',
    enter,
    start: (host, command, ...args) => start(...enter(host, command, ...args)),
    remove,
  };
}

function cable(end: string, bridge: string, port: string): void {
  ip('link', 'add', port, 'netns', bridge, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', end);
}

function makeBridge(bridge: string): void {
  ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
  for (const port of ['wan', 'lan']) ip('-n', bridge, 'link', 'set', port, 'master', 'br0', 'up');
  ip('-n', bridge, 'link', 'set', 'br0', 'up');
  join(bridge, 'br0', BRIDGE);
  const settings = [
    ...['iptables', 'ip6tables', 'arptables'].map((each) => `net.bridge.bridge-nf-call-${each}=0`),
    ...['all', 'br0', 'wan', 'lan'].map((each) => `net.ipv4.conf.${each}.rp_filter=0`),
  ];
  ip('netns', 'exec', bridge, 'sysctl', '-q', '-w', ...settings);
}

/**
 * An address on the link, and a fixed congestion control: with one that paces (BBR) whole transfers over the same
 * bridge differ by a factor of nearly 2.
 */
function join(namespace: string, device: string, address: string): void {
  ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', device);
  ip('-n', namespace, 'route', 'change', LINK, 'dev', device, 'scope', 'link', 'congctl', CONGESTION_CONTROL);
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

/** Linux's own default (RFC 9438). */
export const CONGESTION_CONTROL = 'cubic';
const LINK = '198.18.0.0/24';
const HOSTS: readonly Host[] = ['client', 'bridge', 'server'];
