// Which connections may come in: how many there may be in all, and from one client.

import type { CloseReason } from '../../inspect/events';
import { createClients, type Clients, type ClientsSeen, type Origin } from '../../inspect/policy/clients';
import type { ClientLimits, Excess } from '../../inspect/policy/limits-of-load';
import type { Strictness } from '../../inspect/policy/rules';
import { steady } from '../system/clock';
import { originOf } from './origin';

/** Why a connection may not come in, and how to tell its client. Plain values: they cross between processes. */
export interface NoPlace {
  readonly kind: 'no-place';
  readonly reason: CloseReason;
  /** Reply code and enhanced status code (RFC 3463). */
  readonly code: string;
  readonly detail: string;
  /** What the log says in place of the detail. */
  readonly logged?: string;
}

/** Who asks, and what the rule `load` is for it. */
export interface Asking {
  readonly address: string;
  readonly load: Strictness;
}

/** The one door of a relay. In the process that keeps the counts it answers at once, in another one a moment later. */
export interface Admission {
  /**
   * A connection asks for a place. `client` is undefined where a PROXY header is still to name it. `observed`: a limit was
   * met that is only observed.
   */
  enter(client: Asking | undefined, answer: (answer: Place | NoPlace, observed?: Excess) => void): void;
  /** Connections that hold a place. */
  readonly held: number;
  /** Of all places those that are held, from 0 to 1; from a process that asks another one, as of the last answer. */
  readonly fill: number;
  readonly clients: ClientsSeen;
}

/** One connection's place. */
export interface Place {
  readonly kind: 'place';
  /** The PROXY header named the client: where it may not come in, its place is gone. */
  introduce(client: Asking, answer: (no: NoPlace | undefined, observed?: Excess) => void): void;
  /** The connection is ended for its errors. */
  offend(): void;
  /** The connection is over. */
  leave(): void;
}

interface AdmissionOptions {
  readonly total: number;
  /** Those that hold now. */
  readonly limits: () => ClientLimits;
  /** Called once: all clients seem to be one. */
  readonly onHidden: (clients: ClientsSeen) => void;
}

export function createAdmission({ total, limits, onHidden }: AdmissionOptions): Admission {
  const door: DoorState = {
    clients: createClients(),
    limits: () => scale(limits(), total),
    held: 0,
    hidden: false,
    onHidden,
  };
  return {
    enter(client, answer) {
      if (door.held >= total) return answer(BUSY);
      door.held += 1;
      const place = createPlace(door);
      if (client === undefined) return answer(place);
      return place.introduce(client, (no, observed) => answer(no ?? place, observed));
    },
    get held() {
      return door.held;
    },
    get fill() {
      return door.held / total;
    },
    get clients() {
      return door.clients.seen(steady());
    },
  };
}

/** A default limit leaves room for others, but no honest sender meets it where few connections are allowed. */
function scale(limits: ClientLimits, total: number): ClientLimits {
  const { connectionsPerClient: client, connectionsPerNetwork: network } = limits;
  const share = (most: number, least: number, part: number): number =>
    Math.min(most, Math.max(least, Math.ceil(total / part)));
  return {
    ...limits,
    ...(!client.chosen && { connectionsPerClient: { ...client, most: share(client.most, 20, 4) } }),
    ...(!network.chosen && { connectionsPerNetwork: { ...network, most: share(network.most, 40, 2) } }),
  };
}

interface DoorState extends Pick<AdmissionOptions, 'limits' | 'onHidden'> {
  readonly clients: Clients;
  held: number;
  /** It was said that clients are hidden. */
  hidden: boolean;
}

function createPlace(door: DoorState): Place {
  let origin: Origin | undefined;
  let inside = true;
  const leave = (): void => {
    if (!inside) return;
    inside = false;
    if (origin !== undefined) door.clients.remove(origin);
    door.held -= 1;
  };
  return {
    kind: 'place',
    introduce({ address, load }, answer) {
      if (!inside) return answer(BUSY);
      const asking = originOf(address);
      const excess = load === 'off' ? undefined : judge(door, asking);
      if (excess !== undefined && load === 'enforce') {
        leave();
        return answer(refusalFor(excess));
      }
      origin = asking;
      door.clients.add(origin);
      return answer(undefined, excess);
    },
    offend() {
      if (origin !== undefined) door.clients.offend(origin, steady());
    },
    leave,
  };
}

function judge(door: DoorState, origin: Origin): Excess | undefined {
  const { clients, limits, onHidden } = door;
  const at = steady();
  const excess = clients.judge(origin, limits(), at);
  if (door.hidden) return excess;
  const seen = clients.seen(at);
  // Where no limit is met it makes no difference who the clients are.
  door.hidden = seen.hidden && clients.excused;
  if (door.hidden) onHidden(seen);
  return excess;
}

function refusalFor({ detail, advice }: Excess): NoPlace {
  return { kind: 'no-place', reason: 'load', code: '421 4.7.0', detail: advice, logged: detail };
}

export const BUSY: NoPlace = {
  kind: 'no-place',
  reason: 'connections',
  code: '421 4.3.2',
  detail: 'too many connections, try again later',
};
