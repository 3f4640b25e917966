// How many connections there may be: in all, and from one client.

import ipaddr from 'ipaddr.js';

/** Counts per key, up to a cap. Keys without holders take no memory. */
export interface Cap {
  /** False at the cap; otherwise one `give` must follow. */
  take(key: string): boolean;
  give(key: string): void;
  readonly held: number;
}

export function createCap(most: number): Cap {
  const holders = new Map<string, number>();
  let held = 0;
  return {
    take(key) {
      const count = holders.get(key) ?? 0;
      if (count >= most) return false;
      holders.set(key, count + 1);
      held += 1;
      return true;
    },
    give(key) {
      const count = holders.get(key);
      if (count === undefined) return;
      if (count > 1) holders.set(key, count - 1);
      else holders.delete(key);
      held -= 1;
    },
    get held() {
      return held;
    },
  };
}

/** One client: an IPv4 address, or an IPv6 /64, since a host has all of its link's addresses (RFC 6177 §2). */
export function clientKey(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const ip = ipaddr.process(address);
  if (ip instanceof ipaddr.IPv4) return ip.toString();
  return `${ip.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
