// What all connections together say: how whole they were seen, what became of them, phases, verdicts by client network.
// Fixed room for any number of them.

import type {
  Micros,
  Phase,
  PhaseEvent,
  VerdictEvent,
  VerdictName,
  Where,
  Proof,
} from '../../../inspect/events';
import type { SegmentSessionEvent } from '../../../inspect/tracker/inspector';
import type { Observer, Tracked, TrackerNews } from '../../../inspect/tracker/tracker';
import { happenedAt } from '../../../inspect/verdict/standing';
import { createHistogram, type Histogram } from './histogram';
import { networkOf } from '../../system/address';
import { addObserved, createObserved, type Observed } from './observed';
import { fateOf, type Outcome } from './outcome';

export interface VerdictSummary {
  /** Sessions with it; those where it is proved. */
  sessions: number;
  proved: number;
  /** When the first and the last of them happened; they may have been reported later. */
  firstAt: Micros;
  lastAt: Micros;
  /** Sessions with it by what it rests on and where it happened, and by client network. */
  readonly causes: Map<string, { readonly where: Where; readonly proof: Proof; sessions: number }>;
  readonly networks: Map<string, number>;
  /** Clients with it; beyond the cap they are not counted apart. */
  readonly clients: Set<string>;
}

export interface Summary {
  readonly sessions: number;
  readonly messages: number;
  /** Sessions whose messages TLS hides. */
  readonly hidden: number;
  readonly observed: Observed;
  readonly outcomes: ReadonlyMap<Outcome, number>;
  /** Sessions seen whole that went as they should, as far as the path is concerned: with no verdict. */
  readonly clear: number;
  /** Sessions that the server refused, by reply code and phase: `554 greeting`. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly bytes: { readonly client: number; readonly server: number };
  readonly retransmits: { readonly client: number; readonly server: number };
  /** When the first and the last event was. */
  readonly firstAt: Micros | undefined;
  readonly lastAt: Micros;
  readonly phases: ReadonlyMap<Phase, Histogram>;
  readonly verdicts: ReadonlyMap<VerdictName, VerdictSummary>;
  /** All sessions by client network; beyond the cap they go to `OTHER_NETWORKS`. */
  readonly networks: ReadonlyMap<string, number>;
  /** Sessions with any verdict. */
  readonly flagged: number;
}

export interface Summarizer extends Observer {
  readonly summary: Summary;
}

export function createSummarizer(): Summarizer {
  const state: State = {
    sessions: 0,
    messages: 0,
    hidden: 0,
    observed: createObserved(),
    clear: 0,
    outcomes: new Map(),
    refusals: new Map(),
    bytes: { client: 0, server: 0 },
    retransmits: { client: 0, server: 0 },
    firstAt: undefined,
    lastAt: 0,
    phases: new Map(),
    verdicts: new Map(),
    networks: new Map(),
    flagged: 0,
  };
  return {
    observe(news) {
      for (const each of news) addNews(state, each);
    },
    summary: state,
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface State extends Mutable<Omit<Summary, 'phases' | 'verdicts' | 'networks' | 'bytes' | 'retransmits'>> {
  readonly outcomes: Map<Outcome, number>;
  readonly refusals: Map<string, number>;
  readonly bytes: { client: number; server: number };
  readonly retransmits: { client: number; server: number };
  readonly phases: Map<Phase, Histogram>;
  readonly verdicts: Map<VerdictName, VerdictSummary>;
  readonly networks: Map<string, number>;
}

function addNews(state: State, { connection, segment, events, verdicts, ended }: TrackerNews): void {
  if (segment) span(state, segment.segment.at);
  for (const event of events) {
    if (event.kind === 'phase' && isAnswered(event, connection)) addPhase(state, event);
    else if (event.kind === 'session') addSession(state, connection, event as SegmentSessionEvent);
  }
  // Until the connection is over a verdict may be withdrawn.
  if (!ended || verdicts.length === 0) return;
  state.flagged += 1;
  addVerdicts(state.verdicts, verdicts, connection.client.address);
}

/** A phase without an answer, or without an end, says nothing of how long it takes. */
function isAnswered({ phase, reply, close, tls }: PhaseEvent, { inspector }: Tracked): boolean {
  if (phase === 'connect') return inspector.view.connectedAt !== undefined;
  if (phase === 'close') return close !== undefined && (close.how === 'fin' || close.how === 'rst');
  return phase === 'tls' ? tls !== undefined : reply !== undefined;
}

function addPhase({ phases }: State, { phase, duration }: PhaseEvent): void {
  const histogram = phases.get(phase) ?? createHistogram();
  phases.set(phase, histogram);
  histogram.add(duration);
}

function addSession(state: State, connection: Tracked, event: SegmentSessionEvent): void {
  const { messages, bytes, retransmits } = event;
  const { outcome, refusal } = fateOf(event, connection, state.lastAt);
  state.sessions += 1;
  state.messages += messages;
  state.bytes.client += bytes.client;
  state.bytes.server += bytes.server;
  state.retransmits.client += retransmits.client;
  state.retransmits.server += retransmits.server;
  if (event.tls) state.hidden += 1;
  const whole = addObserved(state.observed, event, outcome);
  if (whole && event.verdicts.length === 0 && WELL.has(outcome)) state.clear += 1;
  state.outcomes.set(outcome, (state.outcomes.get(outcome) ?? 0) + 1);
  if (refusal) count(state.refusals, `${refusal.code} ${refusal.phase}`);
  count(state.networks, networkOf(connection.client.address));
}

/** One session more with what stands of it; of several findings of one name the surest decides what it is. */
export function addVerdicts(
  verdicts: Map<VerdictName, VerdictSummary>,
  said: readonly VerdictEvent[],
  client: string,
): void {
  for (const verdict of new Set(said.map((each) => each.verdict))) {
    const all = said.filter((each) => each.verdict === verdict);
    const surest = all.find(({ certainty }) => certainty === 'proved') ?? all[0];
    if (surest) addVerdict(verdicts, surest, all.map(happenedAt), client);
  }
}

function addVerdict(
  verdicts: Map<VerdictName, VerdictSummary>,
  { verdict, certainty, where, proof }: VerdictEvent,
  times: readonly Micros[],
  client: string,
): void {
  const of = verdicts.get(verdict) ?? {
    ...{ sessions: 0, proved: 0, firstAt: Infinity, lastAt: -Infinity },
    causes: new Map<string, { where: Where; proof: Proof; sessions: number }>(),
    networks: new Map<string, number>(),
    clients: new Set<string>(),
  };
  verdicts.set(verdict, of);
  of.sessions += 1;
  if (certainty === 'proved') of.proved += 1;
  of.firstAt = Math.min(of.firstAt, ...times);
  of.lastAt = Math.max(of.lastAt, ...times);
  const cause = of.causes.get(`${where} ${proof}`) ?? { where, proof, sessions: 0 };
  of.causes.set(`${where} ${proof}`, { ...cause, sessions: cause.sessions + 1 });
  count(of.networks, networkOf(client));
  if (of.clients.size < CLIENTS) of.clients.add(client);
}

function span(state: State, at: Micros): void {
  state.firstAt = Math.min(state.firstAt ?? at, at);
  state.lastAt = Math.max(state.lastAt, at);
}

function count(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < NETWORKS ? name : OTHER_NETWORKS;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** What the path could not have done, or has not. */
const WELL: ReadonlySet<Outcome> = new Set(['delivered', 'finished', 'tls', 'refused', 'left']);
const OTHER_NETWORKS = 'other networks';
const NETWORKS = 16_384;
const CLIENTS = 16_384;
