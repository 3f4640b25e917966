// The name that ehlowire gives where it speaks in a server's place.

import ipaddr from 'ipaddr.js';
import type { Address } from '../system/address';
import type { Endpoint } from '../../inspect/address';

/** The configured one, else the name the server was given as, else its address as a literal (RFC 5321 §4.1.3). */
export function hostnameFor(configured: string, upstream: Address, endpoint: Endpoint): string {
  if (configured !== '') return configured;
  if (upstream.host !== '' && !ipaddr.isValid(upstream.host)) return upstream.host.replace(/\.$/, '');
  const { address } = endpoint;
  return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`;
}
