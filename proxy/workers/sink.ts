// A worker's sink: lines go to the primary as they are, and those that are limited by time with their limit.

import type { Level } from '../config/config';
import { createBounds, showsGreeting } from '../sinks/bounds';
import type { Connection, Renderer, Sink } from '../sinks/record';
import { isLevel, isWorth, levelOf } from '../sinks/sink';
import { createWindows, type Limit } from '../sinks/windows';
import { now } from '../system/clock';
import type { Channel } from './channel';
import type { Up } from './messages';
import type { RemoteWatch } from './shared';

/**
 * What is limited by time is limited here, too, to this worker's part: no flood crosses, and a line that an honest client's
 * greeting would bring waits here for it. The primary counts again, over all workers. Of a watched connection it also has to know when it was greeted, and it writes the last line.
 */
export function createWorkerSink(
  channel: Channel<Up>,
  renderer: Renderer,
  level: Level,
  watch: RemoteWatch,
  workers: number,
): Sink {
  let lost = 0;
  const greeted = new WeakSet<Connection>();
  const windows = createWindows(now, (limit, of) => channel.send({ kind: 'omit', limit, of }), workers);
  const bounds = createBounds(
    (connection, event) => {
      if (event.kind === 'session' && connection !== undefined && watch.watches(connection))
        return channel.send({ kind: 'session', session: connection.session, event });
      if (!channel.pass(renderer.event(levelOf(event), connection, event))) lost += 1;
      else if (lost > 0) tellLost();
    },
    now,
    windows,
  );
  const tellLost = (): void => {
    channel.send({ kind: 'omit', limit: LOST, of: { line: lost } });
    lost = 0;
  };
  return {
    write(connection, event) {
      if (connection && watch.watches(connection) && !greeted.has(connection) && showsGreeting(event)) {
        greeted.add(connection);
        channel.send({ kind: 'greeted', session: connection.session });
      }
      if (isWorth(event, level)) bounds.write(connection, event);
    },
    note(of, what, fields, about) {
      if (!isLevel(of, level)) return;
      if (about === undefined) {
        if (of === 'info' || bounds.admit(what))
          channel.send({ kind: 'note', level: of, what, fields, about });
        return;
      }
      const admitted = bounds.admitAbout(what, about);
      if (admitted === undefined) return;
      const left = Number(admitted['since_last'] ?? 0);
      channel.send({ kind: 'note', level: of, what, fields, about: { ...about, left } });
    },
    waiting: () => channel.waiting(),
    reopen: () => undefined,
    async close() {
      windows.flush();
      if (lost > 0) tellLost();
      await channel.close();
    },
  };
}

const LOST: Limit = { key: 'lost', most: 0, because: 'the process that writes the log was too slow' };
