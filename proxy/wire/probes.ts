// Probes from the wire: the empty segment, on the client's leg, in a frame like the server's own.

import type { Micros } from '../../inspect/events';
import { createProber } from '../../inspect/prober';
import { probePacket } from '../../inspect/tcp/probe';
import type { Tracked, TrackerNews } from '../../inspect/tracker';
import { openPcap, type PcapHandle, type PcapTrouble } from '../native/libpcap';

export interface Probes {
  /** What was told of a connection, and the link header of the frame that told it. */
  see(news: readonly TrackerNews[], link: Uint8Array | undefined): void;
  /** Sends what is due; the connections whose client was asked, and what was refused. */
  send(at: Micros): { readonly asked: readonly Tracked[]; readonly refused: string | undefined };
  close(): void;
}

/** `device` is the interface that faces the clients; it needs no address. */
export function openProbes(device: string): Probes | PcapTrouble {
  // Only to send by: the filter lets nothing through.
  const handle = openPcap({ device, filters: ['less 0'], snaplen: 64, blockMs: 1_000, ring: 1 << 16 });
  return 'kind' in handle ? handle : createProbes(handle);
}

function createProbes(handle: PcapHandle): Probes {
  const prober = createProber();
  /** By connection: what stands before the IP packet in the server's last frame, VLAN tags included. */
  const links = new Map<number, Uint8Array>();
  return {
    see(news, link) {
      prober.see(news);
      for (const { connection, segment, ended } of news) {
        if (ended || !prober.awaits(connection)) links.delete(connection.id);
        else if (link && segment?.from === 'server') links.set(connection.id, link.slice());
      }
    },
    send(at) {
      const asked: Tracked[] = [];
      for (const connection of prober.due(at)) {
        const link = links.get(connection.id);
        const packet = probePacket(connection.inspector.view, 'client');
        if (!link || !packet) continue;
        const refused = handle.send(Buffer.concat([link, packet]));
        if (refused !== undefined) return { asked, refused };
        asked.push(connection);
      }
      return { asked, refused: undefined };
    },
    close: () => handle.close(),
  };
}
