// Which addresses are this machine's own.

import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { now } from '../system/clock';
import type { Micros } from '../../inspect/events';

/** Whether a connection to that IP address stays on this machine. */
export function isLocal(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const ip = ipaddr.process(address);
  const range = ip.range();
  return range === 'loopback' || range === 'unspecified' || ours().has(ip.toNormalizedString());
}

/** Whether a listener that is bound to `bound` answers at `address`: its own, or every one of this machine. */
export function answersAt(bound: string, address: string): boolean {
  if (!ipaddr.isValid(bound) || !ipaddr.isValid(address)) return false;
  const [listening, called] = [ipaddr.process(bound), ipaddr.process(address)];
  if (listening.range() !== 'unspecified') {
    return listening.toNormalizedString() === called.toNormalizedString() || isAny(listening, called);
  }
  // `[::]` takes IPv4 too; where it does not, IPv4 has a listener of its own.
  return isLocal(address) && (listening.kind() === 'ipv6' || called.kind() === 'ipv4');
}

type Ip = ipaddr.IPv4 | ipaddr.IPv6;

/** Connecting to no address at all means loopback. */
function isAny(listening: Ip, called: Ip): boolean {
  const same = listening.kind() === called.kind();
  return same && called.range() === 'unspecified' && listening.range() === 'loopback';
}

let known: { readonly at: Micros; readonly addresses: ReadonlySet<string> } | undefined;

/** Read for every connection, and interfaces change rarely. */
function ours(): ReadonlySet<string> {
  const at = now();
  if (known === undefined || at - known.at > STALE || at < known.at) {
    const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
    known = { at, addresses: new Set(all.map(({ address }) => plain(address))) };
  }
  return known.addresses;
}

function plain(address: string): string {
  const text = address.replace(/%.*$/, '');
  return ipaddr.isValid(text) ? ipaddr.process(text).toNormalizedString() : text;
}

const STALE: Micros = 1_000_000;
