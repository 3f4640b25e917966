// Probes of a live capture: silent clients are asked, in the server's name, by frames like the server's own.

import { createProber } from '../../inspect/prober';
import { parseLink } from '../../inspect/tcp/link';
import { probePacket } from '../../inspect/tcp/probe';
import type { TrackerNews } from '../../inspect/tracker';
import type { Micros } from '../../inspect/events';
import { createFault, type Fault } from '../fault';
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
  const prober = createProber();
  /** By connection: what stands before the IP packet in the server's last frame, VLAN tags included. */
  const heads = new Map<number, Uint8Array>();
  let over = false;
  return {
    see(news, frame) {
      prober.see(news);
      for (const { connection, segment, ended } of news) {
        if (ended || !prober.awaits(connection)) heads.delete(connection.id);
        else if (frame && segment?.from === 'server') heads.set(connection.id, headOf(frame.octets));
      }
    },
    ask(at) {
      if (over) return undefined;
      for (const { id, inspector } of prober.due(at)) {
        const head = heads.get(id);
        const packet = probePacket(inspector.view, 'client');
        if (!head || !packet) continue;
        // Our own capture sees it pass, as a keep-alive of the server's: no need to tell the inspector.
        const refused = source.send(Buffer.concat([head, packet]));
        if (refused === undefined) continue;
        over = true;
        return createFault('capture-failed', name, { mend: `no probe can be sent: ${refused}` });
      }
      return undefined;
    },
  };
}

function headOf(frame: Uint8Array): Uint8Array {
  const link = parseLink(ETHERNET, frame);
  return frame.slice(0, link.kind === 'ip' ? link.offset : 0);
}

const ETHERNET = 1;
