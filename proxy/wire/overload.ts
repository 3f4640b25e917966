// What overload costs the log, reported: records that found no room, and connections that were not recorded.

import type { Micros } from '../../inspect/events';
import type { Sink } from '../sinks/record';
import type { Reported } from '../servers/saved';

/** The kernel's counts, and whether connections that begin now are not recorded. */
export interface Load extends Reported {
  readonly crowded: boolean;
}

interface Overload {
  /** Of the kernel's counts, what the log has reported. */
  readonly reported: Reported;
  /** To be called often; what it writes it writes seldom. */
  look(load: Load, at: Micros): void;
}

/**
 * Losses once a second. Connections that are not recorded when there are the first of them, once a minute as long as it goes
 * on, and when it is over: at overload the ring may be crowded every few seconds, and that is one event.
 */
export function createOverload(sink: Sink, reported: Reported): Overload {
  const lost = { reported: reported.lost, next: 0 };
  const unwatched: Unwatched = { counted: reported.unwatched, reported: reported.unwatched, ran: undefined };
  return {
    get reported() {
      return { lost: lost.reported, unwatched: unwatched.reported };
    },
    look(load, at) {
      if (at >= lost.next) {
        // A number that went down is that of a table made anew.
        const count = load.lost < lost.reported ? load.lost : load.lost - lost.reported;
        if (count > 0) sink.write(undefined, { kind: 'loss', at, source: 'ring', count });
        Object.assign(lost, { reported: load.lost, next: at + LOSS_EVERY });
      }
      watch(sink, unwatched, load, at);
    },
  };
}

interface Unwatched {
  counted: number;
  reported: number;
  /** From the first connection that was not recorded until it is over. */
  ran: { readonly since: Micros; readonly from: number; grewAt: Micros; toldAt: Micros } | undefined;
}

function watch(sink: Sink, state: Unwatched, { unwatched: count, crowded }: Load, at: Micros): void {
  if (count < state.counted) Object.assign(state, { counted: 0, reported: 0, ran: undefined });
  const grew = count > state.counted;
  const { ran } = state;
  if (!ran && !grew) return;
  const now = ran ?? { since: at, from: state.counted, grewAt: at, toldAt: -Infinity };
  Object.assign(state, { counted: count, ran: now });
  if (grew) now.grewAt = at;
  const over = !crowded && at - now.grewAt >= CALM;
  if (!over && (!grew || at - now.toldAt < AGAIN)) return;
  const connections = count - now.from;
  if (over) {
    const seconds = Math.round((now.grewAt - now.since) / 1e6);
    sink.note('warn', 'watched-again', { connections, seconds, message: OVER });
    state.ran = undefined;
  } else {
    sink.note('warn', 'unwatched', { connections, message: crowded ? CROWDED : WAS_CROWDED });
  }
  now.toldAt = at;
  state.reported = count;
}

const CROWDED =
  'the ring is half full: connections that begin now are not recorded, so that those recorded stay whole; mail goes on';
const WAS_CROWDED =
  'the ring was half full: connections that began then are not recorded, so that those recorded stay whole; mail went on';
const OVER =
  'connections are recorded again; those that were not are in no session, count or verdict of this log';
const LOSS_EVERY: Micros = 1_000_000;
const AGAIN: Micros = 60_000_000;
/** Without another one, since when it is over. */
const CALM: Micros = 10_000_000;
