// What the wire learns of servers by looking on: each greeting, as it passed, and what followed it.

import type { LearnedEvent, Micros } from '../../inspect/events';
import { createGreeter, type Greeter } from '../../inspect/smtp/greeter';
import type { GreetingKnowledge } from '../../inspect/smtp/greeting-knowledge';
import type { Tracked, TrackerNews } from '../../inspect/tracker';

export interface Learned {
  readonly connection: Tracked;
  readonly knowledge: GreetingKnowledge;
  readonly event: LearnedEvent;
}

export interface Learner {
  /** `repaired`: the greeting was as we made it, and says nothing of the server. */
  see(news: TrackerNews, repaired: boolean): Learned[];
  /** Time passed: a greeting that has been unfinished for too long is truncated. */
  idle(at: Micros): Learned[];
}

export interface LearnerOptions {
  readonly patience: Micros;
  readonly knownOf: (server: Tracked['server']) => GreetingKnowledge | undefined;
}

/** Reads along in greetings only: a connection is let go of as soon as its greeting is understood. */
export function createLearner({ patience, knownOf }: LearnerOptions): Learner {
  const open = new Map<number, Reading>();
  return {
    see({ connection, segment, ended }, repaired) {
      const { id } = connection;
      const reading = open.get(id) ?? (isBeginning(connection, segment) ? begin(connection) : undefined);
      if (!reading) return [];
      open.set(id, reading);
      const learned = segment && !repaired ? read(reading, segment) : [];
      if (ended || repaired || reading.greeter.done || reading.lost) open.delete(id);
      return learned;
    },
    idle(at) {
      return [...open.values()].flatMap((reading) => {
        const due = reading.greeter.deadline();
        return due === undefined || due > at ? [] : take(reading, reading.greeter.idle(at));
      });
    },
  };

  function begin(connection: Tracked): Reading {
    const known = knownOf(connection.server);
    const greeter = createGreeter({
      mode: 'never',
      patience,
      hostname: '',
      opened: connection.inspector.view.started,
      ...(known && { known }),
    });
    return { connection, greeter, next: { client: 0, server: 0 }, lost: false };
  }
}

interface Reading {
  readonly connection: Tracked;
  readonly greeter: Greeter;
  /** Offset of each side's next octet. */
  readonly next: { client: number; server: number };
  /** Octets came out of order, or not at all: this connection teaches nothing. */
  lost: boolean;
}

function isBeginning({ inspector: { view } }: Tracked, segment: TrackerNews['segment']): boolean {
  return segment !== undefined && view.client.syn !== undefined && view.server.stream.next === 0;
}

function read(reading: Reading, { from, segment }: NonNullable<TrackerNews['segment']>): Learned[] {
  const { connection, greeter, next } = reading;
  const { length, payload, seq, at } = segment;
  if (length === 0) return [];
  const offset = connection.inspector.view[from].stream.offsetOf(seq) ?? 0;
  // A repetition says nothing new.
  if (offset < next[from]) return [];
  reading.lost ||= offset > next[from] || payload.length < length;
  if (reading.lost) return [];
  next[from] = offset + length;
  const octets = payload.slice();
  return take(reading, from === 'server' ? greeter.server(octets, at) : greeter.client(octets, at));
}

function take({ connection }: Reading, actions: ReturnType<Greeter['server']>): Learned[] {
  return actions.flatMap((action) =>
    action.kind === 'learned' ? [{ connection, knowledge: action.knowledge, event: action.event }] : [],
  );
}
