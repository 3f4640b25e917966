// Reads the ring as long as there is something, looks again a little later, and reports what the program could not record.

import type { Micros } from '../../inspect/events';
import { isRepair } from '../../inspect/greeting/lesson';
import { now } from '../system/clock';
import type { EvidenceWriter } from '../report/evidence/evidence';
import type { Servers } from '../servers/servers';
import type { Sink } from '../sinks/record';
import { createOverload } from './overload';
import type { Pace, Turn } from './pace';
import type { Reader } from './record-reader';
import type { Reported } from '../servers/saved';
import type { Tables, WireCounters } from './tables';
import type { Wire } from './wire';

export interface Reading {
  readonly signal: AbortSignal;
  readonly wire: Pick<Wire, 'ring'> & {
    readonly tables: Pick<Tables, 'counters' | 'servers'>;
  };
  readonly sink: Sink;
  readonly reader: Reader;
  readonly evidence: Pick<EvidenceWriter, 'lost'> | undefined;
  readonly pace: Pace;
  readonly servers: Pick<Servers, 'knownOf' | 'missed' | 'withdrawn'>;
  /** By the processes before. */
  readonly reported: Reported;
  /** Called in each round: a process that is killed could not say it any more. */
  report(reported: Reported): void;
}

/** Until the signal, and until all that was there by then is read. */
export function readUntil(reading: Reading): Promise<void> {
  const { signal, wire, reader, sink, pace, reported, report } = reading;
  const { ring, tables } = wire;
  const overload = createOverload(sink, reported);
  const follow = createFollow(reading, overload.reported);
  return new Promise((resolve) => {
    let held = 0;
    let turn: Turn = { pause: 0, read: true };
    const step = (): void => {
      // The ring has more room than the log: what cannot be written yet waits there, for a while.
      if (sink.waiting() > UNWRITTEN && held < HELD_AT_MOST) {
        held += 1;
        return void setTimeout(step, HELD_MS);
      }
      held = 0;
      const before: Moment = { at: now(), monotonic: monotonic() };
      const end = ring.end();
      // What was lost in front of a record is counted by now, and is known before anything is said of that record.
      const counters = tables.counters();
      follow.counted(counters, before.at);
      const read = turn.read || signal.aborted;
      const count = read ? ring.drain(reader.take, BATCH, end) : 0;
      const fill = ring.fill();
      const more = read ? count === BATCH : fill > 0;
      // What still lies in the ring was before now: of who is silent nothing can be said yet. And a process that was
      // stopped a moment ago has not seen what came since it last looked into the ring.
      if (!more) {
        reader.idle(before.at, before.monotonic);
        follow.read(counters, before.at);
      }
      const { COUNT_LOST: lost, COUNT_UNWATCHED: unwatched } = counters;
      overload.look({ lost, unwatched, crowded: ring.crowded() }, before.at);
      report(overload.reported);
      if (signal.aborted && !more) return resolve();
      const behind = more ? now() - reader.readTo : 0;
      turn = pace.next({ more, fill, behind });
      if (turn.pause === 0 || signal.aborted) setImmediate(step);
      else setTimeout(step, turn.pause);
      return undefined;
    };
    step();
  });
}

/** What follows from counts that grew. */
function createFollow({ reader, evidence, servers, wire: { tables } }: Reading, reported: Reported) {
  let { lost, unwatched } = reported;
  let contradicted: number | undefined;
  return {
    counted({ COUNT_LOST, COUNT_UNWATCHED }: WireCounters, at: Micros): void {
      // Before anybody is judged by silence: it may be ours.
      if (COUNT_LOST !== lost) reader.lostUntil(at);
      if (COUNT_LOST > lost) evidence?.lost(COUNT_LOST - lost);
      if (COUNT_LOST !== lost || COUNT_UNWATCHED !== unwatched) servers.missed();
      lost = COUNT_LOST;
      unwatched = COUNT_UNWATCHED;
    },
    /** All records are read: a repair that the program took back, and that no record mentioned, was not recorded. */
    read({ COUNT_CONTRADICTED }: WireCounters, at: Micros): void {
      if (COUNT_CONTRADICTED === contradicted) return;
      contradicted = COUNT_CONTRADICTED;
      for (const { server, contradicted } of tables.servers())
        if (contradicted && isRepair(servers.knownOf(server))) servers.withdrawn(server, at);
    },
  };
}

/** One moment by the log's clock and by the kernel's. */
interface Moment {
  readonly at: Micros;
  readonly monotonic: Micros;
}

/** CLOCK_MONOTONIC, by which the kernel stamps its records. */
export function monotonic(): Micros {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Records in one go, so that signals and the relay have their turn. */
const BATCH = 256;
/** Octets of the log in memory while its file is written, and how long that is waited for: 200 times 10 ms. */
const UNWRITTEN = 1 << 20;
const HELD_MS = 10;
const HELD_AT_MOST = 200;
