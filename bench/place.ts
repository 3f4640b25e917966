// Where one candidate works: a client, a bridge in the middle, a server; three namespaces and two cables.

import { execFileSync } from 'node:child_process';
import { makeNamespace, type Namespace } from '../test/kit/netns';
import { start, type Child } from '../test/kit/process';

export const CLIENT = '198.18.0.1';
export const SERVER = '198.18.0.2';
const SHIM = '198.18.0.9';

export type Node = 'cli' | 'shim' | 'mta';

export interface Place {
  readonly name: string;
  /** The bridge's own address on the link. */
  readonly mac: string;
  /** Only the network namespace is entered: a bpffs stays where it is. */
  enter(node: Node, command: string, ...args: readonly string[]): readonly [string, string[]];
  start(node: Node, command: string, ...args: readonly string[]): Child;
  remove(): void;
}

/** Offloads stay on, as on any machine that has not been prepared. */
export function makePlace(name: string): Place {
  const namespaces = NODES.map((node) => makeNamespace(`${name}-${node}`));
  const why = namespaces.find((each) => typeof each === 'string');
  const remove = (): void => namespaces.forEach((each) => (each as Namespace).remove());
  if (typeof why === 'string') throw new Error(why);
  process.on('exit', remove);
  cable(`${name}-cli`, `${name}-shim`, 'wan');
  cable(`${name}-mta`, `${name}-shim`, 'lan');
  for (const [node, address] of [
    ['cli', CLIENT],
    ['mta', SERVER],
  ] as const) {
    ip('-n', `${name}-${node}`, 'link', 'set', 'eth0', 'up');
    join(`${name}-${node}`, 'eth0', address);
  }
  layBridge(`${name}-shim`);
  const enter: Place['enter'] = (node, command, ...args) => [
    'nsenter',
    [`--net=/run/netns/${name}-${node}`, command, ...args],
  ];
  const link = JSON.parse(ip('-n', `${name}-shim`, '-j', 'link', 'show', 'br0')) as { address: string }[];
  return {
    name,
    mac: link[0]?.address ?? '',
    enter,
    start: (node, command, ...args) => start(...enter(node, command, ...args)),
    remove,
  };
}

function cable(end: string, shim: string, port: string): void {
  ip('link', 'add', port, 'netns', shim, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', end);
}

function layBridge(shim: string): void {
  ip('-n', shim, 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0');
  for (const port of ['wan', 'lan']) ip('-n', shim, 'link', 'set', port, 'master', 'br0', 'up');
  ip('-n', shim, 'link', 'set', 'br0', 'up');
  join(shim, 'br0', SHIM);
  const settings = [
    ...['iptables', 'ip6tables', 'arptables'].map((each) => `net.bridge.bridge-nf-call-${each}=0`),
    ...['all', 'br0', 'wan', 'lan'].map((each) => `net.ipv4.conf.${each}.rp_filter=0`),
  ];
  ip('netns', 'exec', shim, 'sysctl', '-q', '-w', ...settings);
}

/**
 * An address on the link, and whatever the machine's own congestion control is, ours: with one that paces (BBR) whole
 * transfers over the same bridge differ by nearly 2.
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
const NODES: readonly Node[] = ['cli', 'shim', 'mta'];
