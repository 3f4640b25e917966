// Several processes of one relay, as a user starts them: what they have once, and what the end of one of them costs.

import { once } from 'node:events';
import { readFileSync, renameSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { startRelay, type LogLine, type Relayed } from '../kit/ehlowire';
import { labSuite } from '../kit/lab';
import { freePort, run, scratch, start, until } from '../kit/process';
import { startServer, type Script } from '../proxy/cli/servers';

const suite = labSuite('workers');

const HONEST: Script = {
  greeting: [[0, '220 mx.demo ESMTP\r\n']],
  answers: { EHLO: '250 mx.demo\r\n', NOOP: '250 2.0.0 Ok\r\n', QUIT: '221 2.0.0 Bye\r\n' },
};

interface Scene {
  readonly relay: Relayed;
  readonly port: number;
  readonly heard: readonly string[];
  of(event: string): readonly LogLine[];
}

/** A relay of two workers in front of a server, until the scene is over. */
async function onScene(
  script: Script,
  settings: readonly string[],
  play: (scene: Scene) => Promise<void>,
): Promise<void> {
  const server = await startServer(script);
  const sets = ['relay.workers=2', ...settings].flatMap((each) => ['--set', each]);
  const relay = await startRelay([`127.0.0.1:${server.port}`], sets);
  const of = (event: string): readonly LogLine[] => relay.events().filter((line) => line.event === event);
  try {
    await play({ relay, port: relay.ports[0] ?? 0, heard: server.heard, of });
    assert.is(relay.output(), '');
  } finally {
    await relay.stop(10_000);
    server.stop();
    relay.discard();
  }
}

interface Client {
  readonly socket: Socket;
  /** The next whole reply; '' where the connection is over. */
  reply(): Promise<string>;
  ask(text: string): Promise<string>;
}

function call(port: number): Client {
  const socket = connect({ port, host: '127.0.0.1' });
  let unread = '';
  socket.on('data', (octets) => (unread += octets.toString('latin1')));
  socket.on('error', () => undefined);
  const reply = (): Promise<string> =>
    until('a reply', () => {
      const end = /^\d{3} .*\r\n/m.exec(unread);
      if (end === null) return socket.closed ? '' : undefined;
      const said = unread.slice(0, end.index + end[0].length);
      unread = unread.slice(said.length);
      return said;
    });
  const ask = (text: string): Promise<string> => {
    socket.write(text);
    return reply();
  };
  return { socket, reply, ask };
}

const callAll = (port: number, count: number): Client[] => Array.from({ length: count }, () => call(port));

/** Which worker has a session: its name has the worker's in it. */
const workerOf = (line: LogLine): string => /-(\w+)\./.exec(String(line['session']))?.[1] ?? '';

function workersOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

async function leaveAll(clients: readonly Client[]): Promise<void> {
  for (const { socket } of clients) socket.destroy();
  await Promise.all(clients.map(({ socket }) => socket.closed || once(socket, 'close')));
}

const LIMITS = [
  ['relay.maxConnections=10', 'connections', '421 4.3.2'],
  ['policy.limits.connectionsPerClient=10', 'load', '421 4.7.0'],
] as const;

suite.test('a connection reaches the server of its listener, whichever worker takes it', [], async () => {
  const names = ['a', 'b', 'c', 'd'];
  const servers = await Promise.all(
    names.map((name) => startServer({ ...HONEST, greeting: [[0, `220 ${name}.demo ESMTP\r\n`]] })),
  );
  const upstreams = servers.map(({ port }) => `127.0.0.1:${port}`);
  const relay = await startRelay(upstreams, ['--set', 'relay.workers=2']);
  try {
    for (let round = 0; round < 5; round += 1) {
      const clients = relay.ports.flatMap((port) => callAll(port, 20));
      const greetings = await Promise.all(clients.map(({ reply }) => reply()));
      const wanted = names.flatMap((name) => Array<string>(20).fill(`220 ${name}.demo ESMTP\r\n`));
      assert.equal(greetings, wanted);
      await leaveAll(clients);
    }
  } finally {
    await relay.stop(10_000);
    servers.forEach((server) => server.stop());
    relay.discard();
  }
});

for (const [setting, rule, code] of LIMITS) {
  suite.test(`${setting} is that of all workers, and what they refuse is counted once`, [], () =>
    onScene(HONEST, [setting, 'policy.limits.refusalDelay=1ms'], async ({ port, relay, of }) => {
      for (let round = 0; round < 2; round += 1) {
        const clients = callAll(port, 60);
        const codes = (await Promise.all(clients.map(({ reply }) => reply()))).map((each) =>
          each.slice(0, 9),
        );
        assert.is(codes.filter((each) => each.startsWith('220')).length, 10);
        assert.is(codes.filter((each) => each === code).length, 50, codes.join(', '));
        await leaveAll(clients);
        await until('its places are free', async () => {
          const { active } = await countersOf(relay);
          return active === 0 ? true : undefined;
        });
      }
      assert.equal(await countersOf(relay), { accepted: 120, blocked: 100, unreachable: 0, active: 0 });
      // The bound on refusals is that of the whole log, too.
      const reported = (): number => {
        const left = of('omitted').map(({ of: kinds }) => (kinds as { blocked?: number }).blocked ?? 0);
        return of('blocked').length + left.reduce((sum, each) => sum + each, 0);
      };
      await until('all refusals are reported', () => (reported() === 100 ? true : undefined));
      assert.ok(of('blocked').every((line) => line['rule'] === rule));
      assert.ok(bySecond(of('blocked')).every((count) => count <= 10));
    }),
  );
}

function bySecond(lines: readonly LogLine[]): number[] {
  const seconds = new Map<string, number>();
  for (const { time } of lines) {
    const second = String(time).slice(0, 19);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  return [...seconds.values()];
}

async function countersOf(relay: Relayed): Promise<Record<string, number>> {
  const launcher = join(__dirname, '../../ehlowire');
  // What workers count they say twice a second, and the file is written once a second.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const { output } = await run(launcher, ['status', '--json']);
  const { relay_processes: all } = JSON.parse(output) as {
    relay_processes: { pid: number; counters: Record<string, number> }[];
  };
  const own = all.filter(({ pid }) => pid === relay.pid);
  assert.is(own.length, 1, output);
  const { accepted, blocked, unreachable, active } = own[0]?.counters ?? {};
  return { accepted, blocked, unreachable, active } as Record<string, number>;
}

suite.test('a worker that is killed costs its own connections, and is replaced', [], () =>
  onScene(HONEST, [], async ({ port, relay, of }) => {
    const clients = callAll(port, 20);
    await Promise.all(clients.map(({ reply }) => reply()));
    const [first = 0, second = 0] = workersOf(relay.pid);
    process.kill(first, 'SIGKILL');
    const ended = await until('the note', () => of('worker-ended')[0]);
    assert.equal([ended['pid'], ended['because']], [first, 'SIGKILL']);
    const answers = await Promise.all(clients.map(({ ask }) => ask('NOOP\r\n')));
    const lost = answers.filter((answer) => answer === '').length;
    assert.is(lost, ended['connections']);
    assert.is(answers.filter((answer) => answer.startsWith('250')).length, 20 - lost);
    const now = await until('another worker', () => {
      const pids = workersOf(relay.pid);
      return pids.length === 2 && pids.includes(second) ? pids : undefined;
    });
    assert.not(now.includes(first));
    // Those of the dead one hold no place.
    await leaveAll(clients);
    await until('no place is held', async () =>
      (await countersOf(relay))['active'] === 0 ? true : undefined,
    );
    // The new one takes connections: its sessions have its own name.
    await until('a session of the third worker', async () => {
      const more = callAll(port, 10);
      await Promise.all(more.map(({ reply }) => reply()));
      await leaveAll(more);
      return of('session').some((line) => workerOf(line) === '3') ? true : undefined;
    });
  }),
);

suite.test('what one learns all know: one verification, and nobody waits behind it', [], () => {
  const truncated: Script = { ...HONEST, greeting: [[0, '220-mx.demo\r\n']] };
  return onScene(truncated, ['greeting.patience=3s'], async ({ port, heard, of }) => {
    const before = callAll(port, 12);
    await Promise.all(before.map(({ reply }) => reply()));
    const learned = await until('it is learned', () =>
      of('learned').find(({ policy }) => policy === 'repair'),
    );
    assert.is(learned['way'], 'verified');
    const began = performance.now();
    const behind = callAll(port, 12);
    const greetings = await Promise.all(behind.map(({ reply }) => reply()));
    assert.ok(performance.now() - began < 2_000, 'nobody waits for the patience');
    assert.ok(greetings.every((greeting) => greeting.startsWith('220')));
    await Promise.all([...before, ...behind].map(({ ask }) => ask('EHLO client.demo\r\n')));
    const hellos = heard.filter((line) => line.startsWith('EHLO')).length;
    assert.is(hellos, 24);
    // Connections of ehlowire's own say QUIT and nothing else.
    assert.is(heard.filter((line) => line === 'QUIT').length, 1);
    await leaveAll([...before, ...behind]);
    await until('all sessions', () => (of('session').length === 24 ? true : undefined));
    assert.is(new Set(of('session').map(workerOf)).size, 2, 'both workers had some');
    assert.is(of('learned').length, 1);
  });
});

suite.test(
  'a busy log: whole lines in one file, each session once, with what its segments tell',
  ['smtp-source'],
  async () => {
    const port = await freePort();
    const sink = start('smtp-sink', ['-u', 'nobody', `127.0.0.1:${port}`, '100']);
    const folder = scratch('workers');
    const relay = await startRelay([`127.0.0.1:${port}`], ['--set', 'relay.workers=2']);
    try {
      const load = (): Promise<unknown> =>
        run('smtp-source', ['-s', '20', '-m', '600', '-l', '2000', `127.0.0.1:${relay.ports[0]}`]);
      await load();
      const old = join(folder, 'events.1');
      renameSync(relay.log, old);
      const [moved] = await Promise.all([
        until('its lines go on in a new file', () => {
          process.kill(relay.pid, 'SIGHUP');
          return relay.events().length > 0 ? old : undefined;
        }),
        load(),
      ]);
      const sessions = (): LogLine[] => {
        const before = readFileSync(moved, 'utf8').trimEnd().split('\n');
        const lines = [...before.map((line) => JSON.parse(line) as LogLine), ...relay.events()];
        return lines.filter(({ event }) => event === 'session');
      };
      const all = await until('all sessions', () => (sessions().length === 1_200 ? sessions() : undefined));
      assert.is(new Set(all.map((line) => line['session'])).size, 1_200);
      assert.is(new Set(all.map(workerOf)).size, 2);
      assert.ok(all.every((line) => (line['phases'] as unknown[]).length === 9 && line['messages'] === 1));
      const unseen = all.filter(
        (line) => !Array.isArray(line['verdicts']) || typeof line['rtt_ms'] !== 'number',
      );
      assert.equal(unseen, []);
    } finally {
      await relay.stop(10_000);
      await sink.stop('SIGKILL');
      relay.discard();
    }
  },
);

suite.test('SIGTERM waits for the connections of all workers', [], () =>
  onScene(HONEST, [], async ({ port, relay, of }) => {
    const clients = callAll(port, 12);
    await Promise.all(clients.map(({ reply }) => reply()));
    const stopped = relay.stop(20_000);
    const draining = await until('the note', () => of('draining')[0]);
    assert.is(draining['connections'], 12);
    await until('the port is closed', async () => ((await call(port).reply()) === '' ? true : undefined));
    const answers = await Promise.all(clients.map(({ ask }) => ask('NOOP\r\n')));
    assert.ok(answers.every((answer) => answer.startsWith('250')));
    await Promise.all(clients.map(({ ask }) => ask('QUIT\r\n')));
    clients.forEach(({ socket }) => socket.end());
    assert.is((await stopped).code, 0);
    assert.is(of('session').length, 12);
    assert.is(of('stopped').length, 1);
  }),
);

suite.test('a second SIGTERM ends them at once, each with its line', [], () =>
  onScene(HONEST, [], async ({ port, relay, of }) => {
    const clients = callAll(port, 12);
    await Promise.all(clients.map(({ reply }) => reply()));
    const stopped = relay.stop(20_000);
    await until('the note', () => of('draining')[0]);
    process.kill(relay.pid, 'SIGTERM');
    const said = await Promise.all(clients.map(({ reply }) => reply()));
    assert.ok(said.every((line) => line.startsWith('421 4.3.2')));
    assert.is((await stopped).code, 0);
    assert.is(of('session').length, 12);
  }),
);

suite.test('a port that is taken is one fault, as of one process', [], async () => {
  const server = await startServer(HONEST);
  const args = ['relay', '--listen', `127.0.0.1:${server.port}`, '--upstream', '127.0.0.1:2'];
  const launcher = join(__dirname, '../../ehlowire');
  const { code, output } = await run(launcher, [...args, '--set', 'relay.workers=2']);
  server.stop();
  assert.is(code, 1);
  const lines = output.split('\n').filter((line) => line.startsWith('ehlowire: '));
  assert.equal(lines.length, 1, output);
  assert.match(lines[0] ?? '', /^ehlowire: port in use: 127\.0\.0\.1:/);
});

suite.run();
