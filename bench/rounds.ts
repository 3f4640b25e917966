// Rounds, interleaved: each candidate in turn, in an order that changes, so that no one has the quiet minutes.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, type Outcome } from '../test/kit/process';
import type { Candidate } from './candidates';
import { median } from './median';
import { SERVER } from './place';
import { since, type Recorded } from './recorded';

/** What was measured of each candidate, one number a round. */
export type Samples = ReadonlyMap<string, readonly number[]>;

export interface Result {
  readonly discipline: Discipline;
  readonly samples: Samples;
  /** Seconds of processor, of all that ran on the machine while it was measured. */
  readonly busy: Samples;
  /** Tries of each candidate whose client failed, and that were made once more; none: not in it. */
  readonly failed: ReadonlyMap<string, number>;
  /** Rounds, those that warm up too. */
  readonly measured: number;
  /** By those candidates that write something down, in all of these rounds. */
  readonly recorded: ReadonlyMap<string, Recorded>;
}

export interface Discipline {
  readonly name: string;
  readonly unit: string;
  /** Of ratios: whether the better one is the larger. */
  readonly larger: boolean;
  /** Its server, to be started at the candidate's place. */
  readonly server: readonly [string, ...string[]];
  /** Rounds that are not counted. */
  readonly warm: number;
  /** Of each measuring, where its client speaks SMTP. */
  readonly sessions?: number;
  measure(candidate: Candidate): Promise<number>;
}

const TRAFFIC = join(__dirname, '../test/kit/traffic.py');
const SERVE = ['python3', TRAFFIC, 'serve', SERVER] as const;

/** `typical`: its median eightieth, and not all of it. */
export function bulk(octets: number, name: 'bulk' | 'bulk, typical' = 'bulk'): Discipline {
  return {
    name,
    unit: 'Gbit/s',
    larger: true,
    server: SERVE,
    warm: 1,
    async measure({ place }) {
      const { output } = await client(place.enter('cli', 'python3', TRAFFIC, 'bulk', SERVER, String(octets)));
      const [whole = NaN, ...pieces] = output.split(' ').map(Number);
      const seconds = name === 'bulk' ? whole : median(pieces) * pieces.length;
      return (octets * 8) / seconds / 1e9;
    },
  };
}

/** `sustained`: more than ehlowire's ring holds, so that reading it is paid for under way. */
export function sessions(count: number, name: 'sessions' | 'sustained' = 'sessions'): Discipline {
  return {
    name,
    unit: '1/s',
    larger: true,
    server: ['smtp-sink', '-u', 'nobody', `${SERVER}:25`, '1000'],
    // The first time round, the ring's memory is new to the machine: 25,000 sessions.
    warm: name === 'sessions' ? 3 : 0,
    sessions: count,
    async measure({ place }) {
      const load = ['-s', '20', '-m', String(count), '-l', '2000', `${SERVER}:25`];
      const { seconds } = await client(place.enter('cli', 'smtp-source', ...load));
      return count / seconds;
    },
  };
}

export function latency(count: number): Discipline {
  return {
    name: 'latency',
    unit: 'µs, round trip, p50',
    larger: false,
    server: SERVE,
    warm: 1,
    async measure({ place }) {
      const { output } = await client(place.enter('cli', 'python3', TRAFFIC, 'ping', SERVER, String(count)));
      const trips = output.trim().split(' ').map(Number);
      return (trips[trips.length >> 1] ?? NaN) / 1_000;
    },
  };
}

async function client([command, args]: readonly [string, string[]]): Promise<Outcome> {
  const outcome = await run(command, args, { timeoutMs: 300_000 });
  if (outcome.code !== 0) throw new Error(`${command} ${args.join(' ')}: ${outcome.output}`);
  return outcome;
}

/** One discipline over all candidates. Throws where a client fails twice in a row. */
export async function compete(
  discipline: Discipline,
  candidates: readonly Candidate[],
  rounds: number,
  onRound: (text: string) => void,
): Promise<Result> {
  const [command, ...args] = discipline.server;
  const servers = candidates.map(({ place }) => place.start('mta', command, ...args));
  const samples = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  const busy = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  const failed = new Map<string, number>();
  const before = new Map(candidates.map(({ name, recorded }) => [name, recorded()]));
  try {
    await new Promise((resolve) => setTimeout(resolve, SERVERS_MS));
    for (let round = 1 - discipline.warm; round <= rounds; round += 1) {
      for (let i = 0; i < candidates.length; i += 1) {
        const candidate = candidates[(i + round + discipline.warm) % candidates.length];
        if (!candidate) continue;
        const { name } = candidate;
        const measured = await measureTwiceAtMost(discipline, candidate, (message) => {
          failed.set(name, (failed.get(name) ?? 0) + 1);
          onRound(`${discipline.name} ${round}: ${name} failed, and is measured once more: ${message}`);
        });
        if (round > 0) samples.get(name)?.push(measured.value);
        if (round > 0) busy.get(name)?.push(measured.busy);
        onRound(
          `${discipline.name} ${round}: ${name} ${measured.value.toFixed(2)} ${discipline.unit}, ${measured.busy.toFixed(2)} s of processor, settled in ${measured.settled.toFixed(1)} s`,
        );
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  const recorded = candidates.flatMap(({ name, recorded }): [string, Recorded][] => {
    const [first, last] = [before.get(name), recorded()];
    return first && last ? [[name, since(first, last)]] : [];
  });
  return {
    discipline,
    samples,
    busy,
    failed,
    measured: discipline.warm + rounds,
    recorded: new Map(recorded),
  };
}

interface Measured {
  readonly value: number;
  /** Seconds of processor. */
  readonly busy: number;
  /** Seconds until what was left to do was done. */
  readonly settled: number;
}

/** All but idle and stolen (proc(5)), of all processors; the kernel counts in hundredths. Node's own count has no softirq. */
function busySeconds(): number {
  const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = first.split(/ +/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

/** A client that fails (one lost connection ends `smtp-source`) is no measurement; one that fails again is a finding. */
async function measureTwiceAtMost(
  discipline: Pick<Discipline, 'measure'>,
  candidate: Candidate,
  onFailure: (message: string) => void,
): Promise<Measured> {
  const measure = async (): Promise<Measured> => {
    const before = busySeconds();
    const value = await discipline.measure(candidate);
    const busy = busySeconds() - before;
    // Nobody pays for what another one has left to do, nor for what a failed try has.
    return { value, busy, settled: await candidate.settle() };
  };
  try {
    return await measure();
  } catch (error) {
    onFailure(error instanceof Error ? error.message.trim() : String(error));
    await candidate.settle();
    return await measure();
  }
}

/** Until a server listens; it says so to nobody. */
const SERVERS_MS = 1_000;
