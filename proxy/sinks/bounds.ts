// How much of a log one peer can make, or many that come to nothing: what is beyond a bound is counted, and the count is a line.

import type { Micros, OmittedEvent } from '../../inspect/events';
import { now } from '../system/clock';
import type { About, Connection, Fields, Recorded } from './record';
import { createWindows, type Limit, type Windows } from './windows';

/** In front of a sink, for every path. Captures that are analysed have no bounds: who reads a file wants all of it. */
export interface Bounds {
  write(connection: Connection | undefined, event: Recorded): void;
  /** Whether a note of this name still has room in this second. */
  admit(what: string): boolean;
  /** Of notes that come with every connection one a kind and thing in ten seconds: its fields; undefined: no room. */
  admitAbout(what: string, about: About, fields?: Fields): Fields | undefined;
  /** A server greeted this connection, and another process has written it. */
  greet(connection: Connection): void;
  /** Says what was counted and not said yet. */
  flush(): void;
}

/** The line that says what was left out. */
export function toOmitted(at: Micros, of: Readonly<Record<string, number>>, because: string): OmittedEvent {
  const count = Object.values(of).reduce((sum, each) => sum + each, 0);
  return { kind: 'omitted', at, count, of, because };
}

type Put = (connection: Connection | undefined, event: Recorded) => void;

/** `windows`: where others count the lines that are limited by time, too; they say what was left out. */
export function createBounds(put: Put, clock: () => Micros = now, windows?: Windows): Bounds {
  const state: State = {
    put,
    clock,
    reported: new WeakMap(),
    windows:
      windows ?? createWindows(clock, ({ because }, of) => put(undefined, toOmitted(clock(), of, because))),
    things: new Map(),
  };
  return {
    write(connection, event) {
      const rule = repeatedRule(event);
      if (rule !== undefined) repeated(state, connection, event, rule);
      else if (connection === undefined) put(undefined, event);
      else ofConnection(state, connection, event);
    },
    admit: (what) => state.windows.takes(repeats(what), what),
    greet(connection) {
      reportedOf(state, connection).greeted = true;
    },
    admitAbout(what, about, fields) {
      const left = admitAbout(state, `${what} ${about.on}`, about.left);
      return left === undefined ? undefined : aboutFields(about, fields, left);
    },
    flush: () => state.windows.flush(),
  };
}

interface State {
  readonly put: Put;
  readonly clock: () => Micros;
  readonly reported: WeakMap<Connection, Reported>;
  readonly windows: Windows;
  /** What notes were about, the last one last, and how many were left out since. */
  readonly things: Map<string, { readonly at: Micros; left: number }>;
}

/** What was written of one connection. */
interface Reported {
  lines: number;
  /** Commands since the last message that brought none nearer. */
  idle: number;
  /** A server greeted it, or it came far enough that one must have. */
  greeted: boolean;
  /** Lines that wait for the greeting: those of an honest client are only late. */
  held: Recorded[];
  omitted: Omitted | undefined;
}

interface Omitted {
  count: number;
  readonly of: Record<string, number>;
}

function ofConnection(state: State, connection: Connection, event: Recorded): void {
  const reported = reportedOf(state, connection);
  if (!reported.greeted) {
    reported.greeted = showsGreeting(event);
    if (!reported.greeted) return ungreeted(state, connection, reported, event);
    const { held } = reported;
    reported.held = NONE;
    for (const each of held) limited(state, connection, reported, each);
  }
  limited(state, connection, reported, event);
}

function reportedOf(state: State, connection: Connection): Reported {
  let reported = state.reported.get(connection);
  if (reported === undefined) {
    reported = { lines: 0, idle: 0, greeted: false, held: NONE, omitted: undefined };
    state.reported.set(connection, reported);
  }
  return reported;
}

/** A scan, or a flood of connections that never begin: a few a second, and the number of the others. */
function ungreeted(state: State, connection: Connection, reported: Reported, event: Recorded): void {
  const limit = event.kind === 'verdict' ? UNGREETED_VERDICTS : UNGREETED_LINES;
  if (reported.held.length === 0 && state.windows.takes(limit))
    return limited(state, connection, reported, event);
  if (event.kind !== 'session' && reported.held.length < HELD) {
    reported.held = [...reported.held, event];
    return;
  }
  for (const each of event.kind === 'session' ? [...reported.held, event] : [event])
    state.windows.omit(limit, { [each.kind]: 1 });
  if (event.kind === 'session') reported.held = NONE;
}

