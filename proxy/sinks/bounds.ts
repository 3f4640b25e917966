// How much of a log one peer can make, or many that come to nothing: what is beyond a bound is counted, and the count is a line.

import type { Micros } from '../../inspect/events';
import { now } from '../system/clock';
import type { About, Connection, Fields, Recorded } from './record';

/** In front of a sink, for every path. Captures that are analysed have no bounds: who reads a file wants all of it. */
export interface Bounds {
  write(connection: Connection | undefined, event: Recorded): void;
  /** Whether a note of this name still has room in this second. */
  admit(what: string): boolean;
  /** Of notes that come with every connection one a kind and thing in ten seconds: its fields; undefined: no room. */
  admitAbout(what: string, about: About, fields?: Fields): Fields | undefined;
  /** Says what was counted and not said yet. */
  flush(): void;
}

export function createBounds(
  put: (connection: Connection | undefined, event: Recorded) => void,
  clock: () => Micros = now,
): Bounds {
  const state: State = {
    put,
    clock,
    reported: new WeakMap(),
    windows: new Map(),
    things: new Map(),
    timer: undefined,
  };
  return {
    write(connection, event) {
      const rule = repeatedRule(event);
      if (rule !== undefined) repeated(state, connection, event, rule);
      else if (connection === undefined) put(undefined, event);
      else ofConnection(state, connection, event);
    },
    admit: (what) => takes(state, what, REPEATS, `more than ${REPEATS} a second of ${what}`, what),
    admitAbout(what, about, fields) {
      const left = admitAbout(state, `${what} ${about.on}`);
      return left === undefined ? undefined : aboutFields(about, fields, left);
    },
    flush: () => flush(state),
  };
}

interface State {
  readonly put: (connection: Connection | undefined, event: Recorded) => void;
  readonly clock: () => Micros;
  readonly reported: WeakMap<Connection, Reported>;
  /** One for each kind of line that is limited by time: the kinds are few. */
  readonly windows: Map<string, Window>;
  /** What notes were about, the last one last, and how many were left out since. */
  readonly things: Map<string, { readonly at: Micros; left: number }>;
  timer: NodeJS.Timeout | undefined;
}

/** What was written of one connection. */
interface Reported {
  lines: number;
  /** A server greeted it, or it came far enough that one must have. */
  greeted: boolean;
  /** Lines that wait for the greeting: those of an honest client are only late. */
  held: Recorded[];
  omitted: Omitted | undefined;
}

interface Window {
  second: number;
  count: number;
  omitted: Omitted | undefined;
  readonly because: string;
}

interface Omitted {
  count: number;
  readonly of: Record<string, number>;
}

function ofConnection(state: State, connection: Connection, event: Recorded): void {
  let reported = state.reported.get(connection);
  if (reported === undefined) {
    reported = { lines: 0, greeted: false, held: NONE, omitted: undefined };
    state.reported.set(connection, reported);
  }
  if (!reported.greeted) {
    reported.greeted = showsGreeting(event);
    if (!reported.greeted) return ungreeted(state, connection, reported, event);
    const { held } = reported;
    reported.held = NONE;
    for (const each of held) limited(state, connection, reported, each);
  }
  limited(state, connection, reported, event);
}

/** A scan, or a flood of connections that never begin: a few a second, and the number of the others. */
function ungreeted(state: State, connection: Connection, reported: Reported, event: Recorded): void {
  const verdict = event.kind === 'verdict';
  const key = verdict ? 'verdict' : 'no-greeting';
  const because = verdict
    ? `more than ${UNGREETED} verdicts a second on connections without a greeting`
    : `more than ${UNGREETED} lines a second of connections without a greeting`;
  if (reported.held.length === 0 && takes(state, key, UNGREETED, because))
    return limited(state, connection, reported, event);
  if (event.kind !== 'session' && reported.held.length < HELD) {
    reported.held = [...reported.held, event];
    return;
  }
  const window = windowOf(state, key, because);
  for (const each of event.kind === 'session' ? [...reported.held, event] : [event])
    omit(state, window, each.kind);
  if (event.kind === 'session') reported.held = NONE;
}

