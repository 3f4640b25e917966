// Probes: which silent clients get one, when, and its octets. It is an empty segment with an old number, to which every
// living TCP answers with SEQ = SND.NXT.

import { addressOctets } from '../address';
import type { Micros } from '../events';
import { PROBES_PER_SECOND } from '../limits';
import { NO_OCTETS } from '../octets';
import { composeTcp, timestampOption } from '../tcp/compose';
import { ethernetHead } from '../tcp/link';
import { FLAG } from '../tcp/segment';
import { advance } from '../tcp/seq';
import type { ConnectionView } from '../tcp/view';
import type { Observer, Tracked } from './tracker';

/** When a probe is due, after the greeting: RTOs have run by then, and people do not wait yet. */
export const PROBE_AFTER: readonly Micros[] = [3_000_000, 10_000_000, 30_000_000];

interface Probe {
  readonly connection: Tracked;
  /** Absent: the probe is due, and must not be sent. */
  readonly frame: Uint8Array | undefined;
}

/** Observes with the Ethernet frame of the news: at least what stands before its IP packet. */
export interface Prober extends Observer<Uint8Array> {
  /** The probes that are due. */
  due(at: Micros): readonly Probe[];
}

/**
 * At most `perSecond` probes in all: the others are due in the next second.
 *
 * A bridge learns from each frame where its sender is. So a probe goes only where the server's own frames go: out by
 * wan, to a client whose frames come in by wan, from a server whose frames come in by lan. A connection of which a frame
 * came by the other leg gets none (a mail server behind lan that delivers outwards, a forged sender, a mirror port). A client
 * behind lan is not probed by lan either: between it and this point is only its cable, so the answer would show nothing.
 */
export function createProber(perSecond: number = PROBES_PER_SECOND): Prober {
  const silent = new Map<number, Silent>();
  /** Connections of which a frame came by the other side's leg. */
  const otherLeg = new Set<number>();
  let second = 0;
  let spent = 0;
  return {
    observe(news, frame) {
      for (const { connection, segment, leg, remembered, ended } of news) {
        const { id } = connection;
        if (ended || !isSilent(connection)) silent.delete(id);
        else {
          const each = silent.get(id) ?? begin(connection);
          silent.set(id, each);
          if (frame && !remembered && segment?.from === 'server') each.link = copyOf(ethernetHead(frame));
        }
        if (ended) otherLeg.delete(id);
        else if (segment && leg && leg !== LEG_OF[segment.from]) otherLeg.add(id);
      }
    },
    due(at) {
      if (Math.floor(at / 1e6) !== second) {
        second = Math.floor(at / 1e6);
        spent = 0;
      }
      const due: Probe[] = [];
      for (const each of silent.values()) {
        const after = PROBE_AFTER[each.sent];
        if (after === undefined || each.greetedAt + after > at) continue;
        if (spent >= perSecond) break;
        spent += 1;
        each.sent += 1;
        const { connection } = each;
        due.push({ connection, frame: otherLeg.has(connection.id) ? undefined : frameOf(each) });
      }
      return due;
    },
  };
}

/** A client that was greeted and has not sent anything. */
interface Silent {
  readonly connection: Tracked;
  readonly greetedAt: Micros;
  /** What stands before the IP packet in the server's last frame, VLAN tags included. */
  link: Uint8Array | undefined;
  /** Probes so far. */
  sent: number;
}

function begin(connection: Tracked): Silent {
  const { view } = connection.inspector;
  return { connection, greetedAt: view.server.last?.at ?? view.started, link: undefined, sent: 0 };
}

/** The server has sent something, and nothing shows that the client ever did, or that it has closed. */
function isSilent({ inspector: { view, closedAt } }: Tracked): boolean {
  return (
    closedAt === undefined &&
    view.client.finAt === undefined &&
    view.server.stream.next > 0 &&
    view.client.stream.sent === 0
  );
}

/** The memory of a frame is used again; a Buffer's own `slice` would not copy it. */
function copyOf(octets: Uint8Array | undefined): Uint8Array | undefined {
  return octets && new Uint8Array(octets);
}

function frameOf({ link, connection: { inspector } }: Silent): Uint8Array | undefined {
  const packet = inspector.view.client.segments > 0 ? probePacket(inspector.view) : undefined;
  if (!link || !packet) return undefined;
  const frame = new Uint8Array(link.length + packet.length);
  frame.set(link);
  frame.set(packet, link.length);
  return frame;
}

/**
 * The probe as an IP packet, in the server's name: ACK, no data, SEQ one below what the server sends next (RFC 9293
 * §3.8.4). That number is outside the client's window, so the client answers with an ACK that has its SND.NXT (§3.10.7.4).
 * The last TSval is repeated: an old one is answered too. `undefined` before both sides sent a segment.
 */
export function probePacket({ client, server }: ConnectionView): Uint8Array | undefined {
  const { last } = server;
  const next = server.stream.seqOf(server.stream.next);
  const ack = client.stream.seqOf(client.stream.next);
  if (!last || next === undefined || ack === undefined) return undefined;
  const stamps = last.options.timestamps && client.last?.options.timestamps;
  const options =
    stamps && last.options.timestamps ? timestampOption(last.options.timestamps[0], stamps[0]) : [];
  const source = addressOctets(last.source);
  const destination = addressOctets(last.destination);
  if (!source || !destination) return undefined;
  return composeTcp(
    { source, destination, ttl: TTL },
    {
      sourcePort: last.sourcePort,
      destinationPort: last.destinationPort,
      seq: advance(next, -1),
      ack,
      flags: FLAG.ack,
      window: last.window,
      options,
      payload: NO_OCTETS,
    },
  );
}

const TTL = 64;

/** By which leg each side's frames come in, if it is where it is expected. */
const LEG_OF = { client: 'wan', server: 'lan' } as const;
