// Probes of a live capture, which sees them pass, too, as keep-alives of the server's.

import type { Micros } from '../../inspect/events';
import type { TrackerNews } from '../../inspect/tracker';
import { createFault, type Fault } from '../fault';
import { createProbes, ETHERNET } from '../probes';
import type { LiveSource } from '../sources/live';
import type { SeenFrame } from './passes';

export interface Asking {
  /** What a tracker told, and the frame that told it. */
  see(news: readonly TrackerNews[], frame?: SeenFrame): void;
  /** Sends what is due. The first refusal ends it and is the answer. */
  ask(at: Micros): Fault | undefined;
}

/** Only where frames have the server's and the client's hardware addresses: Ethernet, and not `any`. */
export function openAsking(name: string, source: LiveSource): Asking | Fault {
  if (source.linkType !== ETHERNET) {
    const mend = 'it needs one Ethernet interface: the one that faces the clients, or the bridge';
    return createFault('bad-flag', `--probe on ${name}`, { mend });
  }
  const probes = createProbes((frame) => source.send(frame));
  let over = false;
  return {
    see: (news, frame) => probes.see(news, frame?.octets),
    ask(at) {
      if (over) return undefined;
      const { refused } = probes.send(at);
      if (refused === undefined) return undefined;
      over = true;
      return createFault('capture-failed', name, { mend: `no probe can be sent: ${refused}` });
    },
  };
}
