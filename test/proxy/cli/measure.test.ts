// `ehlowire measure` as a user starts it, against small servers with faults of their own, and against its own sink.

import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CERTIFICATE, KEY } from '../../kit/certificate';
import { freePort } from '../../kit/process';
import { buildLauncher, type Launched } from '../launch';
import { startServer } from './servers';

const { dir, launch } = buildLauncher();
test.after(() => rmSync(dir, { recursive: true }));

interface Figures {
  readonly ways: readonly {
    readonly sessions: number;
    readonly failed: number;
    readonly messages: number;
    readonly open: number;
    readonly unbegun: number;
    readonly failures: readonly { phase: string; cause: string | number; text: string; count: number }[];
    readonly phases: Readonly<Record<string, { readonly count: number; readonly [value: string]: number }>>;
    readonly rounds: readonly unknown[];
  }[];
  readonly ratio: Readonly<Record<string, { readonly median: number }>>;
  readonly stopped: boolean;
}

const figuresOf = (out: string): Figures => JSON.parse(out) as Figures;

async function measure(args: readonly string[]): Promise<{ code: number | null; err: string } & Figures> {
  const { code, out, err } = await launch(['measure', ...args, '--json']).ended;
  return { code, err, ...figuresOf(out) };
}

const GREETING = [[0, '220 mx.demo ESMTP\r\n']] as const;
const TAKES = {
  EHLO: '250-mx.demo\r\n250 PIPELINING\r\n',
  MAIL: '250 2.1.0 Ok\r\n',
  RCPT: '250 2.1.5 Ok\r\n',
  DATA: '354 Go\r\n',
  '.': '250 2.0.0 Ok\r\n',
  QUIT: '221 2.0.0 Bye\r\n',
};
const NO_MAIL = ['connect', 'greeting', 'hello', 'quit', 'close', 'session', 'late'];

test('without --rcpt: EHLO and QUIT, and nothing else', async () => {
  const server = await startServer({ greeting: GREETING, answers: TAKES });
  const { code, err, ways } = await measure([
    ...[`127.0.0.1:${server.port}`, '--sessions', '5', '--rate', '100', '--name', 'me.example'],
  ]);
  assert.equal([code, err], [0, '']);
  // Sessions may overlap.
  const wanted = Array.from({ length: 5 }, () => ['EHLO me.example', 'QUIT']).flat();
  assert.equal([...server.heard].sort(), wanted.sort());
  const [way] = ways;
  assert.equal([way?.sessions, way?.failed, way?.messages, way?.failures], [5, 0, 0, []]);
  assert.equal(Object.keys(way?.phases ?? {}), NO_MAIL);
  server.stop();
});

for (const [name, args, answers, want] of [
  [
    'refused at RCPT',
    ['--rcpt', 'a@b.example'],
    { ...TAKES, RCPT: '450 4.7.1 Greylisted\r\n' },
    { phase: 'rcpt', cause: 450, text: 'Greylisted' },
  ],
  [
    'refused behind the message',
    ['--rcpt', 'a@b.example', '--pipelining'],
    { ...TAKES, '.': '554 5.7.1 Spam\r\n' },
    { phase: 'message', cause: 554, text: 'Spam' },
  ],
  ['no answer to EHLO', ['--timeout', '200ms'], {}, { phase: 'hello', cause: 'timed-out', text: '' }],
  ['no STARTTLS', ['--starttls'], TAKES, { phase: 'starttls', cause: 'not-offered', text: '' }],
] as const) {
  test(`a failure has its phase and its cause: ${name}`, async () => {
    const server = await startServer({ greeting: GREETING, answers });
    const { code, ways } = await measure([
      ...[`127.0.0.1:${server.port}`, '--sessions', '3', '--rate', 'max', ...args],
    ]);
    assert.is(code, 1);
    assert.equal(ways[0]?.failures, [{ ...want, count: 3 }]);
    assert.equal([ways[0]?.sessions, ways[0]?.failed, ways[0]?.messages], [3, 3, 0]);
    server.stop();
  });
}

test('a server that is away', async () => {
  const port = await freePort();
  const { code, ways } = await measure([`127.0.0.1:${port}`, '--sessions', '4', '--rate', '100']);
  assert.is(code, 1);
  assert.equal(ways[0]?.failures, [{ phase: 'connect', cause: 'ECONNREFUSED', text: '', count: 4 }]);
});

test('a name without an address is one line', async () => {
  const { code, out, err } = await launch(['measure', 'mx.invalid']).ended;
  assert.equal([code, out], [1, '']);
  assert.match(err, /^ehlowire: .*mx\.invalid.*\n$/);
});

test('wrong flags are named, one a line', async () => {
  const { code, err } = await launch(['measure', '127.0.0.1', '--rate', '0', '--size', '2k']).ended;
  assert.is(code, 2);
  assert.match(err, 'ehlowire: wrong usage: --rate 0: must be a number');
  assert.match(err, 'ehlowire: wrong usage: --size: goes with --rcpt');
});

