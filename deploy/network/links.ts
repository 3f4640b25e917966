// Interfaces, addresses, routes and rules as they are now.

import { isFault, type Fault } from '../../proxy/system/fault';
import { askTool, runTool, type Json } from './tools';

export type Family = 4 | 6;

export interface Link {
  readonly name: string;
  readonly index: number;
  readonly up: boolean;
  /** Carrier: a cable, and a peer at its other end. */
  readonly carrier: boolean;
  readonly mtu: number;
  /** Hardware address. */
  readonly address: string;
  /** `ether`, `loopback`, … */
  readonly type: string;
  /** `bridge`, `veth`, `vlan`, `bond`, …; empty for a network card. */
  readonly kind: string;
  readonly master: string | undefined;
  /** What a VLAN interface stands on. */
  readonly parent: string | undefined;
  /** How it makes its link-local IPv6 address: `eui64`, `none`, … */
  readonly generates: string;
  /** Of a bridge. */
  readonly bridge: BridgeFacts | undefined;
}

interface BridgeFacts {
  readonly stp: boolean;
  readonly vlanFiltering: boolean;
  readonly multicastSnooping: boolean;
  /** `nf_call_iptables` and the like, where they are on: it hands frames over whatever the sysctl says. */
  readonly calls: readonly string[];
}

export interface Address {
  readonly family: Family;
  /** `address/length`. */
  readonly prefix: string;
  readonly scope: string;
  /** From DHCP or router advertisements: it runs out. */
  readonly dynamic: boolean;
  /** The words of `ip address add`, without the device. */
  readonly words: readonly string[];
}

export function readLinks(): readonly Link[] | Fault {
  const answer = askTool('ip', ['-d', 'link', 'show']);
  return isFault(answer) ? answer : answer.map(toLink);
}

function toLink(json: Json): Link {
  const flags = list(json['flags']);
  const info = record(json['linkinfo']);
  const kind = text(info['info_kind']);
  return {
    name: text(json['ifname']),
    index: Number(json['ifindex']),
    up: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP'),
    mtu: Number(json['mtu']),
    address: text(json['address']),
    type: text(json['link_type']),
    kind,
    master: typeof json['master'] === 'string' ? json['master'] : undefined,
    parent: typeof json['link'] === 'string' ? json['link'] : undefined,
    generates: text(json['inet6_addr_gen_mode']),
    bridge: kind === 'bridge' ? toBridge(record(info['info_data'])) : undefined,
  };
}

function toBridge(data: Json): BridgeFacts {
  return {
    stp: Number(data['stp_state'] ?? 0) !== 0,
    vlanFiltering: Number(data['vlan_filtering'] ?? 0) !== 0,
    multicastSnooping: Number(data['mcast_snooping'] ?? 0) !== 0,
    calls: NF_CALLS.filter((each) => Number(data[each] ?? 0) !== 0),
  };
}

/** In the order of the kernel, which is that of primary and secondary ones. */
export function readAddresses(device: string): readonly Address[] | Fault {
  const answer = askTool('ip', ['-d', 'address', 'show', 'dev', device]);
  if (isFault(answer)) return answer;
  return answer.flatMap((json) => (json['addr_info'] as Json[] | undefined) ?? []).map(toAddress);
}

function toAddress(json: Json): Address {
  const family = json['family'] === 'inet6' ? 6 : 4;
  const peer = text(json['address']);
  const prefix = `${peer === '' ? text(json['local']) : peer}/${String(json['prefixlen'])}`;
  const own = `${text(json['local'])}/${String(json['prefixlen'])}`;
  const words = peer === '' ? [own] : [text(json['local']), 'peer', prefix];
  const add = (name: string, value: unknown): void =>
    void (value !== undefined && words.push(name, String(value)));
  add('broadcast', json['broadcast']);
  add('metric', json['metric']);
  add('scope', json['scope']);
  add('label', family === 4 ? json['label'] : undefined);
  if (json['valid_life_time'] !== FOREVER) add('valid_lft', json['valid_life_time']);
  if (json['preferred_life_time'] !== FOREVER) add('preferred_lft', json['preferred_life_time']);
  if (json['noprefixroute'] === true) words.push('noprefixroute');
  if (json['home'] === true) words.push('home');
  if (json['mngtmpaddr'] === true) words.push('mngtmpaddr');
  // It was judged unique where it was; again would be a second of silence.
  if (family === 6) words.push('nodad');
  return { family, prefix: own, scope: text(json['scope']), dynamic: json['dynamic'] === true, words };
}

/** A route as the words of `ip route add`; `devices`: those that it leaves by. */
export interface Route {
  readonly family: Family;
  readonly words: readonly string[];
  readonly devices: readonly string[];
  readonly destination: string;
  /** The kernel makes it with an address, and takes it away with it. */
  readonly automatic: boolean;
  readonly gateway: boolean;
  /** A number. */
  readonly table: string;
}

export function readRoutes(family: Family): readonly Route[] | Fault {
  const answer = runTool('ip', [`-${family}`, '-o', '-N', '-d', 'route', 'show', 'table', 'all']);
  return isFault(answer)
    ? answer
    : answer
        .split('\n')
        .filter(Boolean)
        .map((line) => toRoute(family, line));
}

function toRoute(family: Family, line: string): Route {
  const words = line.split(/[\s\\]+/).filter((word) => word !== '' && !STATES.has(word));
  words[0] = TYPES[Number(words[0])] ?? words[0] ?? '';
  const any = words.indexOf('default');
  if (any >= 0) words[any] = family === 4 ? '0.0.0.0/0' : '::/0';
  const after = (name: string): string[] => words.filter((_, index) => words[index - 1] === name);
  const expires = words.indexOf('expires');
  if (expires >= 0) words[expires + 1] = (words[expires + 1] ?? '').replace(/sec$/, '');
  // The kernel's own note of what went wrong, no word of `ip route add`.
  const error = words.indexOf('error');
  if (error >= 0) words.splice(error, 2);
  return {
    family,
    words,
    devices: after('dev'),
    destination: words[1] ?? '',
    automatic: after('proto').includes(KERNEL),
    gateway: words.includes('via'),
    table: after('table')[0] ?? '254',
  };
}

export interface Rule {
  readonly family: Family;
  readonly priority: number;
  readonly mark: number;
  readonly table: string;
}

export function readRules(family: Family): readonly Rule[] | Fault {
  const answer = askTool('ip', [`-${family}`, '-N', 'rule', 'show']);
  if (isFault(answer)) return answer;
  return answer.map((json) => ({
    family,
    priority: Number(json['priority']),
    mark: Number(json['fwmark'] ?? 0),
    table: String(json['table']),
  }));
}

/** A bridge's own switches; sysctls of nearly the same names switch all bridges. */
export const NF_CALLS = ['nf_call_iptables', 'nf_call_ip6tables', 'nf_call_arptables'] as const;

/** `nf_call_iptables` → the sysctl. */
export function nfSysctl(option: string): string {
  return `net/bridge/bridge-${option.replaceAll('_', '-')}`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

/** RTN_UNICAST and the others, by their numbers. */
const TYPES = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
];
const FOREVER = 4_294_967_295;
/** RTPROT_KERNEL */
const KERNEL = '2';
/** What a listing says of a route's state: no words of `ip route add`. */
const STATES: ReadonlySet<string> = new Set([
  'linkdown',
  'dead',
  'pervasive',
  'offload',
  'trap',
  'offload_failed',
  'rt_offload',
  'rt_trap',
  'notify',
  'unresolved',
]);
