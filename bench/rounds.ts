// The rounds of a discipline: each candidate in turn, in an order that changes, so that none gets the quiet minutes.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, type Outcome } from '../test/kit/process';
import type { Candidate, Logged } from './candidates';
import { SERVER } from './network';
import { median } from './records';

/** What was measured of each candidate, one number a round. */
export type Samples = ReadonlyMap<string, readonly number[]>;

export interface Result {
  readonly discipline: Discipline;
  readonly samples: Samples;
  /** Seconds of processor, of all that ran on the machine while it was measured. */
  readonly busy: Samples;
  /** How often a candidate's client failed, and the round was measured again; never: not in it. */
  readonly failed: ReadonlyMap<string, number>;
  /** Rounds, those that warm up too. */
  readonly measured: number;
  /** What ehlowire logged in all of these rounds. */
  readonly logged: Logged | undefined;
}

export interface Discipline {
  readonly name: string;
  readonly unit: string;
  /** Of ratios: whether the better one is the larger. */
  readonly larger: boolean;
  /** The server to start in the candidate's network. */
  readonly server: readonly [string, ...string[]];
  /** Rounds that are not counted. */
  readonly warm: number;
  /** SMTP sessions of a round, where their number is fixed. */
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
    async measure({ network }) {
      const { output } = await client(
        network.enter('client', 'python3', TRAFFIC, 'bulk', SERVER, String(octets)),
      );
      const [whole = NaN, ...pieces] = output.split(' ').map(Number);
      const seconds = name === 'bulk' ? whole : median(pieces) * pieces.length;
      return (octets * 8) / seconds / 1e9;
    },
  };
}

/** `sustained`: more than ehlowire's ring holds, so that reading the ring is part of what is measured. */
export function sessions(count: number, name: 'sessions' | 'sustained' = 'sessions'): Discipline {
  return {
    name,
    unit: '1/s',
    larger: true,
    server: ['smtp-sink', '-u', 'nobody', `${SERVER}:25`, '1000'],
    // The first time round, the ring's memory is new to the machine: 25,000 sessions.
    warm: name === 'sessions' ? 3 : 0,
    sessions: count,
    async measure({ network }) {
      const load = ['-s', '20', '-m', String(count), '-l', '2000', `${SERVER}:25`];
      const { seconds } = await client(network.enter('client', 'smtp-source', ...load));
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
    async measure({ network }) {
      const { output } = await client(
        network.enter('client', 'python3', TRAFFIC, 'ping', SERVER, String(count)),
      );
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
  const servers = candidates.map(({ network }) => network.start('server', command, ...args));
  const samples = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  const busy = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  const failed = new Map<string, number>();
  const before = loggedBy(candidates);
  try {
    await new Promise((resolve) => setTimeout(resolve, SERVERS_MS));
    for (let round = 1 - discipline.warm; round <= rounds; round += 1) {
      for (let i = 0; i < candidates.length; i += 1) {
        const candidate = candidates[(i + round + discipline.warm) % candidates.length];
        if (!candidate) continue;
        const { name } = candidate;
        const measured = await measureTwiceAtMost(discipline, candidate, (message) => {
          failed.set(name, (failed.get(name) ?? 0) + 1);
          onRound(`${discipline.name} ${round}: ${name} failed, and is measured again: ${message}`);
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
  const after = loggedBy(candidates);
  return {
    discipline,
    samples,
    busy,
    failed,
    measured: discipline.warm + rounds,
    logged: before && after && difference(before, after),
  };
}

function loggedBy(candidates: readonly Candidate[]): Logged | undefined {
  return candidates.map((each) => each.logged()).find((logged) => logged !== undefined);
}

function difference(before: Logged, after: Logged): Logged {
  const names = Object.keys(after) as (keyof Logged)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as Logged;
}

interface Measured {
  readonly value: number;
  /** Seconds of processor. */
  readonly busy: number;
  /** Seconds until the work that was left was done. */
  readonly settled: number;
}

/** All but idle and stolen (proc(5)), of all processors; the kernel counts in hundredths. Node's own count has no softirq. */
function busySeconds(): number {
  const [first = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = first.split(/ +/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

/** One lost connection ends `smtp-source`, so a client that fails is measured again; a second failure ends the run. */
async function measureTwiceAtMost(
  discipline: Discipline,
  candidate: Candidate,
  onFailure: (message: string) => void,
): Promise<Measured> {
  const measure = async (): Promise<Measured> => {
    const before = busySeconds();
    const value = await discipline.measure(candidate);
    const busy = busySeconds() - before;
    // None pays for work that another one, or a failed try, has left.
    return { value, busy, settled: await candidate.settle(discipline.sessions ?? 1) };
  };
  try {
    return await measure();
  } catch (error) {
    onFailure(error instanceof Error ? error.message.trim() : String(error));
    await candidate.settle(0);
    return await measure();
  }
}

/** `smtp-sink` does not say when it listens. */
export const SERVERS_MS = 1_000;
