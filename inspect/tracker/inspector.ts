// One connection, from its segments to its events: streams, session and judges in one place. What stands after withdrawals
// and upgrades is kept here, and nowhere else.

import {
  createCoverage,
  isPlainSide,
  isWhole,
  type Coverage,
  type CoverageState,
} from '../coverage/coverage';
import { admit, isAdmitted } from '../coverage/gate';
import type { Finding } from '../coverage/finding';
import type { Close, Direction, Micros, SessionEvent, SmtpEvent, VerdictEvent } from '../events';
import type { Redaction } from '../grammar/argument';
import { createSession, type Session } from '../smtp/session';
import { createConnection, type Connection, type Flow } from '../tcp/connection';
import { FLAG, type Segment } from '../tcp/segment';
import type { Holding } from '../tcp/stream';
import { advance, type Seq } from '../tcp/seq';
import type { ConnectionView, JudgeInput } from '../tcp/view';
import { createBench, deadlineOfAll, isUndecided, judgeAll, type Bench } from '../verdict/judges';
import { withVerdict } from '../verdict/standing';
import { NO_OCTETS } from '../octets';

/** A connection's line, with what only its segments tell. */
export interface SegmentSessionEvent extends SessionEvent {
  readonly retransmits: { readonly client: number; readonly server: number };
  readonly rtt?: Micros;
  /** Names of the verdicts, each once. */
  readonly verdicts: readonly string[];
  /** What was not observed of it; absent where all was. */
  readonly coverage?: Coverage;
}

export type InspectorEvent = SmtpEvent | SegmentSessionEvent | VerdictEvent;

interface InspectorOptions {
  /** TLS from the first octet on (port 465). */
  readonly implicitTls?: boolean;
  /** How envelope addresses are written down; absent: as they are. */
  readonly redact?: Redaction | undefined;
  /** The capture may have lost segments, and does not say so: see `Coverage.counted`. */
  readonly uncounted?: boolean;
  /** What is held beyond holes at its point; absent: it has its own point. */
  readonly holding?: Holding;
}

export interface Inspector {
  readonly view: ConnectionView;
  /** What was not observed. */
  readonly coverage: Coverage;
  /** The verdicts that stand now: what a later one withdraws is not among them, and each finding is as it was said last. */
  readonly verdicts: readonly VerdictEvent[];
  /** What the last step brought, both sides' octets in order: the session was fed with it. */
  readonly flow: readonly Flow[];
  /** When both sides had ended, or one had reset: stragglers apart nothing more is to be expected. */
  readonly closedAt: Micros | undefined;
  /** Closed in good order and acknowledged to the end (RFC 9293 §3.6): what may still come are copies. */
  readonly settled: boolean;
  /**
   * Whether all of it was seen: both sides from their SYN on, and every octet that was sent as far as any segment shows.
   * False for good once a segment of it was or may have been missed by us (a record or a frame that was lost, also where
   * it is not known of which connection, a piece of a datagram, a capture that began later, a hole that was given up,
   * a payload that was cut); false for a while while a segment that was overtaken is awaited. Message and TLS that are
   * left out on purpose are no hole. Only a whole connection may teach what its server is like.
   */
  readonly whole: boolean;
  segment(from: Direction, segment: Segment): readonly InspectorEvent[];
  /** Whether it is a frame that was captured before, from another place: it says nothing new and is only counted. */
  isCopy(from: Direction, segment: Segment): boolean;
  /** We, or a kernel for us, sent this side an empty segment with an old number (RFC 9293 §3.8.4). */
  probed(side: Direction, at: Micros): readonly InspectorEvent[];
  /** Message or TLS that passed in order, of which only the end is shown, if that. */
  elided(from: Direction, elided: Elided): readonly InspectorEvent[];
  /** We missed segments of it: from here on no verdict is sure, and what is missing may be what we missed. */
  lost(): void;
  /** Time passed; due when `deadline` says so. */
  idle(at: Micros): readonly InspectorEvent[];
  /** The first deadline of a judge beyond `after`; without `after` the first of all. */
  deadline(after?: Micros): Micros | undefined;
  /** The capture ends, or the connection was forgotten: holes are given up, and the last events come. */
  end(at: Micros): readonly InspectorEvent[];
}

