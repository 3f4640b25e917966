// Loads one after another: one way, or two by turns, so that what changes on the machine changes both.

import type { Endpoint } from '../../inspect/address';
import type { Micros } from '../../inspect/events';
import type { Dialogue } from '../../inspect/measure/dialogue';
import type { Schedule } from '../../inspect/measure/schedule';
import { startLoad, type Load } from './load';
import type { Network } from './network';
import { watchProcessor, type Busy } from './processor';
import { addTally, createTally, figuresOf, type RoundFigures, type Tally } from './tally';

/** A server, or a way to one. */
export interface Way {
  /** As it was given. */
  readonly target: string;
  readonly server: Endpoint;
  /** Its name, for TLS (RFC 6066 §3). */
  readonly serverName: string | undefined;
}

export interface Measurement {
  /** One, or two that are compared. */
  readonly ways: readonly Way[];
  /** Loads on each way. */
  readonly rounds: number;
  readonly createDialogue: (started: Micros) => Dialogue;
  /** Of one load. */
  readonly schedule: Schedule;
  readonly concurrency: number;
  readonly timeout: Micros;
}

export interface Measured {
  readonly ways: readonly {
    readonly way: Way;
    readonly rounds: readonly RoundFigures[];
    /** All rounds as one. */
    readonly all: Tally;
  }[];
  readonly busy: Busy;
  /** It was stopped before its end. */
  readonly stopped: boolean;
}

export interface Running {
  readonly ended: Promise<Measured>;
  /** What was counted so far is the result. */
  stop(): void;
  /** All sessions so far, for a line of progress. */
  counts(): Pick<Tally, 'sessions' | 'failed' | 'messages'>;
}

export function startRounds(network: Network, measurement: Measurement): Running {
  const { ways, rounds, ...options } = measurement;
  const results = ways.map((way) => ({ way, rounds: [] as RoundFigures[], all: createTally() }));
  let stopped = false;
  let running: Load | undefined;
  let current: Tally | undefined;
  const runAll = async (): Promise<Measured> => {
    const busy = watchProcessor();
    for (let round = 0; round < rounds; round += 1) {
      for (const index of orderOf(ways.length, round)) {
        const result = results[index];
        if (result === undefined || stopped) continue;
        const tally = (current = createTally());
        running = startLoad({ ...options, ...result.way, network, tally });
        await running.ended;
        current = undefined;
        addTally(result.all, tally);
        result.rounds.push(figuresOf(tally));
      }
    }
    return { ways: results, busy: busy(), stopped };
  };
  return {
    ended: runAll(),
    stop() {
      stopped = true;
      running?.stop();
    },
    counts: () => joinCounts([...results.map(({ all }) => all), ...(current ? [current] : [])]),
  };
}

/** The first way begins in one round, the last one in the next: a drift favours neither. */
function orderOf(ways: number, round: number): readonly number[] {
  const order = Array.from({ length: ways }, (_, i) => i);
  return round % 2 === 0 ? order : order.reverse();
}

function joinCounts(tallies: readonly Tally[]): Pick<Tally, 'sessions' | 'failed' | 'messages'> {
  const sum = (key: 'sessions' | 'failed' | 'messages'): number =>
    tallies.reduce((total, tally) => total + tally[key], 0);
  return { sessions: sum('sessions'), failed: sum('failed'), messages: sum('messages') };
}
