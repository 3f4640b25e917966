// Whom to ask, and when: clients that were greeted and are silent. What is sent is `tcp/probe`'s.

import type { Micros } from '../events';
import { PROBES_PER_SECOND } from '../limits';
import { nextProbe } from '../tcp/probe';
import type { Observer, Tracked } from './tracker';

/** Learns from a tracker's news who waits to be asked, and who has spoken or gone. */
export interface Prober extends Observer {
  /** Whether this connection waits to be asked. */
  awaits(connection: Tracked): boolean;
  /** The connections whose client is to be sent a probe now: 3 s, 10 s and 30 s after the greeting. */
  due(at: Micros): Tracked[];
}

/** At most `perSecond` probes in all: whoever is left out is asked in the next second. */
export function createProber(perSecond: number = PROBES_PER_SECOND): Prober {
  const silent = new Map<number, Silent>();
  let second = 0;
  let spent = 0;
  return {
    observe(news) {
      for (const { connection, ended } of news) {
        if (ended || !isSilent(connection)) silent.delete(connection.id);
        else if (!silent.has(connection.id)) silent.set(connection.id, begin(connection));
      }
    },
    awaits: ({ id }) => silent.has(id),
    due(at) {
      if (Math.floor(at / 1e6) !== second) {
        second = Math.floor(at / 1e6);
        spent = 0;
      }
      const asked: Tracked[] = [];
      for (const each of silent.values()) {
        const next = nextProbe(each.greetedAt, each.sent);
        if (next === undefined || next > at) continue;
        if (spent >= perSecond) break;
        spent += 1;
        each.sent += 1;
        asked.push(each.connection);
      }
      return asked;
    },
  };
}

interface Silent {
  readonly connection: Tracked;
  readonly greetedAt: Micros;
  sent: number;
}

function begin(connection: Tracked): Silent {
  const { view } = connection.inspector;
  return { connection, greetedAt: view.server.last?.at ?? view.started, sent: 0 };
}

/** The server has said something, and not one number of the client's shows that it ever did, or that it is through. */
function isSilent({ inspector: { view, closedAt } }: Tracked): boolean {
  return (
    closedAt === undefined &&
    view.client.finAt === undefined &&
    view.server.stream.next > 0 &&
    view.client.stream.sent === 0
  );
}
