// Which connection of one point is which of the other, and how far the two clocks are apart. Never by a guess.

import type { Direction, Micros } from '../events';
import { FLAG } from '../tcp/segment';
import { HANDSHAKES_APART } from './thresholds';
import type { Passage, Trace } from './two-point-trace';

/** What they were recognised by. */
export type MatchedBy = 'numbers' | 'timestamps' | 'address' | 'time' | 'words';

export interface Pair {
  readonly wan: Trace;
  readonly dmz: Trace;
  readonly by: MatchedBy;
}

/** The dmz point's clock minus the wan point's. */
export interface ClockOffset {
  readonly micros: Micros;
  /** How far apart its bounds are: from handshakes in both directions, or of the differences in one. */
  readonly spread: Micros;
  /** Handshakes that it rests on. */
  readonly from: number;
}

export interface Matching {
  readonly pairs: readonly Pair[];
  readonly offset: ClockOffset | undefined;
  readonly wanOnly: readonly Trace[];
  readonly dmzOnly: readonly Trace[];
}

export function matchTraces(wan: readonly Trace[], dmz: readonly Trace[]): Matching {
  const state: State = { pairs: [], wan: new Set(wan), dmz: new Set(dmz) };
  // From what no firewall makes up by chance to what many connections have in common.
  join(state, 'numbers', numbersOf);
  join(state, 'timestamps', stampsOf);
  join(state, 'address', ({ client }) => `${client.address} ${client.port}`);
  // A proxy in between leaves nothing of the handshake: who called and what was said first, where each is alone.
  if (state.pairs.length === 0) join(state, 'words', callerAndWords);
  const offset = estimateClockOffset(state.pairs);
  if (offset) {
    joinByTime(state, 'address', offset, ({ client }) => `${client.address} ${client.port}`);
    joinByTime(state, 'time', offset, ({ client }) => client.address);
    joinByTime(state, 'words', offset, wordsOf);
  }
  return {
    pairs: state.pairs.sort((a, b) => a.wan.started - b.wan.started),
    offset,
    wanOnly: [...state.wan],
    dmzOnly: [...state.dmz],
  };
}

/**
 * A segment takes at least no time: toward the server its difference is the offset and more, toward the client the
 * offset and less. The smallest of the one kind and the largest of the other leave the least between them.
 */
export function estimateClockOffset(pairs: readonly Pair[]): ClockOffset | undefined {
  const inward = pairs.map((pair) => differenceOf(pair, 'client')).filter((each) => each !== undefined);
  const outward = pairs.map((pair) => differenceOf(pair, 'server')).filter((each) => each !== undefined);
  if (inward.length === 0 && outward.length === 0) return roughly(pairs);
  const upper = least(inward);
  const lower = -least(outward.map((each) => -each));
  if (inward.length > 0 && outward.length > 0 && lower <= upper) {
    const from = Math.min(inward.length, outward.length);
    return { micros: Math.round((upper + lower) / 2), spread: upper - lower, from };
  }
  const list = inward.length > 0 ? inward : outward;
  const micros = inward.length > 0 ? upper : lower;
  return { micros, spread: Math.abs(median(list) - micros), from: list.length };
}

/** No SYN is the same at both points: a SYN proxy, for example. Then only that nothing comes in before it came out. */
function roughly(pairs: readonly Pair[]): ClockOffset | undefined {
  const differences = pairs.map(({ wan, dmz }) => dmz.started - wan.started);
  if (differences.length === 0) return undefined;
  const micros = least(differences);
  return { micros, spread: Math.max(ROUGH, median(differences) - micros), from: differences.length };
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
function joinByTime(state: State, by: MatchedBy, { micros, spread }: ClockOffset, key: Key): void {
  const inside = grouped(state.dmz, key);
  const near = (wan: Trace, dmz: Trace): boolean =>
    Math.abs(dmz.started - micros - wan.started) <= HANDSHAKES_APART + spread;
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
function numbersOf(trace: Trace): string | undefined {
  const syn = synOf(trace, 'client');
  return syn && `${syn.seq} ${syn.tsval}`;
}

/** A firewall that randomises sequence numbers leaves the stamps alone. */
function stampsOf(trace: Trace): string | undefined {
  const syn = synOf(trace, 'client');
  return syn?.tsval ? `${syn.tsval} ${syn.kinds.join()} ${syn.windowScale}` : undefined;
}

/** The client's first words: with NAT and a proxy between, all that is left. */
function wordsOf({ passages }: Trace): string | undefined {
  return passages.find(({ from, payload }) => from === 'client' && payload)?.payload?.join();
}

function callerAndWords(trace: Trace): string | undefined {
  const words = wordsOf(trace);
  return words && `${trace.client.address} ${words}`;
}

export function synOf({ passages }: Trace, from: Direction): Passage | undefined {
  return passages.find((each) => each.from === from && each.flags & FLAG.syn);
}

/** Of the same copy of the SYN or SYN-ACK: of several only the stamps tell which. */
function differenceOf({ wan, dmz }: Pair, from: Direction): Micros | undefined {
  const [outside, inside] = [wan, dmz].map(({ passages }) =>
    passages.filter((each) => each.from === from && each.flags & FLAG.syn),
  );
  const [one, other] = [outside?.[0], inside?.[0]];
  if (!outside || !inside || !one || !other) return undefined;
  if (one.tsval === undefined || other.tsval === undefined) {
    return outside.length === 1 && inside.length === 1 ? other.at - one.at : undefined;
  }
  const twin = outside.find(({ tsval }) => tsval === other.tsval);
  return twin && outside.filter(({ tsval }) => tsval === other.tsval).length === 1
    ? other.at - twin.at
    : undefined;
}

function least(list: readonly number[]): number {
  return list.reduce((a, b) => Math.min(a, b), Infinity);
}

/** What such an offset may at least be wrong by: a handshake's round trip. */
const ROUGH: Micros = 100_000;
