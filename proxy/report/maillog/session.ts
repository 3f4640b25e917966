// What the log says of one connection: its lines put together.

import type { Micros } from '../../../inspect/events';
import type { Entry } from './entry';
import type { Saying } from './dialects';

export interface LogSession {
  readonly client: string;
  readonly port?: number;
  /** When it began; where the log says only how it ended, when that was. */
  readonly started: Micros;
  readonly ended?: Micros;
  /** The log has no word of its beginning: `started` is its end. */
  readonly endOnly?: true;
  readonly zoned: boolean;
  /** postscreen handed it to smtpd: both logged it. */
  readonly daemons: readonly Entry['daemon'][];
  readonly says: readonly Saying[];
}

/** By how much the log is ahead of the capture's clock if the two are the same connection. */
export function aheadOf(
  { started, endOnly }: LogSession,
  story: { readonly started: Micros; readonly ended: Micros },
): Micros {
  return started - (endOnly ? story.ended : story.started);
}

interface LogSessions {
  take(entry: Entry): void;
  /** The log ends: all sessions, in the order in which they began. */
  end(): readonly LogSession[];
  /** Beyond the cap. */
  readonly omitted: number;
}

/** `from`, `to`: sessions that cannot have to do with the capture are not kept. */
export function createLogSessions(from: Micros, to: Micros): LogSessions {
  const state: State = { sessions: [], open: new Map(), passed: new Map(), omitted: 0 };
  return {
    take(entry) {
      // A zone that is not in the log is at most 14 hours off, and the other clock may be wrong as well.
      const slack = entry.zoned ? SLACK : SLACK + ZONE;
      if (entry.at >= from - slack && entry.at <= to + slack) take(state, entry);
    },
    end: () => state.sessions,
    get omitted() {
      return state.omitted;
    },
  };
}

type Growing = { -readonly [K in keyof LogSession]: LogSession[K] } & {
  says: Saying[];
  daemons: Entry['daemon'][];
};

interface State {
  readonly sessions: Growing[];
  readonly open: Map<string, Growing>;
  /** Sessions that postscreen has passed on and no smtpd has taken yet, by client. */
  readonly passed: Map<string, Growing[]>;
  omitted: number;
}

function take(state: State, entry: Entry): void {
  const { daemon, says, at } = entry;
  const key = keyOf(entry);
  const known = state.open.get(key);
  const own = entry.client === undefined || known?.client === entry.client;
  const session =
    says.kind === 'connect' ? begin(state, key, entry) : known && own ? known : unbegun(state, key, entry);
  if (!session) return;
  if (session.says.length < SAYINGS) session.says.push(says);
  if (!session.daemons.includes(daemon)) session.daemons.push(daemon);
  if (isEnd(entry)) {
    session.ended = at;
    state.open.delete(key);
  } else if (says.kind === 'pass') {
    state.open.delete(key);
    state.passed.set(session.client, [...(state.passed.get(session.client) ?? []), session]);
  }
}

/** postscreen serves all clients at once, the others one after the other; without a process the client has to do. */
function keyOf({ daemon, process, client, port }: Entry): string {
  if (daemon !== 'postscreen' && process.endsWith(']')) return process;
  return `${client} ${port}`;
}

/** Exim's timeouts and losses are its last line of a connection; Postfix and sendmail say `disconnect` after them. */
function isEnd({ daemon, says }: Entry): boolean {
  return (
    says.kind === 'disconnect' || (daemon === 'exim' && (says.kind === 'timeout' || says.kind === 'lost'))
  );
}

/**
 * Its beginning was before the log's, or the log has none: then its end lines it up, and how long it lasted says when it
 * began. postscreen and smtpd always say it.
 */
function unbegun(state: State, key: string, entry: Entry): Growing | undefined {
  const { daemon, at, lasted, says, client } = entry;
  if (client === undefined || (daemon !== 'exim' && daemon !== 'sendmail')) return undefined;
  if (lasted !== undefined) return begin(state, key, { ...entry, at: at - lasted });
  if (says.kind === 'mail' || says.kind === 'pipelining') return undefined;
  const session = begin(state, key, entry);
  if (session) session.endOnly = true;
  return session;
}

function begin(state: State, key: string, entry: Entry): Growing | undefined {
  const { client, port, at, zoned } = entry;
  if (client === undefined) return undefined;
  const handed = entry.daemon === 'smtpd' ? handedOver(state, entry) : undefined;
  if (handed) {
    state.open.set(key, handed);
    return handed;
  }
  state.open.delete(key);
  if (state.sessions.length >= SESSIONS) {
    state.omitted += 1;
    return undefined;
  }
  const session: Growing = {
    ...{ client, ...(port !== undefined && { port }), started: at, zoned },
    ...{ daemons: [], says: [] },
  };
  state.sessions.push(session);
  state.open.set(key, session);
  return session;
}

/** The session that postscreen has just passed on. Of several it is not known which: then smtpd's stands alone. */
function handedOver(state: State, { client = '', port, at }: Entry): Growing | undefined {
  const waiting = state.passed.get(client);
  if (!waiting) return undefined;
  const recent = waiting.filter(({ started }) => at - started < HANDED_WITHIN);
  const own = port === undefined ? recent : recent.filter((each) => each.port === port);
  const [only] = own;
  if (own.length !== 1 || !only) {
    state.passed.set(client, recent);
    return undefined;
  }
  const rest = recent.filter((each) => each !== only);
  if (rest.length > 0) state.passed.set(client, rest);
  else state.passed.delete(client);
  return only;
}

const SLACK: Micros = 3_600e6;
const ZONE: Micros = 14 * 3_600e6;
/** postscreen's tests take 6 s, its deep ones some more. */
const HANDED_WITHIN: Micros = 60e6;
const SAYINGS = 32;
/** Some 100 MB. */
const SESSIONS = 250_000;
