// One worker: sockets and dialogues. What its relay has once it asks the primary for, over one stream.

import { Socket } from 'node:net';
import { loadConfig } from '../config/config';
import { createPolicyInForce, policyOf } from '../config/reload';
import { startRelay, type Relay } from '../relay/relay';
import { takeAddressKey } from '../sinks/envelope-address';
import { createNames } from '../sinks/record';
import { rendererOf } from '../sinks/sink';
import { isFault, isFaults, type Fault, type Outcome } from '../system/fault';
import { openChannel, type Channel } from './channel';
import type { Down, Message, Up } from './messages';
import { createRemoteAdmission, createRemoteServers, createRemoteWatch } from './shared';
import { createWorkerSink } from './sink';

/** Ends when the primary says so, or is gone. */
export function runWorker(): Promise<Outcome> {
  // They come to all processes of a terminal or a service; the primary knows what they mean.
  for (const name of SIGNALS) process.on(name, () => undefined);
  return new Promise((resolve) => {
    let take: ((message: Down) => void) | undefined;
    const channel = openChannel<Up, Down>(new Socket({ fd: CHANNEL }), {
      message(message) {
        if (message.kind === 'begin') take = begin(message, channel, () => resolve(0));
        else take?.(message);
      },
      lines: () => undefined,
      // No process would log what is said from here on, and the port must be free for the next process.
      ended: () => process.exit(1),
    });
  });
}

/** Starts its relay; answers who takes what the primary says from now on. */
function begin(
  { values, policy: given, known, watched, addressKey, names }: Message<Down, 'begin'>,
  channel: Channel<Up>,
  done: () => void,
): (message: Down) => void {
  takeAddressKey(addressKey);
  const config = loadConfig({ flags: values.map(([key, value]) => ({ flag: key, key, value })) }, {});
  if (isFaults(config)) throw new Error('the primary has judged the configuration, and it was fine');
  const admission = createRemoteAdmission(channel.send);
  const servers = createRemoteServers(channel.send, known);
  const watch = createRemoteWatch(channel.send, watched);
  const sink = createWorkerSink(
    channel,
    rendererOf(config.log),
    config.log.level,
    watch,
    config.relay.workers,
  );
  const policy = createPolicyInForce(policyOf(given));
  const shared = { servers, watch, admission, nextSession: createNames(names) };
  const started = startRelay(config, sink, { shared, policy }).then((relay) => report(relay, channel));
  const end = async (how: 'drain' | 'stop'): Promise<void> => {
    const running = await started;
    await running?.[how]();
    await sink.close();
    done();
  };
  void started.then((running) => (running === undefined ? end('stop') : undefined));
  return (message) => {
    switch (message.kind) {
      case 'answer':
        return admission.answer(message);
      case 'known':
        return servers.learn(message);
      case 'policy':
        return policy.replace(policyOf(message.policy));
      case 'drain':
      case 'stop':
        return void end(message.kind);
      default:
        return undefined;
    }
  };
}

/** Says that it listens, or why not; and then, where it changed, what it counts. */
function report(relay: Relay | Fault, { send }: Channel<Up>): Pick<Relay, 'drain' | 'stop'> | undefined {
  if (isFault(relay)) {
    // An error does not cross.
    send({ kind: 'failed', fault: { ...relay, cause: undefined } });
    return undefined;
  }
  send({ kind: 'ready', addresses: relay.addresses });
  let last = '';
  const tell = (): void => {
    const { accepted, blocked, unreachable, sockets } = relay.counters;
    const counts = { accepted, blocked, unreachable, sockets };
    const text = JSON.stringify(counts);
    if (text !== last) send({ kind: 'counts', counts });
    last = text;
  };
  const timer = setInterval(tell, COUNTS_MS).unref();
  const ending = async (ended: Promise<void>): Promise<void> => {
    await ended;
    clearInterval(timer);
    tell();
  };
  return { drain: () => ending(relay.drain()), stop: () => ending(relay.stop()) };
}

/** The descriptor of the stream to the primary, behind node's own channel. */
export const CHANNEL = 4;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
const COUNTS_MS = 500;
