// How probes go out: from the wire by the wan leg, from a live capture by its own interface. What is sent, to whom and when is
// `inspect/tracker/probes`.

import type { Micros } from '../../inspect/events';
import { parsePacket } from '../../inspect/tcp/packet';
import type { Segment } from '../../inspect/tcp/segment';
import { createProber } from '../../inspect/tracker/probes';
import {
  newsOf,
  peersOf,
  type Observer,
  type Tracker,
  type TrackerNews,
} from '../../inspect/tracker/tracker';
import { openSender } from '../native/packet';
import { plural } from '../sinks/wording';
import { createFault, isFault, type Fault } from '../system/fault';
import { LEAVING, openLive, portFilters, type LiveSource } from './live';

/** Observes with the Ethernet frame of the news. */
export interface Probes extends Observer<Uint8Array> {
  /** Sends what is due. The first refusal ends that. */
  send(at: Micros): Sent;
}

interface Sent {
  /** Of the connections whose client got a probe. */
  readonly news: readonly TrackerNews[];
  /** Probes that were due and could not go the way of their server's frames. */
  readonly unsent: number;
  readonly refused: Fault | undefined;
}

/** `put`: a whole frame, out by the wan leg. */
export function createProbes(put: (frame: Uint8Array) => Fault | undefined): Probes {
  const prober = createProber();
  return {
    observe: (news, frame) => prober.observe(news, frame),
    send(at) {
      const news: TrackerNews[] = [];
      let unsent = 0;
      for (const { connection, frame } of prober.due(at)) {
        const refused = frame && put(frame);
        if (refused !== undefined) return { news, unsent, refused };
        if (frame) news.push(newsOf(connection, connection.inspector.probed('client', at)));
        else unsent += 1;
      }
      return { news, unsent, refused: undefined };
    },
  };
}

export interface WireProbes extends Probes {
  close(): void;
}

/** `device` is the interface that faces the clients: the wan leg, which needs no address. */
export function openProbes(device: string): WireProbes | Fault {
  const sender = openSender(device);
  if (isFault(sender)) return sender;
  return { ...createProbes((frame) => sender.send(frame)), close: () => sender.close() };
}

/** Of a live capture. It does not see its own probes: no socket is handed what it sent. */
interface LiveProbes extends Observer {
  /** Sends what is due; every frame before `at` was given to the tracker. The first refusal ends it. */
  send(at: Micros): { readonly news: readonly TrackerNews[]; readonly fault: Fault | undefined };
  /** Lines for the end. */
  remarks(): string[];
  close(): void;
}

/**
 * Only where frames have the server's and the client's hardware addresses: Ethernet, and not `any`. A capture does not
 * say which way a frame went, and a probe may only go where the server's own frames go: what leaves by the interface
 * is captured once more, the headers of it. On a mirror port, or where the client is this machine, nothing of the
 * server's leaves, and no probe is sent.
 */
export function openLiveProbes(
  name: string,
  source: LiveSource,
  tracker: Tracker,
  ports: readonly number[],
): LiveProbes | Fault {
  if (source.linkType !== ETHERNET) {
    const fix = 'it needs one Ethernet interface: the one that faces the clients';
    return createFault('bad-flag', `--probe on ${name}`, { fix });
  }
  const leaving = openLive(name, portFilters(ports), LEAVING);
  if (isFault(leaving)) return leaving;
  const probes = createProbes((frame) => source.send(frame));
  const state: State = { tracker, probes, left: [], unsent: 0 };
  leaving.start({
    frame: (linkType, octets, at) => keep(state, linkType, octets, at),
    idle: () => undefined,
    lost: () => undefined,
    // The capture itself has failed then, too, and says so.
    failed: () => undefined,
  });
  let over = false;
  return {
    observe: (news) => probes.observe(news),
    send(at) {
      observeLeft(state, at);
      if (over) return NOTHING;
      const { news, refused, unsent } = probes.send(at);
      state.unsent += unsent;
      over = refused !== undefined;
      return { news, fault: refused };
    },
    remarks: () =>
      state.unsent === 0
        ? []
        : [
            `${plural(state.unsent, 'probe')} not sent: the frames of the server do not leave by ${name}. ` +
              'Capture on the interface of the server, or on the one that faces the clients.',
            '',
          ],
    close: () => void leaving.close(),
  };
}

interface State {
  readonly tracker: Tracker;
  readonly probes: Probes;
  /** Frames that left and that the tracker may not have seen yet, the oldest first. */
  left: { readonly segment: Segment; readonly octets: Uint8Array }[];
  unsent: number;
}

function keep({ left }: State, linkType: number, octets: Uint8Array, at: Micros): void {
  // Beyond the cap a connection may stay without a probe, and that is all.
  if (left.length >= KEPT) return;
  const copy = octets.slice();
  const packet = parsePacket(linkType, copy, at);
  if (packet.kind === 'segment') left.push({ segment: packet.segment, octets: copy });
}

function observeLeft(state: State, at: Micros): void {
  const behind = state.left.findIndex(({ segment }) => segment.at > at);
  const due = state.left.splice(0, behind < 0 ? state.left.length : behind);
  for (const { segment, octets } of due) {
    const [source, destination] = peersOf(segment);
    const connection = state.tracker.find(source, destination);
    if (!connection) continue;
    const isClient = connection.client.address === source.address && connection.client.port === source.port;
    const from = isClient ? 'client' : 'server';
    const news: TrackerNews = { ...newsOf(connection, []), segment: { from, segment }, leg: 'lan' };
    state.probes.observe([news], octets);
  }
}

const NOTHING = { news: [], fault: undefined } as const;
/** Frames of a tenth of a second. */
const KEPT = 4_096;

/** LINKTYPE_ETHERNET: only there have frames the hardware addresses of both sides. */
const ETHERNET = 1;
