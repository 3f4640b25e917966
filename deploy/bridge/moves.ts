// Addresses and routes of ports that go to the bridge: whoever manages this machine must not lose it.

import ipaddr from 'ipaddr.js';
import type { Change } from '../journal/change';
import type { Address, Link, Route } from '../network/links';
import type { Facts } from './facts';

export interface Moves {
  readonly changes: readonly Change[];
  /** The port that this machine was known by; the bridge takes over its hardware address. */
  readonly face: Link | undefined;
  readonly hasAny: boolean;
  readonly has6: boolean;
  readonly notes: readonly string[];
}

export function planMoves(facts: Facts, ports: readonly Link[], bridge: string): Moves {
  const changes: Change[] = [];
  const notes: string[] = [];
  const moved: Address[] = [];
  let face: Link | undefined;
  for (const port of ports) {
    const addresses = (facts.addresses.get(port.name) ?? []).filter((address) => goesAlong(address, port));
    const routes = orderRoutes(
      facts.routes.filter(({ devices, automatic }) => !automatic && devices.includes(port.name)),
    );
    if (addresses.length === 0 && routes.length === 0) continue;
    face ??= port;
    moved.push(...addresses);
    notes.push(
      ...addresses.filter(({ dynamic }) => dynamic).map(({ prefix }) => runsOut(prefix, port.name, bridge)),
    );
    changes.push({
      kind: 'moved',
      from: port.name,
      to: bridge,
      addresses: addresses.map(({ words }) => words),
      routes: routes.map(({ words }) => words),
    });
  }
  return { changes, face, hasAny: moved.length > 0, has6: moved.some(({ family }) => family === 6), notes };
}

/** A link-local address that the kernel made of the hardware address, it makes on the bridge by itself. */
function goesAlong({ family, scope, prefix }: Address, port: Link): boolean {
  if (family === 4 || scope !== 'link') return true;
  if (port.generates === 'eui64') return !isMadeOf(prefix, port.address);
  return port.generates === 'none';
}

/** RFC 4291, appendix A: the universal/local bit turned, ff:fe in the middle. */
function isMadeOf(prefix: string, hardware: string): boolean {
  const [first = 0, ...rest] = hardware.split(':').map((octet) => parseInt(octet, 16));
  const expected = [
    0xfe,
    0x80,
    0,
    0,
    0,
    0,
    0,
    0,
    first ^ 2,
    ...rest.slice(0, 2),
    0xff,
    0xfe,
    ...rest.slice(2),
  ];
  const [address = ''] = prefix.split('/');
  return ipaddr.isValid(address) && ipaddr.parse(address).toByteArray().join() === expected.join();
}

/** Networks on the link before what is reached through them. */
function orderRoutes(routes: readonly Route[]): readonly Route[] {
  return [...routes.filter(({ gateway }) => !gateway), ...routes.filter(({ gateway }) => gateway)];
}

function runsOut(prefix: string, port: string, bridge: string): string {
  return `${prefix} is leased: whoever renews it must do so on ${bridge}, not on ${port}`;
}
