// The network that a client counts to: what an operator knows his peers, and his firewall its rules, by.

import ipaddr from 'ipaddr.js';

/** The /24 of an IPv4 address, the /48 of an IPv6 one (RFC 6177: a site's usual prefix), as CIDR text. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  const bits = parsed.kind() === 'ipv4' ? 24 : 48;
  const octets = parsed.toByteArray().map((octet, i) => (i < bits / 8 ? octet : 0));
  return `${ipaddr.fromByteArray(octets).toString()}/${bits}`;
}
