// A play as ehlowire reads it: the same tracker, judges and learner as in its programs, in this process.

import type { Certainty, Micros, VerdictEvent } from '../../../inspect/events';
import { createTracker, type Tracked, type TrackerNews } from '../../../inspect/tracker/tracker';
import { IMPLICIT_TLS } from '../../../proxy/report/analyze/pass';
import { createLearner } from '../../../proxy/wire/learner';
import type { Variant } from './ways';

/** One verdict on one connection, as it stands at the end. */
export interface Said {
  /** Between whom, in whichever direction. */
  readonly connection: string;
  readonly verdict: string;
  readonly where: string;
  readonly certainty: Certainty;
  readonly proof: string;
  readonly missing: number | undefined;
  readonly held: Micros | undefined;
  readonly summary: string;
}

export interface Outcome {
  /** By `keyOf`. */
  readonly verdicts: ReadonlyMap<string, Said>;
  /** Said and taken back, or said with less certainty before: all that a reader has been told at some time. */
  readonly transient: readonly Said[];
  /** `connection anomaly direction`. */
  readonly anomalies: ReadonlySet<string>;
  /** `server kind greeting policy`: what the connection would teach of its server. */
  readonly lessons: ReadonlySet<string>;
  readonly sessions: number;
  readonly messages: number;
}

export function keyOf({
  connection,
  verdict,
  where,
}: Pick<Said, 'connection' | 'verdict' | 'where'>): string {
  return `${connection} ${verdict} ${where}`;
}

/** `until`: the capture ran on to then at the least, and nothing more passed. */
export function read(variant: Variant, ports: readonly number[], until: Micros): Outcome {
  const frames = variant.frames();
  const lostAt = variant.lostAt?.() ?? [];
  const { uncounted = false } = variant;
  const tracker = createTracker({ ports, implicitTlsPorts: IMPLICIT_TLS, uncounted });
  const notes = createNotes();
  let losses = 0;
  for (const { link, octets, at, length } of frames) {
    for (; (lostAt[losses] ?? Infinity) <= at; losses += 1) tracker.lostUntil(lostAt[losses] ?? 0);
    notes.take(tracker.frame(link, octets, at, length), at);
  }
  for (; losses < lostAt.length; losses += 1) tracker.lostUntil(lostAt[losses] ?? 0);
  const last = frames.reduce((latest, { at }) => Math.max(latest, at), until);
  notes.take(tracker.idle(last), last);
  notes.take(tracker.end(last), last);
  return notes.outcome;
}

function createNotes() {
  const verdicts = new Map<string, Said>();
  const transient: Said[] = [];
  const anomalies = new Set<string>();
  const lessons = new Set<string>();
  const outcome = { verdicts, transient, anomalies, lessons, sessions: 0, messages: 0 };
  const learner = createLearner({ patience: PATIENCE, knownOf: () => undefined });
  const learn = (learned: ReturnType<typeof learner.idle>): void => {
    for (const { connection, lesson } of learned) {
      const knowledge = 'finding' in lesson ? lesson.finding.knowledge : undefined;
      lessons.add([nameOf(connection), lesson.kind, knowledge?.greeting, knowledge?.policy].join(' '));
    }
  };
  return {
    outcome,
    take(news: readonly TrackerNews[], at: Micros): void {
      for (const each of news) {
        const connection = nameOf(each.connection);
        for (const event of each.events) {
          if (event.kind === 'verdict') note(outcome, saidOf(connection, event), event.withdraws);
          if (event.kind === 'anomaly') anomalies.add(`${connection} ${event.anomaly} ${event.direction}`);
          if (event.kind !== 'session') continue;
          outcome.sessions += 1;
          outcome.messages += event.messages ?? 0;
        }
        learn(learner.observe(each, false, at));
      }
      learn(learner.idle(at));
    },
  };
}

function note(
  { verdicts, transient }: { verdicts: Map<string, Said>; transient: Said[] },
  said: Said,
  withdraws: string | undefined,
): void {
  transient.push(said);
  for (const [key, { connection, verdict }] of verdicts) {
    if (connection === said.connection && verdict === withdraws) verdicts.delete(key);
  }
  // The last word counts, and what was proved stays proved: both sides of a connection may have a verdict of one name.
  if (verdicts.get(keyOf(said))?.certainty !== 'proved' || said.certainty === 'proved')
    verdicts.set(keyOf(said), said);
}

export function saidOf(connection: string, event: VerdictEvent): Said {
  const { verdict, where, certainty, proof, missingBytes: missing, held, summary } = event;
  return { connection, verdict, where, certainty, proof, missing, held, summary };
}

/** Mid-stream a tracker may take the one for the other. */
export function nameOf({ client, server }: Pick<Tracked, 'client' | 'server'>): string {
  return [client, server]
    .map(({ address, port }) => `${address}:${port}`)
    .sort()
    .join(' ');
}

/** `greeting.patience`. */
const PATIENCE: Micros = 20_000_000;
