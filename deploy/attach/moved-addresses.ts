// Addresses and routes of ports that go to the bridge: so that this machine can still be reached.

import ipaddr from 'ipaddr.js';
import type { Change } from '../journal/change';
import type { Address, Link, Route } from '../network/links';
import type { Facts } from './network-facts';

export interface Moves {
  readonly changes: readonly Change[];
  /** The port that this machine was known by; the bridge takes over its hardware address. */
  readonly face: Link | undefined;
  readonly hasAny: boolean;
  readonly has6: boolean;
  readonly notes: readonly string[];
}

export function planMoves(facts: Facts, ports: readonly Link[], bridge: string): Moves {
  const names = ports.map(({ name }) => name);
  const found = ports.flatMap((port) =>
    (facts.addresses.get(port.name) ?? [])
      .filter((address) => goesAlong(address, port))
      .map((address) => ({ port, address })),
  );
  const mine = facts.routes.filter(
    ({ devices, automatic }) => !automatic && devices.some((each) => names.includes(each)),
  );
  const addresses = found.map(({ port, address }) => ({ from: port.name, words: address.words }));
  const routes = orderRoutes(mine).map(({ words }) => ({
    before: words,
    after: throughBridge(words, names, bridge),
  }));
  const known = found[0]?.port.name ?? mine[0]?.devices.find((each) => names.includes(each));
  return {
    changes: addresses.length + routes.length === 0 ? [] : [{ kind: 'moved', to: bridge, addresses, routes }],
    face: ports.find(({ name }) => name === known),
    hasAny: found.length > 0,
    has6: found.some(({ address }) => address.family === 6),
    notes: found
      .filter(({ address }) => address.dynamic)
      .map(({ port, address }) => runsOut(address.prefix, port.name, bridge)),
  };
}

function throughBridge(
  words: readonly string[],
  ports: readonly string[],
  bridge: string,
): readonly string[] {
  return words.map((word, index) => (words[index - 1] === 'dev' && ports.includes(word) ? bridge : word));
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
  return `${prefix} is leased by DHCP: let the DHCP client renew it on ${bridge}, not on ${port}`;
}
