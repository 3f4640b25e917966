// What all connections together say: counts, phases, verdicts by client network. Fixed room for any number of them.

import type { Micros, Phase, VerdictEvent, VerdictName } from '../../inspect/events';
import type { TrackerNews } from '../../inspect/tracker';
import { createHistogram, type Histogram } from './histogram';
import { networkOf } from './network';

export interface VerdictSummary {
  /** Sessions with it; those where it is proved. */
  sessions: number;
  proved: number;
  firstAt: Micros;
  lastAt: Micros;
  /** Sessions with it by client network. */
  readonly networks: Map<string, number>;
}

export interface Summary {
  readonly sessions: number;
  readonly messages: number;
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

export interface Summarizer {
  see(news: readonly TrackerNews[]): void;
  readonly summary: Summary;
}

export function createSummarizer(): Summarizer {
  const state: State = {
    sessions: 0,
    messages: 0,
    bytes: { client: 0, server: 0 },
    retransmits: { client: 0, server: 0 },
    firstAt: undefined,
    lastAt: 0,
    phases: new Map(),
    verdicts: new Map(),
    networks: new Map(),
    flagged: 0,
    open: new Map(),
  };
  return {
    see(news) {
      for (const each of news) see(state, each);
    },
    summary: state,
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface State extends Mutable<Omit<Summary, 'phases' | 'verdicts' | 'networks' | 'bytes' | 'retransmits'>> {
  readonly bytes: { client: number; server: number };
  readonly retransmits: { client: number; server: number };
  readonly phases: Map<Phase, Histogram>;
  readonly verdicts: Map<VerdictName, VerdictSummary>;
  readonly networks: Map<string, number>;
  /** What stands of connections that are not over, by `Tracked.id`: until then it may be taken back. */
  readonly open: Map<number, Map<VerdictName, Standing>>;
}

/** One verdict on one connection. */
interface Standing {
  readonly proved: boolean;
  readonly firstAt: Micros;
  readonly lastAt: Micros;
}

function see(state: State, { connection, segment, events, ended }: TrackerNews): void {
  if (segment) span(state, segment.segment.at);
  for (const event of events) {
    if (event.kind === 'phase') {
      const histogram = state.phases.get(event.phase) ?? createHistogram();
      state.phases.set(event.phase, histogram);
      histogram.add(event.duration);
    } else if (event.kind === 'verdict') {
      noteVerdict(state, connection.id, event);
    } else if (event.kind === 'session') {
      state.sessions += 1;
      state.messages += event.messages;
      state.bytes.client += event.bytes.client;
      state.bytes.server += event.bytes.server;
      if ('retransmits' in event) {
        state.retransmits.client += event.retransmits.client;
        state.retransmits.server += event.retransmits.server;
      }
      count(state.networks, networkOf(connection.client.address));
    }
  }
  if (ended) addVerdicts(state, connection.id, networkOf(connection.client.address));
}

/** A verdict may come again, with more or with more certainty; the session counts once. */
function noteVerdict(state: State, id: number, { verdict, certainty, at, withdraws }: VerdictEvent): void {
  const said = state.open.get(id) ?? new Map<VerdictName, Standing>();
  state.open.set(id, said);
  if (withdraws) said.delete(withdraws);
  const before = said.get(verdict) ?? { proved: false, firstAt: at, lastAt: at };
  said.set(verdict, {
    proved: before.proved || certainty === 'proved',
    firstAt: Math.min(before.firstAt, at),
    lastAt: Math.max(before.lastAt, at),
  });
}

function addVerdicts(state: State, id: number, network: string): void {
  const said = state.open.get(id);
  if (!said) return;
  state.open.delete(id);
  state.flagged += 1;
  for (const [verdict, { proved, firstAt, lastAt }] of said) {
    const of = state.verdicts.get(verdict) ?? {
      ...{ sessions: 0, proved: 0, firstAt, lastAt },
      networks: new Map<string, number>(),
    };
    state.verdicts.set(verdict, of);
    of.sessions += 1;
    if (proved) of.proved += 1;
    of.firstAt = Math.min(of.firstAt, firstAt);
    of.lastAt = Math.max(of.lastAt, lastAt);
    count(of.networks, network);
  }
}

function span(state: State, at: Micros): void {
  state.firstAt = Math.min(state.firstAt ?? at, at);
  state.lastAt = Math.max(state.lastAt, at);
}

function count(counts: Map<string, number>, name: string): void {
  const key = counts.has(name) || counts.size < NETWORKS ? name : OTHER_NETWORKS;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export const OTHER_NETWORKS = 'other networks';
const NETWORKS = 16_384;
