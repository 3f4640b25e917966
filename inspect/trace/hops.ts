// The table of hops: for each TTL who answered, and for each test how often, how soon, and with how long a quote.

import type { Micros } from '../events';
import type { Answer, Sent, Test, Trace } from './sent';

/** One test at one TTL. */
export interface Tried {
  readonly test: Test;
  readonly stage: number;
  readonly ttl: number;
  readonly sent: number;
  /** One for each that was answered, in the order of sending. */
  readonly answers: readonly Answer[];
  /** From the least to the greatest. */
  readonly roundTrips: readonly Micros[];
}

export interface Hop {
  readonly ttl: number;
  /** More than one: packets take several ways. */
  readonly addresses: readonly string[];
  readonly tried: readonly Tried[];
  /** It answered out of an MPLS tunnel. */
  readonly tunnel: boolean;
}

/** All TTLs that something was sent with, up to the server's, or to the last that answered. */
export function hopsOf(trace: Trace): readonly Hop[] {
  const tried = triedOf(trace);
  const answered = tried.filter(({ answers }) => answers.length > 0).map(({ ttl }) => ttl);
  const last = trace.distance ?? Math.max(0, ...answered);
  return Array.from({ length: last }, (_, i) => hopOf(i + 1, tried)).filter(
    ({ tried: own }) => own.length > 0,
  );
}

export function triedOf({ sent, answers }: Pick<Trace, 'sent' | 'answers'>): readonly Tried[] {
  const first = new Map<number, Answer>();
  for (const answer of answers) if (!first.has(answer.to)) first.set(answer.to, answer);
  const groups = new Map<string, Sent[]>();
  for (const each of sent) {
    const key = `${each.stage} ${each.test} ${each.ttl}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()].map((group) => {
    const pairs = group.flatMap((each) => {
      const answer = first.get(each.number);
      return answer === undefined ? [] : [{ answer, roundTrip: Math.max(0, answer.at - each.at) }];
    });
    const [{ test, stage, ttl } = NOTHING] = group;
    return {
      ...{ test, stage, ttl, sent: group.length },
      answers: pairs.map(({ answer }) => answer),
      roundTrips: pairs.map(({ roundTrip }) => roundTrip).sort((a, b) => a - b),
    };
  });
}

/** A test beside its control at the same TTL. */
export interface Compared {
  readonly ttl: number;
  readonly own: Tried;
  readonly control: Tried;
}

/** By TTL, where both were sent: below the server's, and with that where the test may reach it. */
export function compare(trace: Trace, test: Test, stage: number): readonly Compared[] {
  const old = test === 'full-size';
  const last = (trace.distance ?? Infinity) - (old ? 0 : 1);
  const all = triedOf(trace).filter((each) => each.stage === stage && each.ttl <= last);
  const control = old ? 'half-size' : 'control';
  return all
    .filter((each) => each.test === test)
    .flatMap((own) => {
      const beside = all.find((each) => each.test === control && each.ttl === own.ttl);
      return beside === undefined ? [] : [{ ttl: own.ttl, own, control: beside }];
    })
    .sort((a, b) => a.ttl - b.ttl);
}

/** The tests that have a control, each with its stage. */
export function comparedTests({ sent }: Trace): readonly { readonly test: Test; readonly stage: number }[] {
  const seen = new Map(sent.map(({ test, stage }) => [`${test} ${stage}`, { test, stage }]));
  return [...seen.values()].filter(({ test }) => !UNCOMPARED.has(test));
}

/** Of an odd number the middle one, of an even one the later of both. */
export function median(sorted: readonly Micros[]): Micros {
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The highest TTL at which a hop, not the server, answered one of these tests; 0: none. */
export function lastAnswering(trace: Trace, wanted: (tried: Tried) => boolean): number {
  const found = triedOf(trace).filter(
    (each) => wanted(each) && each.ttl < (trace.distance ?? Infinity) && each.answers.length > 0,
  );
  return Math.max(0, ...found.map(({ ttl }) => ttl));
}

function hopOf(ttl: number, all: readonly Tried[]): Hop {
  const tried = all.filter((each) => each.ttl === ttl);
  const answers = tried.flatMap((each) => each.answers);
  return {
    ttl,
    addresses: [...new Set(answers.map(({ from }) => from))],
    tried,
    tunnel: answers.some((answer) => answer.kind === 'expired' && answer.tunnel),
  };
}

const NOTHING: Pick<Sent, 'test' | 'stage' | 'ttl'> = { test: 'control', stage: 0, ttl: 0 };
/** They are controls themselves, or no TCP. */
const UNCOMPARED: ReadonlySet<Test> = new Set<Test>(['control', 'half-size', 'echo']);