/** Octets in order, without the segments that carried them. */
export interface Elided {
  /** When the last of them passed. */
  readonly at: Micros;
  readonly seq: Seq;
  readonly length: number;
  /** The last of them; the others are message or TLS. */
  readonly end: Uint8Array;
}

/** `first` is the connection's first segment; it is to be fed like all others. */
export function createInspector(first: Segment, options: InspectorOptions = {}): Inspector {
  const connection = createConnection(first.at, options.holding);
  const coverage = createCoverage(options.uncounted !== true);
  const state: State = {
    connection,
    coverage,
    bench: createBench(coverage.counted),
    options,
    session: undefined,
    verdicts: NOTHING,
    probedAt: { client: undefined, server: undefined },
    found: [],
    fedAt: first.at,
    flow: NOTHING,
    close: undefined,
    ended: false,
    view: connection.view,
    closedAt: undefined,
    settled: false,
    get whole() {
      return isSeenWhole(state);
    },
    segment: (from, segment) => (state.ended ? NOTHING : take(state, from, segment)),
    isCopy: (from, segment) => isCopy(state, from, segment),
    probed: (side, at) => (state.ended ? NOTHING : probed(state, side, at)),
    elided: (from, each) => (state.ended ? NOTHING : takeElided(state, from, each)),
    lost: () => void (coverage.blind = true),
    idle: (at) => (state.ended ? NOTHING : idle(state, at)),
    deadline: (after = -Infinity) => earliest(state, after),
    end: (at) => (state.ended ? NOTHING : end(state, at)),
  };
  return state;
}

interface State extends Inspector {
  readonly connection: Connection;
  readonly coverage: CoverageState;
  readonly bench: Bench;
  readonly options: InspectorOptions;
  session: Session | undefined;
  verdicts: readonly VerdictEvent[];
  /** When each side was last probed and has not answered yet. */
  readonly probedAt: Record<Direction, Micros | undefined>;
  /** Findings of a moment at which something is awaited that may have been missed: it is not known yet what was observed. */
  readonly found: Finding[];
  /** The time of what the session was fed with last. */
  fedAt: Micros;
  flow: readonly Flow[];
  close: Close | undefined;
  closedAt: Micros | undefined;
  settled: boolean;
  ended: boolean;
}

function take(state: State, from: Direction, segment: Segment): readonly InspectorEvent[] {
  const { at } = segment;
  const { view: connection, coverage } = state;
  const { header, news, flow } = state.connection.take(from, segment);
  const probed = state.probedAt[from] !== undefined;
  state.probedAt[from] = undefined;
  // A keep-alive of the other side's own TCP is as good a probe as ours.
  const keepalive = news[0]?.kind === 'keepalive';
  if (keepalive) state.probedAt[OTHER[from]] = at;
  observe(state, from, header);
  const given = coverage.blind ? [...flow, ...state.connection.end(at)] : flow;
  const smtp = feedAll(state, given);
  const verdicts = judge(state, {
    kind: 'segment',
    at,
    connection,
    from,
    segment: header,
    probed,
    news,
    smtp,
  });
  if (keepalive) return join(join(smtp, verdicts), judge(state, probeInput(state, OTHER[from], at)));
  if (state.closedAt !== undefined) state.settled = isSettled(state);
  return join(smtp, verdicts);
}

function isCopy({ connection, coverage, ended }: State, from: Direction, segment: Segment): boolean {
  const copy = !ended && connection.isCopy(from, segment);
  if (copy) coverage[from].copies += 1;
  return copy;
}

