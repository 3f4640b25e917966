// One connection from its segments to its story: streams, session and judges in one place.

import type { Close, Direction, Micros, SessionEvent, SmtpEvent, VerdictEvent } from './events';
import { createSession, type Session } from './smtp/session';
import { createConnection, type Connection, type Flow } from './tcp/connection';
import type { Segment } from './tcp/segment';
import type { StreamNews } from './tcp/stream';
import type { ConnectionView, Sight } from './tcp/view';
import { createJudges } from './verdict/judges';
import type { Judge } from './verdict/judge';

/** A connection's line, with what only its segments tell. */
export interface SegmentSessionEvent extends SessionEvent {
  readonly retransmits: { readonly client: number; readonly server: number };
  readonly rtt?: Micros;
  /** Names of the verdicts, each once. */
  readonly verdicts: readonly string[];
}

export type InspectorEvent = SmtpEvent | SegmentSessionEvent | VerdictEvent;

export interface InspectorOptions {
  /** TLS from the first octet on (port 465). */
  readonly implicitTls?: boolean;
}

export interface Inspector {
  readonly view: ConnectionView;
  /** When both sides had ended, or one had reset: stragglers apart nothing more is to be expected. */
  readonly closedAt: Micros | undefined;
  segment(from: Direction, segment: Segment): InspectorEvent[];
  /** We, or a kernel for us, sent this side an empty segment with an old number (RFC 9293 §3.8.4). */
  probed(side: Direction, at: Micros): InspectorEvent[];
  /** Time passed; due when `deadline` says so. */
  idle(at: Micros): InspectorEvent[];
  deadline(): Micros | undefined;
  /** The capture ends, or the connection was forgotten: holes are given up, the story is told. */
  end(at: Micros): InspectorEvent[];
}

/** `first` is the connection's first segment; it is to be fed like all others. */
export function createInspector(first: Segment, options: InspectorOptions = {}): Inspector {
  const state: State = {
    connection: createConnection(first.at),
    judges: createJudges(),
    options,
    session: undefined,
    verdicts: new Set(),
    probedAt: { client: undefined, server: undefined },
    close: undefined,
    closedAt: undefined,
    ended: false,
  };
  const { view } = state.connection;
  return {
    view,
    get closedAt() {
      return state.closedAt;
    },
    segment: (from, segment) => (state.ended ? [] : take(state, from, segment)),
    probed(side, at) {
      if (state.ended) return [];
      state.probedAt[side] = at;
      return judge(state, {
        kind: 'probe',
        at,
        connection: view,
        from: side,
        probed: true,
        news: [],
        smtp: [],
      });
    },
    idle(at) {
      if (state.ended) return [];
      const smtp = state.session?.idle(at) ?? [];
      return [
        ...smtp,
        ...judge(state, { kind: 'idle', at, connection: view, probed: false, news: [], smtp }),
      ];
    },
    deadline: () => earliest(state.judges),
    end: (at) => (state.ended ? [] : end(state, at)),
  };
}

interface State {
  readonly connection: Connection;
  readonly judges: readonly Judge[];
  readonly options: InspectorOptions;
  session: Session | undefined;
  readonly verdicts: Set<string>;
  /** When each side was last probed and has not answered yet. */
  readonly probedAt: Record<Direction, Micros | undefined>;
  close: Close | undefined;
  closedAt: Micros | undefined;
  ended: boolean;
}

function take(state: State, from: Direction, segment: Segment): InspectorEvent[] {
  const { at } = segment;
  const { header, news, flow } = state.connection.take(from, segment);
  const probed = state.probedAt[from] !== undefined;
  state.probedAt[from] = undefined;
  // A keep-alive of the other side's own TCP is as good a probe as ours.
  const keepalive = news.some((each: StreamNews) => each.kind === 'keepalive');
  if (keepalive) state.probedAt[OTHER[from]] = at;
  const smtp = flow.flatMap((item) => feed(state, item, at));
  const sight = { at, connection: state.connection.view, from, segment: header, news, smtp } as const;
  const verdicts = judge(state, { kind: 'segment', probed, ...sight });
  if (!keepalive) return [...smtp, ...verdicts];
  const probe: Sight = {
    kind: 'probe',
    at,
    connection: sight.connection,
    from: OTHER[from],
    probed: true,
    news: [],
    smtp: [],
  };
  return [...smtp, ...verdicts, ...judge(state, probe)];
}

function feed(state: State, flow: Flow, at: Micros): SmtpEvent[] {
  if (flow.kind === 'octets') return sessionOf(state, at).feed(flow.from, flow.bytes, at);
  if (flow.kind === 'gap') return sessionOf(state, at).gap(flow.from, flow.length, at);
  state.close ??= { by: flow.by, how: flow.how };
  state.closedAt ??= at;
  return [];
}

/** The session begins with its first octets: by then it is known which sides there are. */
function sessionOf(state: State, at: Micros): Session {
  const { connection, options } = state;
  const { view, fromStart } = connection;
  state.session ??= createSession({
    started: view.started,
    // Mid-stream nobody saw the handshake, so nobody knows when it ended.
    ...(fromStart && { connected: view.rtt === undefined ? at : view.started + view.rtt }),
    implicitTls: options.implicitTls ?? false,
    serverUnheard: view.server.segments === 0,
    midStream: !fromStart,
  });
  return state.session;
}

function judge(state: State, sight: Sight): VerdictEvent[] {
  const spoken: VerdictEvent[] = [];
  for (const each of state.judges) {
    for (const verdict of each.see(sight)) {
      state.verdicts.add(verdict.verdict);
      spoken.push(verdict);
    }
  }
  return spoken;
}

function end(state: State, at: Micros): InspectorEvent[] {
  state.ended = true;
  const { view } = state.connection;
  const sight = { kind: 'end', at, connection: view, probed: false, news: [] } as const;
  // The judges look before the holes are given up, and again at what stood behind them.
  const verdicts = judge(state, { ...sight, smtp: [] });
  // Where nobody saw it end, its last segment is the last that is known of it.
  const ended = state.closedAt ?? Math.max(view.started, ...SIDES.map((side) => view[side].last?.at ?? 0));
  const smtp = state.connection.end().flatMap((item) => feed(state, item, ended));
  if (smtp.length > 0) verdicts.push(...judge(state, { ...sight, smtp }));
  const story = sessionOf(state, ended).close(state.close ?? { by: 'client', how: 'timeout' }, ended);
  return [...smtp, ...verdicts, ...story.map((event) => withSegmentFacts(state, event))];
}

function withSegmentFacts(state: State, event: SmtpEvent): SmtpEvent | SegmentSessionEvent {
  if (event.kind !== 'session') return event;
  const { client, server, rtt } = state.connection.view;
  return {
    ...event,
    retransmits: { client: client.retransmits, server: server.retransmits },
    ...(rtt !== undefined && { rtt }),
    verdicts: [...state.verdicts],
  };
}

function earliest(judges: readonly Judge[]): Micros | undefined {
  let first: Micros | undefined;
  for (const each of judges) {
    const due = each.deadline();
    if (due !== undefined && (first === undefined || due < first)) first = due;
  }
  return first;
}

const SIDES = ['client', 'server'] as const;
const OTHER = { client: 'server', server: 'client' } as const;
