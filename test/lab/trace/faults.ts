// What devices do to a trace, at any router of a path, and how the lab makes it. `heal` of the path undoes it.

import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { scratch, type Child } from '../../kit/process';
import { awaitWord } from '../../kit/topology';
import { divert, PROXY_PORT, synproxy } from '../fault/router-rules';
import {
  LEARNED,
  LIMITED,
  publicOf,
  routerAddress,
  serverBehind,
  type Family,
  type Path,
  type Place,
} from './path';

/** A fault at router k of a path of n routers. */
export interface Scene {
  readonly path: Path;
  readonly n: number;
  readonly k: number;
  readonly family: Family;
  /** What is to end with the fault. */
  keep(child: Child): Child;
}

/** Makes it; it is at work when this resolves. */
export type Make = (scene: Scene) => void | Promise<void>;

/** Several at once. */
export const both =
  (...makes: readonly Make[]): Make =>
  async (scene) => {
    for (const make of makes) await make(scene);
  };

/** The same, so many routers further on. */
export const further =
  (by: number, make: Make): Make =>
  (scene) =>
    make({ ...scene, k: scene.k + by });

export const nothing: Make = () => undefined;

/** A segment to the server whose first four octets are this word, in any case. */
const begins = (word: string): string => {
  const octets = [...word].map((letter) => letter.charCodeAt(0).toString(16)).join('');
  return `tcp dport 25 @ih,0,32 & 0xdfdfdfdf == 0x${octets}`;
};

/** A segment to the server that begins with a TLS record: a handshake, version 3. */
export const TLS_BEGINS = 'tcp dport 25 @ih,0,16 == 0x1603';

/** Rules of router k: at its entrance, before anything looks at the TTL. */
export const entering = (...rules: readonly string[]): Make => chain('prerouting', 'raw', rules);

/** Behind the look at the TTL. */
export const forwarding = (...rules: readonly string[]): Make => chain('forward', 'filter', rules);

/** What router k says itself. */
const saying = (...rules: readonly string[]): Make => chain('output', 'filter', rules);

function chain(hook: string, priority: string, rules: readonly string[]): Make {
  return ({ path, k }) => path.script(`r${k}`, chained(hook, priority, rules));
}

function chained(hook: string, priority: string, rules: readonly string[]): string {
  const text = rules.map((rule) => `    ${rule}`).join('\n');
  return nft(`  chain ${hook} { type filter hook ${hook} priority ${priority}\n${text}\n  }`, hook);
}

/** A table for each hook, since a router may do two things. */
function nft(chains: string, name: string): string {
  return `nft -f - <<'END'\ntable inet on_${name} {\n${chains}\n}\nEND`;
}

export const eats = (...words: readonly string[]): Make =>
  entering(...words.map((word) => `${begins(word)} drop`));

export const eatsForwarding = (...words: readonly string[]): Make =>
  forwarding(...words.map((word) => `${begins(word)} drop`));

/** A firewall that is a bridge in the cable to router k: faults of firewall_faults.py. */
export const bridging =
  (...faults: readonly string[]): Make =>
  async ({ path, k, n, keep }) => {
    const devices = path.cut(k, n);
    const program = join(__dirname, '../fault/firewall.py');
    await awaitWord(keep(path.start('wire', 'python3', program, ...devices, ...faults)), 'ready');
  };

/** HAProxy on router k: connections to port 25 are redirected to it, and it calls the server in its own name. */
export const redirecting: Make = async ({ path, n, k, family, keep }) => {
  const file = join(scratch('haproxy'), 'haproxy.cfg');
  writeFileSync(file, haproxy(serverBehind(n, family)));
  keep(path.start(`r${k}`, 'haproxy', '-db', '-f', file));
  const redirect = `iifname "left" tcp dport 25 redirect to :${PROXY_PORT}`;
  path.script(
    `r${k}`,
    nft(`  chain in { type nat hook prerouting priority dstnat; ${redirect}; }`, 'redirect'),
  );
  await listening(path, `r${k}`);
};