function observe({ coverage, view }: State, from: Direction, { flags, options }: Segment): void {
  const side = coverage[from];
  side.segments += 1;
  // What came now may be what a segment of the other side was captured before.
  for (const each of SIDES) coverage[each].disordered = view[each].disordered;
  if (flags & FLAG.syn && side.begin !== 'seen') side.begin = options.cut ? 'cut' : 'seen';
}

function isSeenWhole({ coverage, view, connection }: State): boolean {
  const awaited = SIDES.some((side) => view[side].stream.missingSince !== undefined);
  return isWhole(coverage) && coverage.counted && !awaited && connection.due() === undefined;
}

/** Of a connection on which anything was odd, more is awaited. */
function isSettled({ close, view, verdicts, bench, coverage, connection }: State): boolean {
  if (!close || coverage.blind || verdicts.length > 0 || connection.due() !== undefined) return false;
  const whole = SIDES.every((side) => {
    const { finAcked, retransmits, stream } = view[side];
    // Many a client resets what the server has ended and it has read to its end: then its own side has no FIN.
    const over = finAcked || (close.how === 'rst' && close.by === side);
    return over && retransmits === 0 && stream.missingSince === undefined;
  });
  return whole && !isUndecided(bench);
}

function takeElided(state: State, from: Direction, elided: Elided): readonly InspectorEvent[] {
  const { at, seq, length, end } = elided;
  const left = length - end.length;
  const flow = state.connection.elided(from, [
    ...(left > 0 ? [{ at, seq, flags: FLAG.ack, payload: NO_OCTETS, length: left, elided: true }] : []),
    ...(end.length > 0
      ? [{ at, seq: advance(seq, left), flags: FLAG.ack, payload: end, length: end.length }]
      : []),
  ]);
  return feedAll(state, flow);
}

function probed(state: State, side: Direction, at: Micros): readonly InspectorEvent[] {
  state.probedAt[side] = at;
  return judge(state, probeInput(state, side, at));
}

function probeInput({ view }: State, from: Direction, at: Micros): JudgeInput {
  return { kind: 'probe', at, connection: view, from, segment: undefined, probed: true, news: [], smtp: [] };
}

function idle(state: State, at: Micros): readonly InspectorEvent[] {
  const late = feedAll(state, state.connection.idle(at));
  const smtp = join(late, admitted(state, state.session?.idle(at) ?? NOTHING));
  return join(smtp, judge(state, timeInput(state, 'idle', at, smtp)));
}

function timeInput(
  { view }: State,
  kind: 'idle' | 'end',
  at: Micros,
  smtp: readonly SmtpEvent[],
): JudgeInput {
  return { kind, at, connection: view, from: undefined, segment: undefined, probed: false, news: [], smtp };
}

/** Each at its own time; not before what it comes behind, though it may have been captured so. */
function feedAll(state: State, flow: readonly Flow[]): readonly SmtpEvent[] {
  let events: readonly SmtpEvent[] = NOTHING;
  state.flow = flow;
  for (const item of flow) {
    state.fedAt = Math.max(state.fedAt, item.at);
    events = join(events, admitted(state, feed(state, item, state.fedAt)));
  }
  return events;
}

/** Without the oddities that what was not observed may look like. */
function admitted({ coverage }: State, events: readonly SmtpEvent[]): readonly SmtpEvent[] {
  const fits = (event: SmtpEvent): boolean => event.kind !== 'anomaly' || isAdmitted(event, coverage);
  return events.every(fits) ? events : events.filter(fits);
}

function feed(state: State, flow: Flow, at: Micros): readonly SmtpEvent[] {
  if (flow.kind === 'octets') return sessionOf(state, at).feed(flow.from, flow.bytes, at);
  if (flow.kind === 'elided') return sessionOf(state, at).elide(flow.from, flow.length, at);
  if (flow.kind === 'gap') state.coverage[flow.from][flow.why] += flow.length;
  if (flow.kind === 'gap') return sessionOf(state, at).gap(flow.from, flow.length, at);
  state.close ??= { by: flow.by, how: flow.how };
  state.closedAt ??= at;
  return NOTHING;
}

