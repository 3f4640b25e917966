// Probes of a live capture. It does not see them itself: no socket is handed what it sent.

import type { Micros } from '../../../inspect/events';
import { parsePacket } from '../../../inspect/tcp/packet';
import type { Segment } from '../../../inspect/tcp/segment';
import {
  newsOf,
  peersOf,
  type Observer,
  type Tracker,
  type TrackerNews,
} from '../../../inspect/tracker/tracker';
import { createFault, isFault, type Fault } from '../../system/fault';
import { createProbes, ETHERNET, probedNews, type Probes } from '../../sources/probes';
import { plural } from '../../sinks/wording';
import { LEAVING, openLive, portFilters, type LiveSource } from '../../sources/live';

export interface Asking extends Observer {
  /** Sends what is due; every frame before `at` was given to the tracker. The first refusal ends it. */
  ask(at: Micros): { readonly news: readonly TrackerNews[]; readonly fault: Fault | undefined };
  /** Lines for the end. */
  remarks(): string[];
  close(): void;
}

/**
 * Only where frames have the server's and the client's hardware addresses: Ethernet, and not `any`. A capture does not
 * say which way a frame went, and a probe may only go where the server's own frames go: what leaves by the interface
 * is captured once more, the headers of it. On a mirror port, or where the client is this machine, nothing of the
 * server's leaves, and nobody is asked.
 */
export function openAsking(
  name: string,
  source: LiveSource,
  tracker: Tracker,
  ports: readonly number[],
): Asking | Fault {
  if (source.linkType !== ETHERNET) {
    const fix = 'it needs one Ethernet interface: the one that faces the clients';
    return createFault('bad-flag', `--probe on ${name}`, { fix });
  }
  const leaving = openLive(name, portFilters(ports), LEAVING);
  if (isFault(leaving)) return leaving;
  const probes = createProbes((frame) => source.send(frame));
  const state: State = { tracker, probes, left: [], unasked: 0 };
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
    ask(at) {
      tellLeft(state, at);
      if (over) return NOTHING;
      const { asked, refused, unasked } = probes.send(at);
      state.unasked += unasked.length;
      over = refused !== undefined;
      const fix = `no probe can be sent: ${refused}`;
      return {
        news: asked.map((connection) => probedNews(connection, at)),
        fault: over ? createFault('capture-failed', name, { fix }) : undefined,
      };
    },
    remarks: () =>
      state.unasked === 0
        ? []
        : [
            `${plural(state.unasked, 'probe')} not sent: the frames of the server do not leave by ${name}. ` +
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
  unasked: number;
}

function keep({ left }: State, linkType: number, octets: Uint8Array, at: Micros): void {
  // Beyond the cap a connection may stay without a probe, and that is all.
  if (left.length >= KEPT) return;
  const copy = octets.slice();
  const packet = parsePacket(linkType, copy, at);
  if (packet.kind === 'segment') left.push({ segment: packet.segment, octets: copy });
}

function tellLeft(state: State, at: Micros): void {
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
/** Frames of a tenth of a second, when it is asked again. */
const KEPT = 4_096;