const haproxy = (server: string): string => `defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen mx
  bind 0.0.0.0:${PROXY_PORT}
  bind :::${PROXY_PORT} v6only
  server mx ${server}:25
`;

/** A proxy on router k that uses the addresses of client and server: neither sees the proxy's own. */
export const terminating: Make = async ({ path, k, keep }) => {
  path.script(`r${k}`, divert('left'));
  const program = join(__dirname, '../fault/firewall_proxy.py');
  await awaitWord(keep(path.start(`r${k}`, 'python3', program, String(PROXY_PORT))), 'ready');
};

/**
 * Router k shakes hands for the server. (Of IPv6 the kernel's SYN proxy drops every SYN whose checksum it has to count:
 * it counts as for IPv4. So no host or router before it writes one.)
 */
export const shakingHands: Make = ({ path, k, family }) => {
  if (family === 'v6') path.offload(k);
  path.script(`r${k}`, synproxy('left'));
};

/** Router k knows the server by another address than its clients do, and remembers: Linux's own NAT. */
export const translating: Make = ({ path, n, k, family }) => {
  const version = family === 'v4' ? 'ip' : 'ip6';
  const rule = `${version} daddr ${publicOf(n, family)} dnat ${version} to ${serverBehind(n, family)}`;
  path.script(`r${k}`, nft(`  chain in { type nat hook prerouting priority dstnat; ${rule}; }`, 'nat'));
};

/** The same by a router that writes addresses and remembers nothing: ICMP errors from behind it quote the server's own. */
export const readdressing: Make = ({ path, n, k, family }) => {
  const version = family === 'v4' ? 'ip' : 'ip6';
  const [outer, inner] = [publicOf(n, family), serverBehind(n, family)];
  const rules = [
    `${version} daddr ${outer} ${version} daddr set ${inner}`,
    `iifname != "left" ${version} saddr ${inner} ${version} saddr set ${outer}`,
  ];
  path.script(`r${k}`, chained('prerouting', 'raw', rules));
};

/** Router k says nothing of a TTL that ended. */
export const silent = saying('icmp type time-exceeded drop', 'icmpv6 type time-exceeded drop');

/** Router k says nothing of what is too big for its next cable. */
export const silentOnSize = saying(
  'icmp type destination-unreachable icmp code frag-needed drop',
  'icmpv6 type packet-too-big drop',
);

/** The way from router k to the server takes less than what is before it, as a tunnel does. */
export const narrow: Make = ({ path, n, k, family }) => {
  const [flag, length] = family === 'v4' ? ['-4', 32] : ['-6', 128];
  const next = k === n ? 'dev leg' : `via ${routerAddress(k + 1, family)}`;
  path.script(
    `r${k}`,
    `ip ${flag} route add ${serverBehind(n, family)}/${length} ${next} mtu 1400 proto ${LEARNED}`,
  );
};

/** Every router limits its ICMP as Linux does by default. */
export const limiting: Make = ({ path, n }) => {
  for (let k = 1; k <= n; k += 1) path.settings(`r${k}`, LIMITED);
};

/** No ICMP comes to the client at all, but what IPv6 needs to find its neighbours. */
export const deaf: Make = ({ path }) => {
  const rules = [
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
    'meta l4proto { icmp, icmpv6 } drop',
  ];
  path.script('r1', chained('forward', 'filter', ['iifname "right" meta l4proto { icmp, icmpv6 } drop']));
  path.script('r1', chained('output', 'filter', rules));
};

async function listening(path: Path, place: Place): Promise<void> {
  const ask = `for i in $(seq 100); do ss -Hltn sport = :${PROXY_PORT} | grep -q . && exit 0; sleep 0.1; done; exit 1`;
  const { code } = await path.run(place, 15_000, 'sh', '-c', ask);
  if (code !== 0) throw new Error(`no process listens on ${place}`);
}