/** Nearly always one of the two is empty, and then there is nothing to copy. */
function join<A, B>(first: readonly A[], second: readonly B[]): readonly (A | B)[] {
  if (second.length === 0) return first;
  return first.length === 0 ? second : [...first, ...second];
}

/** The session begins with its first octets: by then it is known which sides there are. */
function sessionOf(state: State, at: Micros): Session {
  if (state.session) return state.session;
  const { view, options } = state;
  const fromStart = state.connection.fromStart();
  state.session = createSession({
    started: view.started,
    // Mid-stream the handshake was not observed, so it is not known when it ended.
    ...(fromStart && { connected: view.connectedAt ?? at }),
    implicitTls: options.implicitTls ?? false,
    redact: options.redact,
    serverUnheard: view.server.segments === 0,
    midStream: !fromStart,
  });
  return state.session;
}

function judge(state: State, input: JudgeInput): readonly VerdictEvent[] {
  const { found, connection } = state;
  if (state.coverage.blind) return NOTHING;
  judgeAll(state.bench, input, found);
  // At the end what is awaited is given up first.
  return found.length === 0 || connection.due() !== undefined || input.kind === 'end'
    ? NOTHING
    : admitAll(state);
}

function admitAll(state: State): readonly VerdictEvent[] {
  const { found, coverage } = state;
  const admitted: VerdictEvent[] = [];
  for (const finding of found.splice(0)) {
    const verdict = coverage.blind ? undefined : admit(finding, coverage);
    if (!verdict) continue;
    state.verdicts = withVerdict(state.verdicts, verdict);
    admitted.push(verdict);
  }
  return admitted;
}

function end(state: State, at: Micros): readonly InspectorEvent[] {
  state.ended = true;
  const { view } = state;
  // The judges look before the holes are given up, and again at what stood behind them.
  judge(state, timeInput(state, 'end', at, NOTHING));
  // Where its end was not observed, its last segment is the last that is known of it.
  const ended = state.closedAt ?? Math.max(view.started, ...SIDES.map((side) => view[side].last?.at ?? 0));
  const smtp = feedAll(state, state.connection.end(ended));
  state.connection.release();
  if (smtp.length > 0) judge(state, timeInput(state, 'end', at, smtp));
  const verdicts = admitAll(state);
  const story = sessionOf(state, ended).close(state.close ?? { how: 'open' }, ended);
  const last = admitted(state, story).map((event) => withSegmentFacts(state, event));
  return [...smtp, ...verdicts, ...last];
}

function withSegmentFacts(state: State, event: SmtpEvent): SmtpEvent | SegmentSessionEvent {
  if (event.kind !== 'session') return event;
  const { client, server, rtt } = state.view;
  return {
    ...event,
    retransmits: { client: client.retransmits, server: server.retransmits },
    ...(rtt !== undefined && { rtt }),
    verdicts: [...new Set(state.verdicts.map(({ verdict }) => verdict))],
    ...(isPlain(state.coverage) ? {} : { coverage: state.coverage }),
  };
}

/** All was observed, each once and in its order. */
function isPlain(coverage: Coverage): boolean {
  return !coverage.blind && SIDES.every((side) => isPlainSide(coverage[side]));
}

function earliest({ bench, connection }: State, after: Micros): Micros | undefined {
  const due = connection.due();
  const judged = deadlineOfAll(bench, after);
  const first = due !== undefined && due > after ? Math.min(due, judged) : judged;
  return first === Infinity ? undefined : first;
}

const NOTHING: readonly never[] = [];
const SIDES = ['client', 'server'] as const;
const OTHER = { client: 'server', server: 'client' } as const;
