// `ehlowire relay`: from the command line to the last connection.

import cluster from 'node:cluster';
import { loadConfig, type Config } from '../config/config';
import { PROXY_PROTOCOLS } from '../config/formats';
import { createPolicyInForce } from '../config/reload';
import { parseAddress } from '../system/address';
import { createFault, type Fault, formatFault, isFault, type Outcome, isFaults } from '../system/fault';
import { reportReady } from '../native/systemd';
import { startRelay, type Relay } from '../relay/relay';
import { keepStatus } from '../relay/status-file';
import { openStore } from '../servers/store';
import type { Sink } from '../sinks/record';
import { openSink, type SharedSink } from '../sinks/sink';
import { startWorkers } from '../workers/primary';
import { runWorker } from '../workers/worker';
import { toOverrides, type CommonFlags } from '../config/flags';
import { createHangup } from './hangup';

export interface RelayFlags extends CommonFlags {
  readonly listen?: readonly string[];
  readonly upstream?: readonly string[];
  readonly transparent?: boolean;
  readonly repair?: string;
  readonly proxyProtocol?: readonly string[];
  readonly evidence?: string;
}

/** Relays until a signal ends it. */
export async function runRelay(flags: RelayFlags): Promise<Outcome> {
  const faults = pairFaults(flags);
  if (faults.length > 0) return faults;
  if (cluster.isWorker) return runWorker();
  const load = (): Config | readonly Fault[] => loadConfig(toOverrides(flags, ownFlags(flags)));
  const config = load();
  if (isFaults(config)) return config;
  if (config.relay.listeners.length === 0) {
    const fix =
      'give --listen ADDR:PORT and --upstream HOST:PORT (or --transparent), or relay.listeners in a --config file';
    return createFault('bad-flag', 'nothing to relay', { fix });
  }
  // Mail goes on without a log: its reader is gone, and that must not stop mail.
  const sink = openSink(config.log, { failing: complain, closed: complain });
  return isFault(sink) ? sink : serve(config, sink, { load, file: flags.config });
}

async function serve(
  config: Config,
  sink: SharedSink,
  again: { readonly load: () => Config | readonly Fault[]; readonly file: string | undefined },
): Promise<Outcome> {
  const end = createEnd();
  const policy = createPolicyInForce(config.policy);
  const onHup = createHangup({ config, policy, sink, ...again, stop: end.signal });
  process.on('SIGTERM', end.signal).on('SIGINT', end.signal).on('SIGHUP', onHup);
  try {
    const store = openStore(config.servers.file, sink);
    const options = { known: store.saved.servers, policy };
    const start = workersOf(config) === 1 ? startRelay : startWorkers;
    const relay = await start(config, sink, options);
    if (isFault(relay)) {
      await store.close();
      return relay;
    }
    store.share(relay.servers);
    const reportEnd = reportReady(`${config.relay.listeners.length} listening`);
    const removeStatus = keepStatus(config, relay, (fault) =>
      sink.note('warn', 'status-unwritten', { message: formatFault(fault) }),
    );
    await untilEnded(relay, config, sink, end).finally(async () => {
      reportEnd();
      removeStatus();
      await store.close();
    });
    sink.note('info', 'stopped');
    return 0;
  } finally {
    await sink.close();
    process.off('SIGTERM', end.signal).off('SIGINT', end.signal).off('SIGHUP', onHup);
  }
}

/** Between two transparent sockets, a call of our own that comes back is known in the process that made it only. */
function workersOf({ relay }: Config): number {
  return relay.listeners.some(({ upstream }) => upstream === undefined) ? 1 : relay.workers;
}

/** Signals that ask for the end: the first drains, the second stops. */
interface End {
  readonly signal: (name: NodeJS.Signals) => void;
  /** Called for every signal; those that came before it are not lost. */
  listen(onSignal: (name: NodeJS.Signals) => void): void;
}

