// What the wire learns of servers by looking on: each greeting, as it passed, and whether it was seen undisturbed.

import type { Micros } from '../../inspect/events';
import { createGreeter, type Greeter } from '../../inspect/greeting/greeter';
import { waitFor, type GreetingKnowledge } from '../../inspect/greeting/known';
import type { Lesson } from '../../inspect/greeting/lesson';
import type { Leg } from '../../inspect/tcp/segment';
import { leavesRoom } from '../../inspect/tcp/view';
import type { Tracked, TrackerNews } from '../../inspect/tracker/tracker';

export interface Learned {
  readonly connection: Tracked;
  readonly lesson: Lesson;
}

/** Times are those of the kernel's monotonic clock: a step of the wall clock is no silence. */
export interface Learner {
  /** `repaired`: the greeting was as we made it, and shows nothing of the server. */
  observe(news: TrackerNews, repaired: boolean, at: Micros): Learned[];
  /** Time passed, and every record before `at` was seen: a greeting that was silent for too long is truncated. */
  idle(at: Micros): Learned[];
}

interface LearnerOptions {
  readonly patience: Micros;
  readonly knownOf: (server: Tracked['server']) => GreetingKnowledge | undefined;
}

/** Reads greetings only: a connection is dropped as soon as its greeting is understood. */
export function createLearner(options: LearnerOptions): Learner {
  const open = new Map<number, Reading>();
  return {
    observe(news, repaired, at) {
      const { connection, ended } = news;
      const { id } = connection;
      const reading = open.get(id) ?? (isBeginning(news) ? begin(news, options, at) : undefined);
      if (!reading) return [];
      open.set(id, reading);
      const learned = repaired ? [] : read(reading, news, at);
      if (ended || repaired || reading.greeter.isDone() || reading.disturbed) open.delete(id);
      return learned;
    },
    idle(at) {
      return [...open.values()].flatMap((reading) => {
        if (reading.disturbed || (dueOf(reading) ?? Infinity) > at) return [];
        return isUndisturbed(reading) ? take(reading, reading.greeter.idle(at)) : disturb(reading);
      });
    },
  };
}

interface Reading {
  readonly connection: Tracked;
  readonly greeter: Greeter;
  readonly wait: Micros;
  /** By which the client's segments come: the server is on the other one. */
  readonly clientLeg: Leg | undefined;
  /** When the client had acknowledged all that the server had sent; undefined while it has not. */
  acknowledgedAt: Micros | undefined;
  /** Something was missing or forged: this connection teaches nothing. */
  disturbed: boolean;
}

function begin(
  { connection, segment, leg }: TrackerNews,
  { patience, knownOf }: LearnerOptions,
  at: Micros,
): Reading {
  const known = knownOf(connection.server);
  const greeter = createGreeter({
    mode: 'never',
    patience,
    hostname: '',
    opened: at,
    ...(known && { known }),
  });
  return {
    connection,
    greeter,
    wait: waitFor(known, patience),
    clientLeg: segment?.from === 'client' || leg === undefined ? leg : OTHER[leg],
    acknowledgedAt: undefined,
    disturbed: false,
  };
}

/** Up to the server's first octet, where the client's SYN was seen. */
function isBeginning({ connection: { inspector }, segment }: TrackerNews): boolean {
  const { client, server } = inspector.view;
  return segment !== undefined && client.syn !== undefined && server.stream.next === 0;
}

function read(reading: Reading, news: TrackerNews, at: Micros): Learned[] {
  if (isDisturbing(reading, news)) return disturb(reading);
  const { greeter } = reading;
  const learned: Learned[] = [];
  for (const item of news.flow) {
    if (item.kind !== 'octets') continue;
    const { from, bytes } = item;
    reading.acknowledgedAt = undefined;
    learned.push(...take(reading, from === 'server' ? greeter.server(bytes, at) : greeter.client(bytes, at)));
  }
  const { stream, acked } = news.connection.inspector.view.server;
  const all = stream.next > 0 && acked >= stream.next;
  reading.acknowledgedAt = all ? (reading.acknowledgedAt ?? at) : undefined;
  return learned;
}

function isDisturbing({ clientLeg }: Reading, { connection, segment, leg, flow }: TrackerNews): boolean {
  const { view } = connection.inspector;
  // What overtook the octets before it may be what they were sent for.
  const missing =
    segment && segment.segment.length > 0 && view[segment.from].stream.missingSince !== undefined;
  if (missing === true || flow.some(({ kind }) => kind === 'gap' || kind === 'elided')) return true;
  if (!segment) return false;
  const { from } = segment;
  // Any host on the clients' side can forge the server's address: the server's own frames come by the other leg.
  const astray = clientLeg !== undefined && leg !== undefined && (leg === clientLeg) !== (from === 'client');
  return astray || (from === 'client' && !leavesRoom(view, segment.segment));
}

/** Silence counts from when the client had all octets: before that the server may have waited for it (RFC 9293 §3.7.4). */
function dueOf({ greeter, acknowledgedAt, wait }: Reading): Micros | undefined {
  const due = greeter.deadline();
  return due === undefined || acknowledgedAt === undefined ? due : Math.max(due, acknowledgedAt + wait);
}

/** The client has acknowledged every octet and sent none, and nothing of the connection was missed. */
function isUndisturbed({ connection: { inspector }, acknowledgedAt }: Reading): boolean {
  const { client } = inspector.view;
  const spoke = client.stream.next > 0 || client.stream.sent > 0 || client.finAt !== undefined;
  return acknowledgedAt !== undefined && !spoke && inspector.whole;
}

function disturb(reading: Reading): Learned[] {
  reading.disturbed = true;
  return [];
}

/** A lesson is worth what was seen of its connection. */
function take(reading: Reading, actions: ReturnType<Greeter['server']>): Learned[] {
  const { connection } = reading;
  const lessons = actions.flatMap((action) => (action.kind === 'lesson' ? [action.lesson] : []));
  const { whole, coverage } = connection.inspector;
  const inOrder = coverage.client.disordered + coverage.server.disordered === 0;
  return lessons.length > 0 && !(whole && inOrder)
    ? disturb(reading)
    : lessons.map((lesson) => ({ connection, lesson }));
}

const OTHER = { wan: 'lan', lan: 'wan' } as const;
