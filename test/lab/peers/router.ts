// Three namespaces in a row, `cli - shim - mta`: the shim is a router that diverts mail to a transparent relay.

import { execFileSync } from 'node:child_process';
import { ip, makeNamespaces, settings } from '../../kit/netns';
import { run, start, type Child, type Outcome } from '../../kit/process';

type Stop = 'cli' | 'shim' | 'mta';

/** RFC 2544 and RFC 4193: a network on each side of the shim. */
export const AT = {
  cli: { v4: '198.18.0.10', v6: 'fd00:18::10' },
  /** The shim's, on the clients' side and on the server's. */
  wan: { v4: '198.18.0.1', v6: 'fd00:18::1' },
  lan: { v4: '198.19.0.1', v6: 'fd00:19::1' },
  mta: { v4: '198.19.0.4', v6: 'fd00:19::4' },
  /** A second server. */
  other: { v4: '198.19.0.5', v6: 'fd00:19::5' },
  /** Routed to the mail server's side, which says that there is nobody. */
  nobody: { v4: '198.20.0.1', v6: 'fd00:20::1' },
} as const;

export interface Router {
  start(at: Stop, command: string, ...args: readonly string[]): Child;
  run(at: Stop, timeoutMs: number, command: string, ...args: readonly string[]): Promise<Outcome>;
  /** Packets that a named nft counter of the shim has seen. */
  counted(counter: string): number;
  /** Ends what runs inside and deletes it; may be called twice, synchronous. */
  remove(): void;
}

export interface Divert {
  /** The relay's port, and the ports that it is to get. */
  readonly to: number;
  readonly ports: readonly number[];
  /** The relay's own mark: what it sends without is counted by `unmarked`. */
  readonly mark: number;
}

/** Why there can be none here, as a string. `name` must be short, and unique on this machine. */
export function makeRouter(name: string, divert: Divert): Router | string {
  const made = makeNamespaces(name, ['cli', 'shim', 'mta']);
  if (typeof made === 'string') return made;
  const netns = (at: Stop): string => `${name}-${at}`;
  try {
    lay(netns);
    rule(netns('shim'), divert);
  } catch (error) {
    made.remove();
    return `no router: ${error instanceof Error ? error.message : String(error)}`;
  }
  const inside = (at: Stop): readonly string[] => ['netns', 'exec', netns(at)];
  return {
    start: (at, ...command) => start('ip', [...inside(at), ...command]),
    run: (at, timeoutMs, ...command) => run('ip', [...inside(at), ...command], { timeoutMs }),
    counted: (counter) => {
      const text = ip(...inside('shim'), 'nft', 'list', 'counter', 'inet', 'lab', counter);
      return Number(/packets (\d+)/.exec(text)?.[1]);
    },
    remove: made.remove,
  };
}

function lay(netns: (at: Stop) => string): void {
  const [cli, shim, mta] = [netns('cli'), netns('shim'), netns('mta')];
  ip('link', 'add', 'eth0', 'netns', cli, 'type', 'veth', 'peer', 'name', 'wan', 'netns', shim);
  ip('link', 'add', 'lan', 'netns', shim, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', mta);
  batch(cli, [...addresses('eth0', AT.cli), 'link set eth0 up', ...defaults(AT.wan)]);
  batch(mta, [
    ...[...addresses('eth0', AT.mta), ...addresses('eth0', AT.other), 'link set eth0 up'],
    ...[...defaults(AT.lan), 'route add unreachable 198.20.0.0/24', 'route add unreachable fd00:20::/64'],
  ]);
  batch(shim, [
    ...[...addresses('wan', AT.wan), ...addresses('lan', AT.lan), 'link set wan up', 'link set lan up'],
    `route add 198.20.0.0/24 via ${AT.mta.v4}`,
    `route add fd00:20::/64 via ${AT.mta.v6}`,
    // What is marked is for a socket here, whatever its address.
    ...['rule add fwmark 1 lookup 100', 'route add local default dev lo table 100'],
    ...['-6 rule add fwmark 1 lookup 100', '-6 route add local default dev lo table 100'],
  ]);
  for (const namespace of [shim, mta]) {
    settings(namespace, { 'net/ipv4/ip_forward': 1, 'net/ipv6/conf/all/forwarding': 1 });
  }
}

/** The rules of the README, and a stateful firewall around them that drops TCP which it does not understand. */
function rule(shim: string, { to, ports, mark }: Divert): void {
  const rules = `
table inet ehlowire {
  chain divert {
    type filter hook prerouting priority mangle
    socket transparent 1 socket wildcard 0 meta mark set 1 accept
    iifname "wan" tcp dport { ${ports.join(', ')} } tproxy to :${to} meta mark set 1 accept
  }
  chain untracked {
    type filter hook prerouting priority raw
    tcp sport { ${ports.join(', ')} } notrack
    tcp dport { ${ports.join(', ')} } notrack
  }
  chain untracked_own {
    type filter hook output priority raw
    tcp sport { ${ports.join(', ')} } notrack
    tcp dport { ${ports.join(', ')} } notrack
  }
}
table inet lab {
  counter invalid {}
  counter unmarked {}
  counter forwarded {}
  chain arriving {
    type filter hook input priority filter
    meta l4proto tcp ct state invalid counter name invalid drop
  }
  chain leaving {
    type filter hook output priority filter
    meta l4proto tcp ct state invalid counter name invalid drop
    meta l4proto tcp meta mark != ${mark} counter name unmarked
  }
  chain passing {
    type filter hook forward priority filter
    meta l4proto tcp counter name forwarded
  }
}
`;
  execFileSync('ip', ['netns', 'exec', shim, 'nft', '-f', '-'], {
    input: rules,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

interface Both {
  readonly v4: string;
  readonly v6: string;
}

function addresses(device: string, { v4, v6 }: Both): readonly string[] {
  return [`address add ${v4}/24 dev ${device}`, `address add ${v6}/64 dev ${device} nodad`];
}

function defaults({ v4, v6 }: Both): readonly string[] {
  return [`route add default via ${v4}`, `-6 route add default via ${v6}`];
}

// One by one: a line of a batch cannot say `-6`.
function batch(namespace: string, lines: readonly string[]): void {
  for (const line of lines) ip('-n', namespace, ...line.split(' '));
}
