// `ehlowire demo`: the incident on loopback, without and with the relay, and its log as it happens.

import { createColors } from 'picocolors';
import { now } from '../../system/clock';
import { loadConfig, wantsColor, type Config } from '../../config/config';
import { type Fault, isFault, type Outcome, isFaults } from '../../system/fault';
import { startRelay } from '../../relay/relay';
import type { Output } from '../../sinks/output';
import type { Sink } from '../../sinks/record';
import { createSink } from '../../sinks/sink';
import { createTerminalRenderer } from '../../sinks/terminal';
import { formatDuration, printable } from '../../sinks/wording';
import { sendMessage } from './client';
import { startDemoServer, type DemoServer } from './server';

/** Real sockets, a real client and the real relay; free ports, no root, nothing left behind. */
export async function runDemo(): Promise<Outcome> {
  const colors = createColors(wantsColor(1));
  const server = await startDemoServer(GREETING);
  try {
    say(
      colors.bold(
        'A mail server greets with "220-mx.demo" and nothing more: another line should follow, none does.',
      ),
    );
    say(`It listens on 127.0.0.1:${server.port} and accepts every message, once a client sends one.\n`);
    say(
      colors.bold(
        '1. A client, straight to the server. It waits 3 s for the greeting (others wait 5 minutes).',
      ),
    );
    const direct = await deliver(server.port, 'straight');
    say(`${tell(direct, colors)}\n`);
    const relayed = await throughRelay(server, colors);
    if (isFault(relayed) || isFaults(relayed)) return relayed;
    const worked =
      !direct.delivered &&
      relayed.deliveries.every(({ delivered }) => delivered) &&
      server.messages.length === 2;
    say(worked ? NEXT(colors) : colors.red('That is not what should happen: please report it.'));
    return worked ? 0 : 1;
  } finally {
    server.stop();
  }
}

type Colors = ReturnType<typeof createColors>;

interface Delivery {
  readonly delivered: boolean;
  readonly took: number;
  readonly words: string;
}

async function throughRelay(
  server: DemoServer,
  colors: Colors,
): Promise<{ readonly deliveries: readonly Delivery[] } | Fault | readonly Fault[]> {
  const config = demoConfig(server.port);
  if (isFaults(config)) return config;
  const log = createDemoLog();
  if (isFault(log)) return log;
  try {
    say(
      colors.bold(
        '2. ehlowire in between, with 2 s of patience (20 s by default, for honest servers that are slow).',
      ),
    );
    const relay = await startRelay(config, log.sink);
    if (isFault(relay)) return relay;
    const port = relay.addresses[0]?.port ?? 0;
    const first = await log.untilSession(deliver(port, 'the first through ehlowire'));
    say(`${tell(first, colors)} The wait was its patience with a server that may only be slow.\n`);
    say(colors.bold('3. Now it connects to the server itself, to verify what it saw.'));
    await log.untilLearned;
    say('');
    say(colors.bold('4. The same again.'));
    const second = await log.untilSession(deliver(port, 'the second through ehlowire'));
    say(`${tell(second, colors)} It knows the server now.\n`);
    await relay.stop();
    return { deliveries: [first, second] };
  } finally {
    await log.sink.close();
  }
}

/** Nothing of the user's own configuration: the demo is the same everywhere. */
function demoConfig(port: number): Config | readonly Fault[] {
  const listeners = [{ listen: '127.0.0.1:0', upstream: `127.0.0.1:${port}` }];
  const flags = [
    { flag: 'demo', key: 'relay.listeners', value: listeners },
    { flag: 'demo', key: 'greeting.patience', value: 2_000 },
    { flag: 'demo', key: 'greeting.hostname', value: 'mx.demo' },
  ];
  return loadConfig({ flags }, {});
}

interface DemoLog {
  readonly sink: Sink;
  /** Waits for the delivery, and for the line that ends its session. */
  untilSession(delivery: Promise<Delivery>): Promise<Delivery>;
  /** What the server's greeting is was learned. */
  readonly untilLearned: Promise<void>;
}

function createDemoLog(): DemoLog | Fault {
  let ended = (): void => undefined;
  let learned = (): void => undefined;
  const untilLearned = new Promise<void>((resolve) => (learned = resolve));
  const output: Output = {
    write(text) {
      process.stdout.write(`   ${text}`);
      return true;
    },
    waiting: () => 0,
    reopen: () => undefined,
    close: () => Promise.resolve(),
  };
  const sink = createSink({
    renderer: createTerminalRenderer({ color: wantsColor(1) }),
    level: 'info',
    open: () => output,
    trouble: { failing: () => undefined, closed: () => undefined },
  });
  if (isFault(sink)) return sink;
  const write: Sink['write'] = (connection, event) => {
    sink.write(connection, event);
    if (event.kind === 'session') ended();
    if (event.kind === 'learned') learned();
  };
  return {
    sink: { ...sink, write },
    untilLearned,
    async untilSession(delivery) {
      const session = new Promise<void>((resolve) => (ended = resolve));
      const result = await delivery;
      // A client that gave up may never have been connected.
      await (result.delivered
        ? session
        : Promise.race([session, new Promise((resolve) => setTimeout(resolve, 500))]));
      return result;
    },
  };
}

async function deliver(port: number, subject: string): Promise<Delivery> {
  const started = now();
  try {
    const words = await sendMessage(port, subject, WAIT_MS);
    return { delivered: true, took: now() - started, words };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { delivered: false, took: now() - started, words };
  }
}

function tell({ delivered, took, words }: Delivery, { green, red, bold }: Colors): string {
  const verdict = delivered ? bold(green('Delivered')) : bold(red('Not delivered'));
  return `   ${verdict} after ${formatDuration(took)}: ${printable(words)}.`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const GREETING = '220-mx.demo\r\n';

const WAIT_MS = 3_000;

const NEXT = ({ bold, dim }: Colors): string => `${bold('Next:')}
   ehlowire check mx.example:25                                ${dim("judge your server's greeting")}
   ehlowire relay --listen :2525 --upstream mx.example:25      ${dim('put it in front of your server')}
   ehlowire relay --help                                       ${dim('more of that')}`;
