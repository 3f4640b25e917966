// The primary of several workers: starts them, replaces one that ended, and ends them; to the outside it is one relay.

import cluster, { type Worker as Process } from 'node:cluster';
import type { Duplex } from 'node:stream';
import type { Endpoint } from '../../inspect/address';
import type { Config } from '../config/config';
import type { PolicyInForce } from '../config/reload';
import { noteListening, type Relay } from '../relay/relay';
import { addressKey } from '../sinks/envelope-address';
import type { SharedSink } from '../sinks/sink';
import type { KnownServer } from '../servers/saved';
import { createFault, formatFault, isFault, type Fault } from '../system/fault';
import { openChannel, type Channel } from './channel';
import { createHub, type Desk, type Hub } from './hub';
import type { Counts, Down, Up } from './messages';
import { CHANNEL } from './worker';

/** Starts all workers, or none; faults as of `startRelay`. */
export async function startWorkers(
  config: Config,
  sink: SharedSink,
  { known, policy }: { readonly known: readonly KnownServer[]; readonly policy: PolicyInForce },
): Promise<Relay | Fault> {
  const hub = createHub(config, sink, policy, known);
  const state: State = {
    ...{ config, sink, hub, policy },
    workers: new Set(),
    past: NONE,
    started: 0,
    running: false,
    ending: undefined,
    onGone: () => undefined,
  };
  policy.listen(({ given }) =>
    state.workers.forEach(({ channel }) => channel.send({ kind: 'policy', policy: given })),
  );
  prepare();
  const addresses = await startAll(state);
  if (isFault(addresses)) {
    await end(state, 'stop', STOP_MS);
    return addresses;
  }
  state.running = true;
  noteListening(config, addresses, sink);
  return {
    addresses,
    drain: () => end(state, 'drain', config.relay.drainMs + STOP_MS),
    stop: () => end(state, 'stop', STOP_MS),
    servers: hub.servers,
    get clients() {
      return hub.clients;
    },
    counters: {
      get accepted() {
        return sum(state, 'accepted');
      },
      get blocked() {
        return sum(state, 'blocked');
      },
      get unreachable() {
        return sum(state, 'unreachable');
      },
      get active() {
        return hub.held;
      },
      get sockets() {
        return sum(state, 'sockets');
      },
    },
  };
}

interface State {
  readonly config: Config;
  readonly sink: SharedSink;
  readonly hub: Hub;
  readonly policy: PolicyInForce;
  readonly workers: Set<Worker>;
  /** What workers counted that have ended. */
  past: Counts;
  /** Workers so far; also their names. */
  started: number;
  /** All have begun: from now on one that ends is replaced. */
  running: boolean;
  ending: 'drain' | 'stop' | undefined;
  /** One has ended, and `ending` is set. */
  onGone: () => void;
}

interface Worker {
  readonly process: Process;
  readonly channel: Channel<Down>;
  readonly desk: Desk;
  readonly begun: number;
}

/**
 * Each worker takes connections from the same sockets when it is free (SCHED_NONE): who works least takes the next one, and
 * no process stands in between. Its output is the primary's standard error, for what ends a process.
 */
function prepare(): void {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const stdio: ('ignore' | 'inherit' | 'ipc' | 'pipe')[] = ['ignore', 'ignore', 'inherit', 'ipc'];
  stdio[CHANNEL] = 'pipe';
  cluster.setupPrimary({ stdio });
}

/** Where all of them listen, or why the first that cannot does not. */
async function startAll(state: State): Promise<readonly Endpoint[] | Fault> {
  const count = state.config.relay.workers;
  const first = await startWorker(state);
  if (isFault(first)) return first;
  state.hub.begin(first);
  const others = Array.from({ length: count - 1 }, () => startWorker(state));
  return (await Promise.all(others)).find(isFault) ?? first;
}

