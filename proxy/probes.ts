// Probes: silent clients are asked, in the server's name, by frames like the server's own last one.

import type { Micros } from '../inspect/events';
import { createProber } from '../inspect/prober';
import { parseLink } from '../inspect/tcp/link';
import { probePacket } from '../inspect/tcp/probe';
import type { Tracked, TrackerNews } from '../inspect/tracker';

export interface Probes {
  /** What a tracker told, and the Ethernet frame that told it: at least what stands before its IP packet. */
  see(news: readonly TrackerNews[], frame: Uint8Array | undefined): void;
  /** Sends what is due: whose client was asked. The first refusal ends that, and is told as the system said it. */
  send(at: Micros): { readonly asked: readonly Tracked[]; readonly refused: string | undefined };
}

/** `put`: a whole frame, towards the clients; a text where it was refused. */
export function createProbes(put: (frame: Uint8Array) => string | undefined): Probes {
  const prober = createProber();
  /** By connection: what stands before the IP packet in the server's last frame, VLAN tags included. */
  const links = new Map<number, Uint8Array>();
  return {
    see(news, frame) {
      prober.see(news);
      for (const { connection, segment, ended } of news) {
        if (ended || !prober.awaits(connection)) links.delete(connection.id);
        else if (frame && segment?.from === 'server') links.set(connection.id, linkOf(frame));
      }
    },
    send(at) {
      const asked: Tracked[] = [];
      for (const connection of prober.due(at)) {
        const link = links.get(connection.id);
        const packet = probePacket(connection.inspector.view, 'client');
        if (!link || !packet) continue;
        const refused = put(Buffer.concat([link, packet]));
        if (refused !== undefined) return { asked, refused };
        asked.push(connection);
      }
      return { asked, refused: undefined };
    },
  };
}

function linkOf(frame: Uint8Array): Uint8Array {
  const link = parseLink(ETHERNET, frame);
  // The memory of a frame is used again; a Buffer's own `slice` would not copy it.
  return new Uint8Array(frame.subarray(0, link.kind === 'ip' ? link.offset : 0));
}

/** LINKTYPE_ETHERNET: only there have frames the hardware addresses of both sides. */
export const ETHERNET = 1;
