// Who knew of the other's FIN when he sent his own: as the ends of the path saw it, whatever order it had in between.

import { advance, distance, type Seq } from '../../../../inspect/tcp/seq';
import { layoutOf, readFrames } from '../frames';

/** For tcpdump. */
export const FINS = 'tcp port 25 and tcp[tcpflags] & tcp-fin != 0';

/** Of one connection; a side that never sent one has none. */
export interface Fins {
  readonly client?: Fin;
  readonly server?: Fin;
}

interface Fin {
  /** What acknowledges it. */
  readonly end: Seq;
  readonly ack: Seq;
}

/** From a recording of IPv4, by `nameOf` the connection. */
export function readFins(file: string): ReadonlyMap<string, Fins> {
  const all = new Map<string, Fins>();
  for (const frame of readFrames(file)) {
    const layout = layoutOf(frame);
    if (layout === undefined) continue;
    const { from, ip, tcp, payload, end } = layout;
    const [client, server] = from === 'client' ? [0, 1] : [1, 0];
    const address = (which: number): string =>
      frame
        .subarray(ip + 12 + 4 * which)
        .subarray(0, 4)
        .join('.');
    const peer = `${address(client)}:${frame.readUInt16BE(tcp + 2 * client)}`;
    const name = nameOf(peer, address(server));
    const seq = frame.readUInt32BE(tcp + 4);
    const fin = { end: advance(seq, end - payload + 1), ack: frame.readUInt32BE(tcp + 8) };
    // One that is sent again may know more than the first did.
    all.set(name, { [from]: fin, ...all.get(name) });
  }
  return all;
}

/** `client` with its port. */
export function nameOf(client: string, server: string): string {
  return `${client} ${server}`;
}

/**
 * The client closed before it knew that the server does, and the server before it knew that the client does. `near`
 * is the connection where the client is, `far` where the server is: with a relay in between there are two.
 */
export function isCrossed(near: Fins | undefined, far: Fins | undefined): boolean {
  if (near?.client === undefined || far?.server === undefined) return false;
  return !knows(near.client, near.server) && !knows(far.server, far.client);
}

function knows(own: Fin, other: Fin | undefined): boolean {
  return other !== undefined && distance(other.end, own.ack) >= 0;
}