function limited({ put }: State, connection: Connection, reported: Reported, event: Recorded): void {
  if (reported.lines < LINES || ALWAYS.has(event.kind)) {
    if (event.kind === 'session' && reported.omitted) {
      const because = `more than ${LINES} lines of one connection`;
      put(connection, { kind: 'omitted', at: event.at, ...reported.omitted, because });
      reported.omitted = undefined;
    }
    reported.lines += 1;
    return put(connection, event);
  }
  reported.omitted ??= { count: 0, of: {} };
  addTo(reported.omitted, event.kind);
}

/** Phases that come behind a greeting, or that need none (TLS from the first octet). */
function showsGreeting(event: Recorded): boolean {
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
  if (takes(state, rule, REPEATS, `more than ${REPEATS} a second of ${rule}`, event.kind))
    state.put(connection, event);
}

/** Room in this second? If not, and a kind is given, it is counted. */
function takes(state: State, key: string, most: number, because: string, kind?: string): boolean {
  const window = windowOf(state, key, because);
  if (window.count < most) {
    window.count += 1;
    return true;
  }
  if (kind !== undefined) omit(state, window, kind);
  return false;
}

function admitAbout({ things, clock }: State, key: string): number | undefined {
  const at = clock();
  const last = things.get(key);
  if (last !== undefined && at - last.at < ABOUT_EVERY) {
    last.left += 1;
    return undefined;
  }
  things.delete(key);
  things.set(key, { at, left: 0 });
  for (const oldest of things.keys()) {
    if (things.size <= THINGS) break;
    things.delete(oldest);
  }
  return last?.left ?? 0;
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

function windowOf(state: State, key: string, because: string): Window {
  const second = Math.floor(state.clock() / 1e6);
  const known = state.windows.get(key);
  if (known?.second === second) return known;
  if (known) tell(state, known);
  const window = known ?? { second, count: 0, omitted: undefined, because };
  window.second = second;
  window.count = 0;
  state.windows.set(key, window);
  return window;
}

function omit(state: State, window: Window, kind: string): void {
  window.omitted ??= { count: 0, of: {} };
  addTo(window.omitted, kind);
  // Whether more comes or not, the count is said.
  state.timer ??= setTimeout(() => flush(state), 1_000).unref();
}

function addTo(omitted: Omitted, kind: string): void {
  omitted.count += 1;
  omitted.of[kind] = (omitted.of[kind] ?? 0) + 1;
}

function tell({ put, clock }: State, window: Window): void {
  if (window.omitted)
    put(undefined, { kind: 'omitted', at: clock(), ...window.omitted, because: window.because });
  window.omitted = undefined;
}

function flush(state: State): void {
  clearTimeout(state.timer);
  state.timer = undefined;
  for (const window of state.windows.values()) tell(state, window);
}

const NONE: Recorded[] = [];

/** A message makes some ten lines; a session of 20 messages is logged completely. 0.9 MB of NOOPs were 58 MB of lines. */
export const LINES = 200;
/** A second, of all connections without a greeting: 20 kB or so. A scan is still seen, and whose it was. */
export const UNGREETED = 50;
/** Lines held for a connection that may still be greeted: `connect`, and what was odd before the greeting. */
const HELD = 2;
/** A second, of one rule: whom it met first is still seen. */
export const REPEATS = 10;
/** Between two notes about one thing. */
const ABOUT_EVERY: Micros = 10_000_000;
/** Transparent connections may go anywhere. */
const THINGS = 1_024;
/** What a connection came to, and what was found: few by their own caps. */
const ALWAYS: ReadonlySet<string> = new Set(['session', 'verdict', 'repair', 'learned']);
