// Connections' events as lines of the event log, path `capture`.

import type { Level } from '../../config/config';
import type { Micros } from '../../../inspect/events';
import type { InspectorEvent } from '../../../inspect/tracker/inspector';
import type { Tracked, TrackerNews } from '../../../inspect/tracker/tracker';
import type { Connection, Recorded, Renderer } from '../../sinks/record';
import { isWorth, levelOf } from '../../sinks/sink';

export interface Lines {
  /** The lines of what happened, one after the other. */
  of(news: readonly TrackerNews[]): string;
  /** Frames that were missed, by the capturing program or by us. */
  lost(count: number, at: Micros): string;
  /** The name that a connection's lines carry (`Tracked.id`). */
  nameOf(id: number): string;
}

/** `kinds`: the events that become lines; default: all that the log knows. */
export function createLines(
  renderer: Renderer,
  level: Level,
  kinds: readonly Recorded['kind'][] = KINDS,
): Lines {
  /** By `Tracked.id`, until its last news. */
  const connections = new Map<number, Connection>();
  let origin = '';
  const nameOf = (id: number): string => `${origin}-${id}`;
  const connectionOf = (tracked: Tracked): Connection => {
    const { id, client, server, inspector } = tracked;
    const known = connections.get(id);
    if (known) return known;
    // By when the capture began: the same names each time that the file is read, others for another file.
    if (origin === '') origin = Math.floor(inspector.view.started / 1000).toString(36);
    const connection: Connection = { session: nameOf(id), path: 'capture', client, server };
    connections.set(id, connection);
    return connection;
  };
  const isShown = (event: InspectorEvent): event is Extract<InspectorEvent, Recorded> =>
    (kinds as readonly string[]).includes(event.kind) && isWorth(event as Recorded, level);
  return {
    of(news) {
      let text = '';
      for (const { connection, events, ended } of news) {
        for (const event of events) {
          if (isShown(event)) text += renderer.event(levelOf(event), connectionOf(connection), event);
        }
        if (ended) connections.delete(connection.id);
      }
      return text;
    },
    lost: (count, at) => renderer.event('error', undefined, { kind: 'loss', at, source: 'capture', count }),
    nameOf,
  };
}

const KINDS: readonly Recorded['kind'][] = ['phase', 'session', 'verdict', 'anomaly'];
