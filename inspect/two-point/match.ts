// Which connection of one point is which of the other, and how far the two clocks are apart. Never by a guess.

import type { Direction, Micros } from '../events';
import { FLAG } from '../tcp/segment';
import { distance } from '../tcp/seq';
import { HANDSHAKES_APART, STAMPING } from '../verdict/thresholds';
import { createClocks, type Clocks, type ClockSample } from './clock';
import { synOf, wholePayload, type Passage, type Trace } from './trace';

/** What they were recognised by. */
export type MatchedBy = 'numbers' | 'timestamps' | 'address' | 'time' | 'words';

export interface Pair {
  readonly wan: Trace;
  readonly dmz: Trace;
  readonly by: MatchedBy;
}

/** The dmz point's clock minus the wan point's, when the first segment passed both. */
export interface ClockOffset {
  readonly micros: Micros;
  /** How far apart its bounds are: of segments in both directions. */
  readonly spread: Micros;
  /** Both directions bound it: it is not farther off than that. */
  readonly bounded: boolean;
  /** Connections that it rests on. */
  readonly from: number;
  /** How often one of the clocks was set meanwhile. */
  readonly steps: number;
  /** What the dmz clock gains on the other, in parts per million, where that is known. */
  readonly drift?: number;
}

/** What pairs that are kept no more say of the clocks. */
export interface Known {
  readonly pairs: number;
  readonly samples: readonly ClockSample[];
}

export interface Matching {
  readonly pairs: readonly Pair[];
  readonly offset: ClockOffset | undefined;
  readonly clocks: Clocks | undefined;
  readonly wanOnly: readonly Trace[];
  readonly dmzOnly: readonly Trace[];
}

export function matchTraces(wan: readonly Trace[], dmz: readonly Trace[], known: Known): Matching {
  const state: State = { pairs: [], wan: new Set(wan), dmz: new Set(dmz) };
  // From what no firewall makes up by chance to what many connections have in common.
  join(state, 'numbers', numbersOf);
  join(state, 'timestamps', stampsOf);
  join(state, 'address', ({ client }) => `${client.address} ${client.port}`);
  // A proxy in between leaves nothing of the handshake: who called and what was said first, where each is alone.
  if (state.pairs.length === 0) join(state, 'words', callerAndWords);
  const compared = compareClocks(state.pairs, known);
  if (compared) {
    const { clocks } = compared;
    joinByTime(state, 'address', clocks, ({ client }) => `${client.address} ${client.port}`);
    joinByTime(state, 'time', clocks, ({ client }) => client.address);
    joinByTime(state, 'words', clocks, wordsOf);
  }
  return {
    pairs: state.pairs.sort((a, b) => a.wan.started - b.wan.started),
    offset: compared?.offset,
    clocks: compared?.clocks,
    wanOnly: [...state.wan],
    dmzOnly: [...state.dmz],
  };
}

/** What the pairs tell of the two clocks; absent without a pair. */
function compareClocks(
  pairs: readonly Pair[],
  known: Known,
): { clocks: Clocks; offset: ClockOffset } | undefined {
  const samples = pairs.slice(0, SAMPLED).flatMap(clockSamples);
  const clocks = createClocks([...samples, ...known.samples]) ?? roughly(pairs);
  if (!clocks) return undefined;
  const at = samples[0]?.at ?? pairs[0]?.wan.started ?? 0;
  const { micros, slack, bounded } = clocks.atWan(at);
  const from =
    pairs.filter((pair) => clockSamples(pair).some((each) => each.from === 'client')).length + known.pairs;
  const { steps, drift } = clocks;
  const spread = Math.max(0, slack - STAMPING);
  return { clocks, offset: { micros, spread, bounded, from, steps, ...(drift !== undefined && { drift }) } };
}

/** No segment is the same at both points: a proxy, for example. Then only that nothing comes in before it came out. */
function roughly(pairs: readonly Pair[]): Clocks | undefined {
  const differences = pairs.map(({ wan, dmz }) => dmz.started - wan.started);
  if (differences.length === 0) return undefined;
  const micros = least(differences);
  const offset = { micros, slack: Math.max(ROUGH, median(differences) - micros), bounded: false };
  return { atWan: () => offset, atDmz: () => offset, isSteady: () => false, steps: 0, drift: undefined };
}

export function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

interface State {
  readonly pairs: Pair[];
  readonly wan: Set<Trace>;
  readonly dmz: Set<Trace>;
}

type Key = (trace: Trace) => string | undefined;

/** Joins what has a key that occurs once at each point. */
function join(state: State, by: MatchedBy, key: Key): void {
  const [outside, inside] = [grouped(state.wan, key), grouped(state.dmz, key)];
  for (const [name, wans] of outside) {
    const dmzs = inside.get(name) ?? [];
    const [wan, dmz] = [wans[0], dmzs[0]];
    if (wans.length === 1 && dmzs.length === 1 && wan && dmz) pair(state, wan, dmz, by);
  }
}

