// Connections' events as lines of the event log, path `capture`.

import type { Level } from '../../config/config';
import type { Micros } from '../../../inspect/events';
import type { InspectorEvent } from '../../../inspect/tracker/inspector';
import type { Observer, Tracked } from '../../../inspect/tracker/tracker';
import { isRecorded, type Connection, type Recorded, type Renderer } from '../../sinks/record';
import { isWorth, levelOf } from '../../sinks/sink';

/** Writes the lines of what happened, one after the other. */
export interface Lines extends Observer {
  /** Frames that were missed, by the capturing program or by us. */
  lost(count: number, at: Micros): void;
  /** The name that a connection's lines carry (`Tracked.id`). */
  nameOf(id: number): string;
}

interface LinesOptions {
  readonly renderer: Renderer;
  readonly level: Level;
  readonly write: (text: string) => void;
  /** Only these events; default: all that the log knows. */
  readonly kinds?: readonly Recorded['kind'][];
}

export function createLines({ renderer, level, write, kinds }: LinesOptions): Lines {
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
    isRecorded(event) && (kinds?.includes(event.kind) ?? true) && isWorth(event, level);
  return {
    observe(news) {
      let text = '';
      for (const { connection, events, ended } of news) {
        for (const event of events) {
          if (isShown(event)) text += renderer.event(levelOf(event), connectionOf(connection), event);
        }
        if (ended) connections.delete(connection.id);
      }
      if (text !== '') write(text);
    },
    lost: (count, at) =>
      write(renderer.event('error', undefined, { kind: 'loss', at, source: 'capture', count })),
    nameOf,
  };
}
