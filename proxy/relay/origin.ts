// Whose a connection is, by its client's address: what counts as one client, and as one network.

import ipaddr from 'ipaddr.js';
import type { ClientsSeen, Origin } from '../../inspect/policy/clients';
import { networkOfParsed } from '../system/address';

export function originOf(address: string): Origin {
  if (!ipaddr.isValid(address)) return { client: address, network: address, family: 4, foreign: false };
  const ip = ipaddr.process(address);
  const family = ip.kind() === 'ipv4' ? 4 : 6;
  return { client: keyOf(ip), network: networkOfParsed(ip), family, foreign: !OWN.has(ip.range()) };
}

/** One client: an IPv4 address, or an IPv6 /64, since a host has all of its link's addresses (RFC 6177 §2). */
export function clientKey(address: string): string {
  return ipaddr.isValid(address) ? keyOf(ipaddr.process(address)) : address;
}

function keyOf(ip: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (ip instanceof ipaddr.IPv4) return ip.toString();
  return `${ip.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}

/** What was seen where all clients seem to be one, what follows, and what to do. */
export function describeHidden({ connections, networks }: ClientsSeen): HiddenClients {
  const places = networks === 1 ? 'one network or address' : `${networks} networks or addresses`;
  return {
    found: `all ${connections} connections came from ${places}`,
    costs:
      "if a firewall or proxy in front replaces the clients' addresses with its own, limits by client (policy.limits) hold only " +
      'where a number is set',
    fix:
      'to see the clients: let the proxy send the PROXY protocol (`--proxy-protocol in`), switch source NAT off on the ' +
      'firewall, or use `--transparent` or `ehlowire bridge`; if there are no other clients, nothing is to be done',
  };
}

export function hiddenClients(clients: ClientsSeen): string {
  const { found, costs, fix } = describeHidden(clients);
  return `${found}: ${costs}; ${fix}`;
}

interface HiddenClients {
  readonly found: string;
  readonly costs: string;
  readonly fix: string;
}

/** Networks of one's own: RFC 1918, RFC 4193, RFC 6598 (100.64.0.0/10), this machine, one link. */
const OWN: ReadonlySet<string> = new Set([
  'private',
  'uniqueLocal',
  'carrierGradeNat',
  'loopback',
  'linkLocal',
  'unspecified',
]);
