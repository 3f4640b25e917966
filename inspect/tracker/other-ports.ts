// Connections to other ports, whose client happens to use one of ours as its own: the SYN says who is the client.

import { STRANGERS } from '../limits';
import { FLAG, type Segment } from '../tcp/segment';

export interface OtherPorts {
  /** Whether the segment belongs to a connection whose server's port is none of ours, as its SYN or SYN-ACK says. */
  has(key: string, segment: Segment): boolean;
}

export function createOtherPorts(ports: readonly number[]): OtherPorts {
  /** The one that began first comes first: a Set keeps the order of insertion. */
  const known = new Set<string>();
  return {
    has(key, { flags, sourcePort, destinationPort }) {
      if (!(flags & FLAG.syn)) return known.size > 0 && known.has(key);
      const server = flags & FLAG.ack ? sourcePort : destinationPort;
      if (ports.includes(server)) {
        known.delete(key);
        return false;
      }
      known.add(key);
      for (const oldest of known) {
        if (known.size <= STRANGERS) break;
        known.delete(oldest);
      }
      return true;
    },
  };
}
