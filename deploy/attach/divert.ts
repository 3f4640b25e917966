// What the relay needs beside the bridge: marked frames delivered to this machine, and a way back to both sides.

import ipaddr from 'ipaddr.js';
import type { Step } from '../journal/change';
import { NF_CALLS, nfSysctl, type Family } from '../network/links';
import { readSysctl } from '../network/sysctl';
import type { Facts } from './network-facts';

export interface DivertSettings {
  /** Mark of the frames that the program hands to the relay. */
  readonly mark: number;
  readonly table: number;
  /** Of the rules, among the machine's own. */
  readonly priority: number;
}

export interface Divert {
  /** The families that can be relayed. */
  readonly families: readonly Family[];
  /** Why others cannot, one sentence each; without IPv4 there is none. */
  readonly because: readonly string[];
  readonly steps: readonly Step[];
}

/** `facts`: with the bridge as it is now, its addresses included. */
export function planDivert(facts: Facts, bridge: string, settings: DivertSettings): Divert {
  const obstacle = obstacleOf(facts, bridge);
  if (obstacle !== undefined) return { families: [], because: [obstacle], steps: [] };
  const why4 = whyNot(facts, bridge, 4);
  // A listener for IPv6 takes IPv4 too, and what it takes must find its way.
  if (why4 !== undefined) return { families: [], because: [why4], steps: [] };
  const why6 = whyNot(facts, bridge, 6);
  const families: readonly Family[] = why6 === undefined ? [4, 6] : [4];
  return {
    families,
    because: why6 === undefined ? [] : [why6],
    steps: families.map((family) => divertStep(bridge, family, settings)),
  };
}

function obstacleOf({ links }: Facts, bridge: string): string | undefined {
  const facts = links.get(bridge)?.bridge;
  const call = NF_CALLS.find(
    (option) => (readSysctl(nfSysctl(option)) ?? '0') !== '0' || facts?.calls.includes(option) === true,
  );
  if (call === undefined) return undefined;
  const sysctl = nfSysctl(call).replaceAll('/', '.');
  return `${bridge} hands its frames to iptables, where those to be relayed get lost: if no rule of yours needs that, \`sysctl ${sysctl}=0\``;
}

function whyNot({ addresses, routes }: Facts, bridge: string, family: Family): string | undefined {
  const own = (addresses.get(bridge) ?? []).filter(
    (each) => each.family === family && each.scope === 'global',
  );
  if (own.length === 0) return `${bridge} has no IPv${family} address`;
  const all = routes.filter(
    (route) => route.family === family && isPlain(route.words[0]) && route.table === MAIN,
  );
  const any = all.filter(({ destination }) => destination === ANY[family]);
  if (any.length === 0) {
    const over = all.some(
      ({ devices, gateway, destination }) =>
        devices.includes(bridge) && (gateway || !isOwn(destination, own)),
    );
    return over ? undefined : `there is no IPv${family} route back to the clients: no default route`;
  }
  if (!any.some(({ devices }) => devices.includes(bridge))) {
    const elsewhere = any.flatMap(({ devices }) => devices).join(', ');
    return `the IPv${family} route back to the clients (default) goes by ${elsewhere}, not over ${bridge}`;
  }
  return family === 4 ? whyNotFiltered(bridge) : undefined;
}

/** The reverse path is looked up with the mark then, and ends in the rule that is ours. */
function whyNotFiltered(bridge: string): string | undefined {
  const name = ['all', bridge].find((each) => readSysctl(`net/ipv4/conf/${each}/src_valid_mark`) === '1');
  return name === undefined
    ? undefined
    : `net.ipv4.conf.${name}.src_valid_mark is 1, which refuses marked frames: set it to 0`;
}

function isPlain(type: string | undefined): boolean {
  return type === 'unicast';
}

/** The network of an own address: servers are there, clients seldom are. */
function isOwn(destination: string, own: readonly { readonly prefix: string }[]): boolean {
  return own.some(({ prefix }) => networkOf(prefix) === networkOf(destination));
}

function networkOf(prefix: string): string {
  try {
    const [address, length] = ipaddr.parseCIDR(prefix);
    const bytes = address.toByteArray();
    return `${bytes.map((byte, index) => byte & (0xff00 >> Math.max(0, Math.min(8, length - 8 * index)))).join('.')}/${length}`;
  } catch {
    return prefix;
  }
}

function divertStep(bridge: string, family: Family, { mark, table, priority }: DivertSettings): Step {
  return {
    name: `relayed connections, IPv${family}`,
    changes: [
      ...(family === 4 ? filterChanges(bridge) : []),
      { kind: 'route', family, words: ['local', ANY[family], 'dev', 'lo', 'table', String(table)] },
      { kind: 'rule', family, priority, mark, table },
    ],
  };
}

/** Of `all` and the interface's own the larger one counts: 2, any way back will do, also where `all` says strict. */
function filterChanges(bridge: string): Step['changes'] {
  const key = `net/ipv4/conf/${bridge}/rp_filter`;
  const before = readSysctl(key);
  const strict = readSysctl('net/ipv4/conf/all/rp_filter') === '1' || before === '1';
  return strict && before !== undefined ? [{ kind: 'sysctl', key, before, after: '2' }] : [];
}

const ANY = { 4: '0.0.0.0/0', 6: '::/0' } as const;
const MAIN = '254';