function createEnd(): End {
  const early: NodeJS.Signals[] = [];
  let take = (name: NodeJS.Signals): void => void early.push(name);
  return {
    signal: (name) => take(name),
    listen(onSignal) {
      take = onSignal;
      early.splice(0).forEach(onSignal);
    },
  };
}

function untilEnded(relay: Relay, config: Config, sink: Sink, end: End): Promise<void> {
  return new Promise((resolve, reject) => {
    let signals = 0;
    end.listen((because) => {
      signals += 1;
      const connections = relay.counters.active;
      if (signals === 1) {
        sink.note('info', 'draining', { because, connections, at_most_ms: config.relay.drainMs });
        relay.drain().then(resolve, reject);
      } else if (signals === 2) {
        sink.note('warn', 'ending', { because, connections });
        relay.stop().then(resolve, reject);
      }
    });
  });
}

function complain(fault: Fault): void {
  process.stderr.write(`ehlowire: ${formatFault(fault)}\n`);
}

/** What is wrong with the flags before they become configuration, in the words of the command line. */
function pairFaults(flags: RelayFlags): Fault[] {
  const { listen = [], upstream = [], proxyProtocol = [], transparent = false } = flags;
  const faults: Fault[] = transparent ? transparentFaults(flags) : [];
  if (!transparent && listen.length !== upstream.length) {
    const on = `${listen.length} --listen and ${upstream.length} --upstream`;
    faults.push(createFault('bad-flag', on, { fix: 'they go in pairs: one --upstream for each --listen' }));
  }
  for (const [flag, texts] of Object.entries({ '--listen': listen, '--upstream': upstream })) {
    for (const address of texts.map(parseAddress)) {
      if (isFault(address)) faults.push({ ...address, on: `${flag} ${address.on}` });
    }
  }
  const words: readonly string[] = PROXY_PROTOCOLS;
  for (const word of proxyProtocol.flatMap((text) => text.split(','))) {
    const fix = `must be ${words.join(', ')}`;
    if (!words.includes(word)) faults.push(createFault('bad-flag', `--proxy-protocol ${word}`, { fix }));
  }
  if (proxyProtocol.length > 0 && listen.length === 0) {
    const fix = 'it goes with --listen; in a --config file write "proxyProtocol" to the listener';
    faults.push(createFault('bad-flag', '--proxy-protocol', { fix }));
  }
  return faults;
}

function transparentFaults({ listen = [], upstream = [], proxyProtocol = [] }: RelayFlags): Fault[] {
  const faults: Fault[] = [];
  const refuse = (on: string, fix: string): void => void faults.push(createFault('bad-flag', on, { fix }));
  if (listen.length === 0) {
    refuse(
      '--transparent',
      'it goes with --listen; in a --config file write "transparent": true to the listener',
    );
  }
  if (upstream.length > 0) {
    refuse(
      '--transparent and --upstream',
      'a connection goes to the server that its client meant: give one of them',
    );
  }
  if (proxyProtocol.length > 0) {
    refuse(
      '--transparent and --proxy-protocol',
      "the server sees the client's own address: give one of them",
    );
  }
  return faults;
}

function ownFlags(flags: RelayFlags) {
  const { listen = [], upstream = [], transparent, repair, proxyProtocol, evidence } = flags;
  const protocol = proxyProtocol === undefined ? {} : { proxyProtocol: proxyProtocol.join(',') };
  const listeners = listen.map((text, index) => ({
    listen: text,
    ...(transparent === true ? { transparent } : { upstream: upstream[index] }),
    ...protocol,
  }));
  return [
    ...(listeners.length === 0 ? [] : [{ flag: '--listen', key: 'relay.listeners', value: listeners }]),
    ...(repair === undefined ? [] : [{ flag: '--repair', key: 'greeting.repair', value: repair }]),
    ...(evidence === undefined ? [] : [{ flag: '--evidence', key: 'evidence.folder', value: evidence }]),
  ];
}
