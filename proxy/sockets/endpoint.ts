// The two ends of a socket as records name them.

import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Endpoint } from '../../inspect/address';

/** Undefined where the peer is gone already. */
export function remoteEndpoint({ remoteAddress, remotePort }: Socket): Endpoint | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return { address: plainAddress(remoteAddress), port: remotePort };
}

export function localEndpoint({ localAddress, localPort }: Socket): Endpoint | undefined {
  if (localAddress === undefined || localPort === undefined) return undefined;
  return { address: plainAddress(localAddress), port: localPort };
}

/** Without zone, and an IPv4 client of a listener for both families as IPv4 (`::ffff:192.0.2.1`). */
function plainAddress(address: string): string {
  const plain = address.replace(/%.*$/, '');
  return plain.startsWith('::ffff:') ? ipaddr.process(plain).toString() : plain;
}