/** Joins what has the same key and began at the same time, where each is the only one for the other. */
function joinByTime(state: State, by: MatchedBy, clocks: Clocks, key: Key): void {
  const inside = grouped(state.dmz, key);
  const near = (wan: Trace, dmz: Trace): boolean => {
    const { micros, slack } = clocks.atWan(wan.started);
    return Math.abs(dmz.started - micros - wan.started) <= HANDSHAKES_APART + slack;
  };
  const claims = new Map<Trace, Trace[]>();
  for (const [name, wans] of grouped(state.wan, key)) {
    for (const wan of wans) {
      for (const dmz of (inside.get(name) ?? []).filter((each) => near(wan, each))) {
        claims.set(wan, [...(claims.get(wan) ?? []), dmz]);
        claims.set(dmz, [...(claims.get(dmz) ?? []), wan]);
      }
    }
  }
  for (const wan of [...state.wan]) {
    const [dmz, ...others] = claims.get(wan) ?? [];
    if (dmz && others.length === 0 && claims.get(dmz)?.length === 1) pair(state, wan, dmz, by);
  }
}

function pair(state: State, wan: Trace, dmz: Trace, by: MatchedBy): void {
  state.pairs.push({ wan, dmz, by });
  state.wan.delete(wan);
  state.dmz.delete(dmz);
}

function grouped(traces: ReadonlySet<Trace>, key: Key): Map<string, Trace[]> {
  const groups = new Map<string, Trace[]>();
  for (const trace of traces) {
    const name = key(trace);
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group) group.push(trace);
    else groups.set(name, [trace]);
  }
  return groups;
}

/** The client's first sequence number and stamp: nothing of it was changed on the way. */
export function numbersOf(trace: Trace): string | undefined {
  const syn = synOf(trace, 'client');
  return syn && `${syn.seq} ${syn.tsval}`;
}

/** A firewall that randomises sequence numbers leaves the stamps alone. */
export function stampsOf(trace: Trace): string | undefined {
  const syn = synOf(trace, 'client');
  return syn?.tsval ? `${syn.tsval} ${syn.kinds.join()} ${syn.windowScale}` : undefined;
}

/** The client's first words: with NAT and a proxy between, all that is left. */
function wordsOf({ passages }: Trace): string | undefined {
  const first = passages.find((each) => each.from === 'client' && wholePayload(each));
  return first?.payload?.join();
}

function callerAndWords(trace: Trace): string | undefined {
  const words = wordsOf(trace);
  return words && `${trace.client.address} ${words}`;
}

/** Segments that are the same packet at both points, beyond doubt: alone with their numbers, and with the same stamp or numbers. */
function clockSamples({ wan, dmz }: Pair): ClockSample[] {
  return DIRECTIONS.flatMap((from) => {
    const sameNumbers = wan.base[from] !== undefined && wan.base[from] === dmz.base[from];
    // Where a capture cut the stamps off, the IP identification is left.
    const cut = [wan, dmz].some(({ passages }) => passages.some((each) => each.from === from && each.cut));
    const inside = named(dmz, from, sameNumbers, cut);
    const samples = [...named(wan, from, sameNumbers, cut)].flatMap(([name, sent]) => {
      const came = inside.get(name);
      return sent && came ? [{ at: sent.at, difference: came.at - sent.at, from }] : [];
    });
    return samples.slice(0, SAMPLES);
  });
}

/** By what no other packet of its side has; `undefined`: there are several. */
function named(
  trace: Trace,
  from: Direction,
  sameNumbers: boolean,
  cut: boolean,
): Map<string, Passage | undefined> {
  const names = new Map<string, Passage | undefined>();
  const base = trace.base[from];
  for (const passage of trace.passages) {
    const { tsval, ipId, seq, length, flags } = passage;
    if (passage.from !== from || flags & FLAG.rst || base === undefined) continue;
    const mark = cut ? ipId : tsval;
    // Without a mark and with other numbers it may be another's, a proxy's for one.
    if (!mark && !sameNumbers) continue;
    const name = `${distance(base, seq)} ${length} ${flags & CONTROL} ${mark}`;
    names.set(name, names.has(name) ? undefined : passage);
  }
  return names;
}

function least(list: readonly number[]): number {
  return list.reduce((a, b) => Math.min(a, b), Infinity);
}

/** What such an offset may at least be wrong by: a handshake's round trip. */
const ROUGH: Micros = 100_000;
const DIRECTIONS = ['client', 'server'] as const;
const CONTROL = FLAG.syn | FLAG.fin;
/** Segments of a side of a connection, and connections, by which the clocks are compared. */
const SAMPLES = 16;
const SAMPLED = 5_000;
