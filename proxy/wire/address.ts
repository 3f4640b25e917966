// Addresses as the maps hold them: 16 octets, IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2).

import ipaddr from 'ipaddr.js';

export function readAddress(octets: Uint8Array, at: number): string {
  const own = octets.subarray(at, at + LENGTH);
  if (MAPPED.every((octet, i) => own[i] === octet)) return own.subarray(MAPPED.length).join('.');
  return ipaddr.fromByteArray([...own]).toString();
}

export function writeAddress(octets: Uint8Array, at: number, address: string): void {
  const parsed = ipaddr.parse(address).toByteArray();
  octets.set(parsed.length === LENGTH ? parsed : [...MAPPED, ...parsed], at);
}

const LENGTH = 16;
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] as const;
