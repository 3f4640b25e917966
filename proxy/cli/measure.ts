// `ehlowire measure`: a load on one server, or on two ways by turns; and its other end, the sink.

import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isatty } from 'node:tty';
import { createDialogues } from '../../inspect/measure/dialogue';
import { createComposer } from '../../inspect/measure/message';
import { loadConfig, wantsColor } from '../config/config';
import { toOverrides } from '../config/flags';
import { createEpollNetwork } from '../measure/epoll';
import type { Network } from '../measure/network';
import { toObject, type LoadFacts } from '../measure/report';
import { startRounds, type Way } from '../measure/rounds';
import { openSink } from '../measure/sink';
import { createSocketNetwork } from '../measure/sockets';
import { toText } from '../measure/text';
import { isRefusal } from '../native/libc';
import { formatBytes, plural } from '../sinks/wording';
import { formatAddress, formatEndpoint, type Address } from '../system/address';
import { connectFault, isFault, isFaults, type Fault, type Outcome } from '../system/fault';
import { readRequest, type LoadRequest, type MeasureFlags } from './measure-request';

/** Prints the figures on standard output, also where a signal ends it. */
export async function runMeasure(target: string | undefined, flags: MeasureFlags): Promise<Outcome> {
  const { config: file, set } = flags;
  const config = loadConfig(
    toOverrides({ ...(file !== undefined && { config: file }), ...(set && { set }) }),
  );
  if (isFaults(config)) return config;
  const request = readRequest(target, flags, config.greeting.hostname);
  if (isFaults(request)) return request;
  if (request.kind === 'sink') return runSink(request.at, request.name, flags.json === true);
  return runLoad(request, flags.json === true);
}

async function runLoad(request: LoadRequest, json: boolean): Promise<Outcome> {
  const ways: Way[] = [];
  for (const server of request.servers) {
    const way = await findWay(server);
    if (isFault(way)) return way;
    ways.push(way);
  }
  const { network, engine } = openNetwork();
  const { plan, size, rounds, schedule, concurrency, timeout } = request;
  const { name, from, recipients } = plan;
  const run = randomBytes(4).toString('hex');
  const compose = createComposer({ name, from, recipients, size, run, date: new Date().toUTCString() });
  const createDialogue = createDialogues({ ...plan, compose });
  const running = startRounds(network, { ways, rounds, createDialogue, schedule, concurrency, timeout });
  const progress = showProgress(() => {
    const { sessions, failed, messages } = running.counts();
    return [plural(sessions, 'session'), plural(messages, 'message'), `${failed} failed`].join(', ');
  });
  const release = onSignal(() => running.stop());
  const measured = await running.ended;
  release();
  progress.end();
  network.end();
  const { starttls, pipelining, messages } = plan;
  const facts: LoadFacts = {
    ...{ rate: schedule.rate, concurrency, messages, size, starttls, pipelining, engine },
  };
  process.stdout.write(
    json ? `${JSON.stringify(toObject(measured, facts))}\n` : toText(measured, facts, wantsColor(1)),
  );
  return measured.ways.some(({ all }) => all.sessions > all.failed) ? 0 : FAILED;
}

async function runSink(at: Address, name: string, json: boolean): Promise<Outcome> {
  const { network } = openNetwork();
  const found = at.host === '' ? { address: '::' } : await find(at.host);
  if (isFault(found)) return found;
  const sink = await openSink(network, { address: found.address, port: at.port }, name);
  if (isFault(sink)) return sink;
  process.stderr.write(`takes mail on ${formatEndpoint(sink.at)} and throws it away, until Ctrl-C\n`);
  const { counts } = sink;
  const text = (): string =>
    [plural(counts.sessions, 'session'), plural(counts.messages, 'message'), formatBytes(counts.octets)].join(
      ', ',
    );
  const progress = showProgress(text);
  await new Promise<void>((resolve) => void onSignal(resolve));
  progress.end();
  network.end();
  process.stdout.write(json ? `${JSON.stringify(counts)}\n` : `${text()}\n`);
  return 0;
}

function openNetwork(): { readonly network: Network; readonly engine: LoadFacts['engine'] } {
  const network = createEpollNetwork();
  return isRefusal(network)
    ? { network: createSocketNetwork(), engine: 'sockets' }
    : { network, engine: 'epoll' };
}

async function findWay(server: Address): Promise<Way | Fault> {
  const found = await find(server.host);
  if (isFault(found)) return found;
  const { address } = found;
  const serverName = address === server.host ? undefined : server.host;
  return { target: formatAddress(server), server: { address, port: server.port }, serverName };
}

async function find(host: string): Promise<{ readonly address: string } | Fault> {
  try {
    return await lookup(host);
  } catch (error) {
    return connectFault(host, error);
  }
}

/** The first signal ends it in order, the second one at once. */
function onSignal(stop: () => void): () => void {
  const once = (): void => {
    release();
    stop();
  };
  const release = (): void => SIGNALS.forEach((signal) => void process.off(signal, once));
  SIGNALS.forEach((signal) => void process.on(signal, once));
  return release;
}

/** One line of standard error that is written over; nothing where that is no terminal. */
function showProgress(text: () => string): { end(): void } {
  if (!isatty(2)) return { end: () => undefined };
  const began = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stderr.write(`\r${seconds} s  ${text()}\x1b[K`);
  }, PROGRESS_MS);
  return {
    end() {
      clearInterval(timer);
      process.stderr.write('\r\x1b[K');
    },
  };
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const PROGRESS_MS = 500;
const FAILED = 1;
