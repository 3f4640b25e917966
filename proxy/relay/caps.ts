// Which connections may come in: how many there may be in all, and from one client.

import ipaddr from 'ipaddr.js';
import type { CloseReason } from '../../inspect/events';

/** Why a connection may not come in, and how to tell its client. Plain values: they cross between processes. */
export interface NoPlace {
  readonly kind: 'no-place';
  readonly reason: CloseReason;
  /** Reply code and enhanced status code (RFC 3463). */
  readonly code: string;
  readonly detail: string;
}

/** The one door of a relay. In the process that keeps the counts it answers at once, in another one a moment later. */
export interface Admission {
  /** A connection asks for a place. `client`: its address, unless a PROXY header is still to name it. */
  enter(client: string | undefined, answer: (answer: Place | NoPlace) => void): void;
  /** Connections that hold a place. */
  readonly held: number;
}

/** One connection's place. */
export interface Place {
  readonly kind: 'place';
  /** The PROXY header named the client: where it may not come in, its place is gone. */
  introduce(client: string, answer: (no: NoPlace | undefined) => void): void;
  /** The connection is over. */
  leave(): void;
}

export function createAdmission(most: { readonly total: number; readonly perClient: number }): Admission {
  const total = createCap(most.total);
  const perClient = createCap(most.perClient);
  return {
    enter(client, answer) {
      if (!total.take(ALL)) return answer(BUSY);
      const place = createPlace(total, perClient);
      if (client === undefined) return answer(place);
      return place.introduce(client, (no) => answer(no ?? place));
    },
    get held() {
      return total.held;
    },
  };
}

function createPlace(total: Cap, perClient: Cap): Place {
  let key: string | undefined;
  let inside = true;
  const leave = (): void => {
    if (!inside) return;
    inside = false;
    if (key !== undefined) perClient.give(key);
    total.give(ALL);
  };
  return {
    kind: 'place',
    introduce(client, answer) {
      const asked = clientKey(client);
      if (inside && perClient.take(asked)) {
        key = asked;
        return answer(undefined);
      }
      leave();
      return answer(TOO_MANY);
    },
    leave,
  };
}

export const BUSY: NoPlace = {
  kind: 'no-place',
  reason: 'connections',
  code: '421 4.3.2',
  detail: 'too many connections, try again later',
};
const TOO_MANY: NoPlace = {
  kind: 'no-place',
  reason: 'connections-per-client',
  code: '421 4.7.0',
  detail: 'too many connections from you',
};
const ALL = '';

/** Counts per key, up to a cap. Keys without holders take no memory. */
interface Cap {
  /** False at the cap; otherwise one `give` must follow. */
  take(key: string): boolean;
  give(key: string): void;
  readonly held: number;
}

function createCap(most: number): Cap {
  const holders = new Map<string, number>();
  let held = 0;
  return {
    take(key) {
      const count = holders.get(key) ?? 0;
      if (count >= most) return false;
      holders.set(key, count + 1);
      held += 1;
      return true;
    },
    give(key) {
      const count = holders.get(key);
      if (count === undefined) return;
      if (count > 1) holders.set(key, count - 1);
      else holders.delete(key);
      held -= 1;
    },
    get held() {
      return held;
    },
  };
}

/** One client: an IPv4 address, or an IPv6 /64, since a host has all of its link's addresses (RFC 6177 §2). */
export function clientKey(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const ip = ipaddr.process(address);
  if (ip instanceof ipaddr.IPv4) return ip.toString();
  return `${ip.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
