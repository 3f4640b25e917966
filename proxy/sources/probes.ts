// Probes: silent clients are asked, in the server's name, by frames like the server's own last one.

import type { Micros } from '../../inspect/events';
import { createProber } from '../../inspect/tracker/prober';
import { ethernetHead } from '../../inspect/tcp/link';
import { probePacket } from '../../inspect/tcp/probe';
import { newsOf, type Observer, type Tracked, type TrackerNews } from '../../inspect/tracker/tracker';

/** Observes with the Ethernet frame of the news: at least what stands before its IP packet. */
export interface Probes extends Observer<Uint8Array> {
  /** Sends what is due. The first refusal ends that. */
  send(at: Micros): Sent;
}

export interface Sent {
  /** Whose client was asked. */
  readonly asked: readonly Tracked[];
  /** Whose was not, though it was time: no probe could go the way of its server's frames. */
  readonly unasked: readonly Tracked[];
  /** As the system said it. */
  readonly refused: string | undefined;
}

/**
 * `put`: a whole frame, out by the wan leg; a text where it was refused.
 *
 * A bridge learns from each frame where its sender is. So a probe goes only where the server's own frames go: out by
 * wan, to a client whose frames come in by wan, from a server whose frames come in by lan. Where either was seen to
 * come by the other leg (a mail server behind lan that delivers outwards, a forged sender, a mirror port), the
 * connection gets none. Nor is a client behind lan asked by lan: between it and this point is only its cable, so the
 * answer would clear nothing.
 */
export function createProbes(put: (frame: Uint8Array) => string | undefined): Probes {
  const prober = createProber();
  /** By connection: what stands before the IP packet in the server's last frame, VLAN tags included. */
  const links = new Map<number, Uint8Array>();
  /** Connections of which a frame came by the other side's leg. */
  const astray = new Set<number>();
  return {
    observe(news, frame) {
      prober.observe(news);
      for (const { connection, segment, leg, remembered, ended } of news) {
        const { id } = connection;
        if (ended || !prober.awaits(connection)) links.delete(id);
        else if (frame && !remembered && segment?.from === 'server') {
          const head = ethernetHead(frame);
          // The memory of a frame is used again; a Buffer's own `slice` would not copy it.
          if (head) links.set(id, new Uint8Array(head));
          else links.delete(id);
        }
        if (ended) astray.delete(id);
        else if (segment && leg && leg !== LEG_OF[segment.from]) astray.add(id);
      }
    },
    send(at) {
      const asked: Tracked[] = [];
      const unasked: Tracked[] = [];
      for (const connection of prober.due(at)) {
        const { id, inspector } = connection;
        const link = links.get(id);
        const packet = probePacket(inspector.view, 'client');
        const heard = inspector.view.client.segments > 0;
        if (!link || !packet || !heard || astray.has(id)) {
          unasked.push(connection);
          continue;
        }
        const refused = put(Buffer.concat([link, packet]));
        if (refused !== undefined) return { asked, unasked, refused };
        asked.push(connection);
      }
      return { asked, unasked, refused: undefined };
    },
  };
}

/** What the inspector has to say to it that a client was asked. */
export function probedNews(connection: Tracked, at: Micros): TrackerNews {
  return newsOf(connection, connection.inspector.probed('client', at));
}

/** By which leg each side's frames come in, if it is where it is expected. */
const LEG_OF = { client: 'wan', server: 'lan' } as const;

/** LINKTYPE_ETHERNET: only there have frames the hardware addresses of both sides. */
export const ETHERNET = 1;