function limited({ put }: State, connection: Connection, reported: Reported, event: Recorded): void {
  const idle = isIdle(reported, event);
  if ((reported.lines < LINES && !idle) || ALWAYS.has(event.kind)) {
    if (event.kind === 'session' && reported.omitted) {
      const because = `more than ${LINES} lines of one connection, or ${IDLE} commands that brought no message nearer`;
      put(connection, { kind: 'omitted', at: event.at, ...reported.omitted, because });
      reported.omitted = undefined;
    }
    reported.lines += 1;
    return put(connection, event);
  }
  reported.omitted ??= { count: 0, of: {} };
  addTo(reported.omitted, event.kind);
}

/** One of too many commands such as NOOP, RSET or an unknown one, of which a flood has any number. */
function isIdle(reported: Reported, event: Recorded): boolean {
  if (event.kind !== 'phase') return false;
  if (event.phase === 'message') reported.idle = 0;
  if (event.phase !== 'other' && event.phase !== 'reset' && event.phase !== 'hello') return false;
  reported.idle += 1;
  return reported.idle > IDLE;
}

/** Phases that come behind a greeting, or that need none (TLS from the first octet). */
export function showsGreeting(event: Recorded): boolean {
  if (event.kind === 'repair' || event.kind === 'learned') return true;
  if (event.kind !== 'phase' || event.phase === 'connect' || event.phase === 'close') return false;
  return event.phase !== 'greeting' || event.reply !== undefined;
}

/** Refusals, and losses of our own, come with every connection once they come. */
function repeatedRule(event: Recorded): string | undefined {
  if (event.kind === 'blocked') return `blocked ${event.rule}`;
  return event.kind === 'loss' ? `loss ${event.source}` : undefined;
}

function repeated(state: State, connection: Connection | undefined, event: Recorded, rule: string): void {
  const limit = repeats(rule);
  if (state.windows.takes(limit, event.kind)) state.put(connection, event);
}

/** Lines of one rule, or notes of one name. */
export function repeats(what: string): Limit {
  return { key: what, most: REPEATS, because: `more than ${REPEATS} a second of ${what}` };
}

/** How many were left out since the last one; undefined: this one is, too. `more`: left out before it, elsewhere. */
function admitAbout({ things, clock }: State, key: string, more = 0): number | undefined {
  const at = clock();
  const last = things.get(key);
  if (last !== undefined && at - last.at < ABOUT_EVERY) {
    last.left += 1 + more;
    return undefined;
  }
  things.delete(key);
  things.set(key, { at, left: 0 });
  for (const oldest of things.keys()) {
    if (things.size <= THINGS) break;
    things.delete(oldest);
  }
  return (last?.left ?? 0) + more;
}

/** With the fields that every event of the connection has (DESIGN §5). */
function aboutFields({ connection }: About, fields: Fields = {}, left: number): Fields {
  const { session, path, client, server } = connection ?? {};
  return {
    ...(connection && {
      session,
      path,
      'client.address': client?.address,
      'client.port': client?.port,
      'server.address': server?.address,
      'server.port': server?.port,
    }),
    ...fields,
    ...(left > 0 && { since_last: left }),
  };
}

function addTo(omitted: Omitted, kind: string): void {
  omitted.count += 1;
  omitted.of[kind] = (omitted.of[kind] ?? 0) + 1;
}

const NONE: Recorded[] = [];

/** A message makes some ten lines; a session of 20 messages is logged completely. 0.9 MB of NOOPs were 58 MB of lines. */
export const LINES = 200;
/** Of commands that bring no message nearer, since the last message: a client that sends so many may send any number. */
export const IDLE = 20;
/** A second, of all connections without a greeting: 20 kB or so. A scan is still seen, and whose it was. */
export const UNGREETED = 50;
/** Lines held for a connection that may still be greeted: `connect`, and what was odd before the greeting. */
const HELD = 2;
const UNGREETED_LINES: Limit = {
  key: 'no-greeting',
  most: UNGREETED,
  because: `more than ${UNGREETED} lines a second of connections without a greeting`,
};
const UNGREETED_VERDICTS: Limit = {
  key: 'verdict',
  most: UNGREETED,
  because: `more than ${UNGREETED} verdicts a second on connections without a greeting`,
};
/** A second, of one rule: whom it met first is still seen. */
export const REPEATS = 10;
/** Between two notes about one thing. */
const ABOUT_EVERY: Micros = 10_000_000;
/** Transparent connections may go anywhere. */
const THINGS = 1_024;
/** What a connection came to, and what was found: few by their own caps. */
const ALWAYS: ReadonlySet<string> = new Set(['session', 'verdict', 'repair', 'learned']);
