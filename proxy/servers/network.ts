// The network of an address: what one operator, or one path, has in common.

import ipaddr from 'ipaddr.js';

/** IPv4: the /24, the least that is routed by itself. IPv6: the /48 of one site (RFC 6177 §2). */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const ip = ipaddr.process(address);
  if (ip instanceof ipaddr.IPv4) return `${ip.octets.slice(0, 3).join('.')}.0/24`;
  const site = ip.parts.slice(0, 3).map((part) => part.toString(16));
  return `${site.join(':')}::/48`;
}