/** `failures`: of workers before it, in a row. */
function startWorker(state: State, failures = 0): Promise<readonly Endpoint[] | Fault> {
  const { config, hub, sink, policy } = state;
  state.started += 1;
  const names = `${state.started.toString(36)}.`;
  const process = cluster.fork();
  return new Promise((resolve) => {
    let answer: readonly Endpoint[] | Fault | undefined;
    const settle = (given: readonly Endpoint[] | Fault): void => {
      answer ??= given;
      resolve(given);
    };
    const channel: Channel<Down> = openChannel<Down, Up>(process.process.stdio[CHANNEL] as Duplex, {
      message(message) {
        if (message.kind === 'ready') settle(message.addresses);
        else if (message.kind === 'failed') settle(message.fault);
        else worker.desk.take(message);
      },
      lines: sink.pass,
      ended: () => undefined,
    });
    const worker: Worker = { process, channel, desk: hub.open(channel.send), begun: performance.now() };
    state.workers.add(worker);
    channel.send({
      kind: 'begin',
      values: [...config.values],
      policy: policy.current.given,
      known: hub.servers.known(),
      watched: hub.watched,
      addressKey: addressKey(),
      names,
    });
    process.once('exit', (code, signal) => {
      const because = signal ?? `code ${code}`;
      const isNew = answer === undefined;
      settle(createFault('worker-ended', because));
      // What it wrote last may still be on its way.
      setImmediate(() => onExit(state, worker, because, isNew || isFault(answer) ? failures + 1 : 0));
    });
  });
}

/** A worker that ended costs its own connections, and another one takes its place. */
function onExit(state: State, worker: Worker, because: string, failures: number): void {
  const { workers, sink } = state;
  const connections = worker.desk.held;
  state.past = add(state.past, { ...worker.desk.counts, sockets: 0 });
  worker.desk.close();
  workers.delete(worker);
  if (state.ending !== undefined) return state.onGone();
  if (!state.running) return undefined;
  sink.note('error', 'worker-ended', { pid: worker.process.process.pid, because, connections, next: NEXT });
  const young = performance.now() - worker.begun < YOUNG_MS;
  const wait = young ? Math.min(AGAIN_MS * 2 ** failures, AGAIN_MOST_MS) : 0;
  setTimeout(() => state.ending === undefined && void replace(state, failures), wait);
  return undefined;
}

async function replace(state: State, failures: number): Promise<void> {
  const started = await startWorker(state, failures);
  if (!isFault(started) || started.code === 'worker-ended') return;
  state.sink.note('error', 'worker-failed', { message: formatFault(started) });
}

/** Tells all of them to end, and ends those that do not within `atMostMs`. */
async function end(state: State, how: 'drain' | 'stop', atMostMs: number): Promise<void> {
  const { workers, hub } = state;
  state.ending = how;
  const timer = setTimeout(() => workers.forEach(({ process }) => process.process.kill('SIGKILL')), atMostMs);
  const before = state.onGone;
  await new Promise<void>((resolve) => {
    state.onGone = (): void => {
      before();
      if (workers.size === 0) resolve();
    };
    for (const { channel } of workers) channel.send({ kind: how });
    if (workers.size === 0) resolve();
  });
  clearTimeout(timer);
  await hub.close();
}

function sum({ workers, past }: State, name: keyof Counts): number {
  return [...workers].reduce((total, { desk }) => total + desk.counts[name], past[name]);
}

function add(a: Counts, b: Counts): Counts {
  return {
    accepted: a.accepted + b.accepted,
    blocked: a.blocked + b.blocked,
    unreachable: a.unreachable + b.unreachable,
    sockets: a.sockets + b.sockets,
  };
}

const NONE: Counts = { accepted: 0, blocked: 0, unreachable: 0, sockets: 0 };
const NEXT = 'its connections are lost; another worker takes its place';
/** A worker has more than its relay takes to end: `drain` in relay.ts. */
const STOP_MS = 5_000;
/** One that ends so soon will do so again: the next one waits, twice as long each time. */
const YOUNG_MS = 10_000;
const AGAIN_MS = 500;
const AGAIN_MOST_MS = 30_000;
