// `ehlowire measure` against real servers, beside smtp-source and beside the log of a relay on the same path.

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { startRelay } from '../kit/ehlowire';
import { labSuite, SHOWN } from '../kit/lab';
import { RECIPIENT } from '../kit/message';
import { freePort, isOpen, run, start, until } from '../kit/process';
import { startPostfix } from './peers/postfix';

const suite = labSuite('measure');
const LAUNCHER = join(__dirname, '../../ehlowire');

interface Way {
  readonly sessions: number;
  readonly failed: number;
  readonly messages: number;
  readonly failures: readonly unknown[];
  readonly sessions_per_second: number;
  readonly phases: Readonly<Record<string, { readonly count: number; readonly p50_ms: number }>>;
}

async function measure(port: number, args: readonly string[]): Promise<Way> {
  const { output, code } = await run(LAUNCHER, ['measure', `127.0.0.1:${port}`, ...args, '--json'], {
    timeoutMs: 240_000,
  });
  assert.is(code, 0, output);
  const [way] = (JSON.parse(output) as { ways: readonly Way[] }).ways;
  if (way === undefined) throw new Error(output);
  return way;
}

/** How long the slow server thinks, in milliseconds: far more than two processes on one machine need. */
const SLOW = { greeting: 80, hello: 60, mail: 100, rcpt: 120, data: 60, message: 160, quit: 60 };
const VERBS = {
  EHLO: 'hello',
  HELO: 'hello',
  MAIL: 'mail',
  RCPT: 'rcpt',
  DATA: 'data',
  QUIT: 'quit',
} as const;
const REPLIES = { hello: '250 mx.demo', mail: '250 Ok', rcpt: '250 Ok', data: '354 Go', quit: '221 Bye' };

async function startSlow(): Promise<{ port: number; stop(): void }> {
  const server = createServer({ noDelay: true }, (socket) => {
    const reply = (phase: keyof typeof SLOW, text: string): void => {
      setTimeout(() => {
        socket.write(`${text}\r\n`);
        if (phase === 'quit') socket.end();
      }, SLOW[phase]);
    };
    socket.on('error', () => undefined);
    reply('greeting', '220 mx.demo ESMTP');
    let inMessage = false;
    let unread = '';
    socket.on('data', (octets) => {
      unread += octets.toString('latin1');
      if (inMessage) {
        if (!unread.endsWith('\r\n.\r\n')) return;
        [inMessage, unread] = [false, ''];
        return reply('message', '250 Ok');
      }
      if (!unread.endsWith('\r\n')) return;
      const phase = VERBS[unread.slice(0, 4).toUpperCase() as keyof typeof VERBS];
      [inMessage, unread] = [phase === 'data', ''];
      reply(phase, REPLIES[phase]);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, stop: () => void server.close() };
}

/** Shown, not judged: how much time lies between two processes is the machine's affair. */
function show(name: string, ours: number, theirs: number): void {
  const texts = [ours, theirs, ours / theirs].map((value) => value.toFixed(2).padStart(8));
  console.log(`${SHOWN}${name.padEnd(20)} measure ${texts[0]}   other ${texts[1]}   ratio ${texts[2]}`);
}

const MAIL = ['--rcpt', RECIPIENT];

suite.test('smtp-sink takes all that is counted', ['postfix'], async () => {
  const port = await freePort();
  const sink = start('smtp-sink', ['-u', 'nobody', '-c', `127.0.0.1:${port}`, '100']);
  await until('smtp-sink', async () => ((await isOpen('127.0.0.1', port)) ? true : undefined));
  for (const args of [[], ['--pipelining'], ['--messages-per-session', '3'], ['--size', '1M']]) {
    const way = await measure(port, [...MAIL, ...args, '--rate', 'max', '--sessions', '60']);
    const each = args.includes('--messages-per-session') ? 3 : 1;
    assert.equal([way.sessions, way.failed, way.messages], [60, 0, 60 * each], JSON.stringify(way.failures));
  }
  await sink.stop();
});

suite.test('Postfix takes mail over TLS, marked as a test', ['postfix'], async () => {
  const postfix = await startPostfix();
  const args = [...MAIL, '--starttls', '--pipelining', '--sessions', '5', '--rate', '20'];
  const way = await measure(postfix.port, args);
  assert.equal([way.sessions, way.failed, way.messages], [5, 0, 5], JSON.stringify(way.failures));
  assert.equal([way.phases['tls']?.count, way.phases['hello']?.count], [5, 10]);
  const messages = await until('five messages', () => {
    const found = postfix.delivered();
    return found.length === 5 ? found : undefined;
  });
  for (const { head } of messages) {
    assert.match(String(head), /^Auto-Submitted: auto-generated$/m);
    assert.match(String(head), /^X-Ehlowire-Measure: run \w+, message \d{9}$/m);
  }
  assert.is(postfix.log().match(/ ehlo=2 starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=7$/gm)?.length, 5);
  await postfix.stop();
});

suite.test('phases are those of the log of a relay on the same path', [], async () => {
  const server = await startSlow();
  const relay = await startRelay([`127.0.0.1:${server.port}`]);
  const way = await measure(relay.ports[0] ?? 0, [...MAIL, '--rate', '10', '--sessions', '40']);
  const sessions = (): number => relay.events().filter(({ event }) => event === 'session').length;
  await until('the log', () => (sessions() === 40 ? true : undefined));
  for (const phase of ['hello', 'mail', 'rcpt', 'data', 'message', 'quit'] as const) {
    const lines = relay.events().filter((line) => line.event === 'phase' && line['phase'] === phase);
    assert.is(way.phases[phase]?.count, lines.length);
    const logged = lines.map((line) => Number(line['duration_ms'])).sort((one, other) => one - other);
    // From command to reply the generator's interval contains the relay's: no rank of it can be less. A message begins
    // with the reply to DATA, which the relay has first.
    const median = logged[logged.length / 2 - 1] ?? 0;
    const ours = way.phases[phase]?.p50_ms ?? 0;
    show(`${phase}, ms`, ours, median);
    assert.ok(
      (phase === 'message' || ours >= median * 0.999) && median >= SLOW[phase] - 1,
      `${phase}: ${ours} and ${median}`,
    );
  }
  await relay.stop();
  relay.discard();
  server.stop();
});

suite.test('sessions a second are those of smtp-source', ['smtp-source'], async () => {
  const server = await startSlow();
  const way = await measure(server.port, [
    ...MAIL,
    '--rate',
    'max',
    '--concurrency',
    '5',
    '--sessions',
    '20',
  ]);
  const { seconds, code } = await run('smtp-source', ['-s', '5', '-m', '20', `127.0.0.1:${server.port}`]);
  assert.is(code, 0);
  show('sessions a second', way.sessions_per_second, 20 / seconds);
  // Five at a time cannot end more often than the server answers.
  const least = Object.values(SLOW).reduce((sum, ms) => sum + ms, 0) / 1000;
  assert.ok(way.sessions_per_second <= 5 / (least - 0.01), `${way.sessions_per_second}`);
  assert.is(way.sessions, 20);
  server.stop();
});

suite.run();