/** Greets at once but, for a second behind its first connection, not at all. */
async function startStalling(): Promise<{ server: Server; port: number }> {
  let until: number | undefined;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    until ??= performance.now() + 1_000;
    setTimeout(() => socket.write('220 mx.demo ESMTP\r\n'), Math.max(0, until - performance.now()));
    socket.on('data', (octets) => {
      if (octets.toString().startsWith('QUIT')) socket.end('221 Bye\r\n');
      else socket.write('250 mx.demo\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

for (const [name, args] of [
  ['as many sessions as are due', []],
  ['also where they have no place', ['--concurrency', '2']],
] as const) {
  test(`a stall of a second shows in the sessions that are due meanwhile: ${name}`, async () => {
    const { server, port } = await startStalling();
    const { ways } = await measure([`127.0.0.1:${port}`, '--rate', '50', '--for', '2s', ...args]);
    const { session, late } = ways[0]?.phases ?? {};
    // 50 of 100 are due in that second, and half of these wait for more than half of it.
    assert.ok((session?.['p90_ms'] ?? 0) > 500, JSON.stringify(ways[0]?.phases));
    assert.is((ways[0]?.sessions ?? 0) + (ways[0]?.unbegun ?? 0), 100);
    assert.is(session?.count, 100);
    assert.is(late?.count, 100);
    server.close();
  });
}

test('STARTTLS: real TLS, and EHLO again', async () => {
  const heard: string[] = [];
  const answer = (socket: Socket, line: string): void => {
    heard.push(line);
    if (line.startsWith('EHLO')) socket.write('250-mx.demo\r\n250 STARTTLS\r\n');
    else if (line === 'QUIT') socket.end('221 Bye\r\n');
  };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 mx.demo ESMTP\r\n');
    socket.on('data', (octets) => {
      const line = octets.toString().trim();
      if (line !== 'STARTTLS') return answer(socket, line);
      socket.removeAllListeners('data');
      socket.write('220 Go\r\n');
      const tls = new TLSSocket(socket, { isServer: true, key: KEY, cert: CERTIFICATE });
      tls
        .on('error', () => undefined)
        .on('data', (inner: Buffer) => answer(tls, `TLS ${inner}`.slice(4).trim()));
      return undefined;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { code, ways } = await measure([
    ...[`127.0.0.1:${port}`, '--starttls', '--sessions', '2', '--rate', 'max', '--concurrency', '1'],
    ...['--name', 'me.example'],
  ]);
  assert.is(code, 0, JSON.stringify(ways));
  assert.equal(heard.slice(0, 3), ['EHLO me.example', 'EHLO me.example', 'QUIT']);
  assert.equal([ways[0]?.phases['tls']?.count, ways[0]?.phases['hello']?.count], [2, 4]);
  server.close();
});

test('a signal prints what there is', async () => {
  const server = await startServer({ greeting: GREETING, answers: TAKES });
  const { child, ended } = launch([
    ...['measure', `127.0.0.1:${server.port}`, '--for', '1h', '--rate', '100', '--json'],
  ]);
  while (server.heard.length < 20) await new Promise((resolve) => setTimeout(resolve, 10));
  child.kill('SIGINT');
  const { code, out } = await ended;
  const { ways, stopped } = figuresOf(out);
  assert.equal([code, stopped], [0, true]);
  assert.ok((ways[0]?.sessions ?? 0) >= 8);
  server.stop();
});

/** Where it says that it listens. */
async function portOf({ child, heard }: Launched): Promise<number> {
  while (!heard.err.includes('\n')) await once(child.stderr ?? child, 'data');
  return Number(/:(\d+) and throws/.exec(heard.err)?.[1]);
}

test('its own sink takes what is sent, and counts the same', async () => {
  const sink = launch(['measure', '--sink', '127.0.0.1:0', '--json']);
  const target = `127.0.0.1:${await portOf(sink)}`;
  const mail = ['--rcpt', 'a@b.example', '--rcpt', 'c@b.example', '--size', '100k', '--rate', 'max'];
  const { code, ways, ratio } = await measure([
    ...[target, '--against', target, '--rounds', '3', '--sessions', '40', ...mail],
    ...['--messages-per-session', '3', '--pipelining'],
  ]);
  assert.is(code, 0);
  for (const way of ways) {
    assert.equal([way.sessions, way.failed, way.messages], [120, 0, 360]);
    assert.equal([way.phases['rcpt']?.count, way.rounds.length], [720, 3]);
  }
  assert.ok((ratio['sessions_per_second']?.median ?? 0) > 0);
  sink.child.kill('SIGTERM');
  const { code: ended, out } = await sink.ended;
  const counts = JSON.parse(out) as Record<string, number>;
  assert.equal([ended, counts['sessions'], counts['messages']], [0, 240, 720]);
  assert.ok((counts['octets'] ?? 0) > 720 * 100_000);
});

test('a table for a person', async () => {
  const server = await startServer({ greeting: GREETING, answers: TAKES });
  const { out } = await launch([
    ...['measure', `127.0.0.1:${server.port}`, '--sessions', '30', '--rate', 'max', '--rcpt', 'a@b.example'],
  ]).ended;
  for (const part of [
    'as fast as the server takes them, at most 20 at a time, 1 message of 2.0 kB in each',
    /Sessions {3}30 in /,
    /Messages {3}30, /,
    /Failed {5}none/,
    /Phase +count +p50 +p90 +p99 +p99\.9 +max/,
    /\n {2}greeting +30 /,
    /\n {2}session +30 /,
    /below .* #+/,
  ]) {
    assert.match(out, part);
  }
  server.stop();
});

test.run();
