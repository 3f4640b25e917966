import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { buildLauncher } from '../launch';
import { startServer } from './servers';

const { dir, launch } = buildLauncher();
test.after(() => rmSync(dir, { recursive: true }));

test('relay: a log to be moved away, a signal to end, and a line for each', async () => {
  const upstream = await startServer({ greeting: [[0, '220 mx.demo ESMTP\r\n']] });
  const file = join(dir, 'relay.log');
  const relay = launch([
    'relay',
    '--listen',
    '127.0.0.1:0',
    '--upstream',
    `127.0.0.1:${upstream.port}`,
    '--log',
    file,
  ]);
  const events = (path: string) =>
    existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line) as Record<string, unknown>)
      : [];
  const until = async (path: string, event: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = events(path).find((line) => line['event'] === event);
      if (found !== undefined) return found;
      if (relay.child.exitCode !== null) throw new Error(`it ended: ${relay.heard.err}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const listening = await until(file, 'listening');
  const port = Number(String(listening['listen']).split(':').at(-1));
  const client = createConnection(port, '127.0.0.1');
  await once(client, 'data');
  client.end('QUIT\r\n');
  await until(file, 'session');
  renameSync(file, `${file}.1`);
  relay.child.kill('SIGHUP');
  await until(file, 'config-read');
  relay.child.kill('SIGTERM');
  const { code, err } = await relay.ended;
  upstream.stop();
  assert.is(err, '');
  assert.is(code, 0);
  assert.equal(
    events(file).map((line) => line['event']),
    ['log-opened', 'log-reopened', 'config-read', 'draining', 'stopped'],
  );
  const phases = events(`${file}.1`).filter((line) => line['event'] === 'phase');
  assert.equal(
    phases.map((line) => line['phase']),
    ['connect', 'greeting', 'quit', 'close'],
  );
});

test('relay: SIGHUP brings in the rules of the file for new connections, and a bad file leaves them', async () => {
  const upstream = await startServer({
    greeting: [[0, '220 mx.demo ESMTP\r\n']],
    answers: { EHLO: '250 mx.demo\r\n', DEBUG: '250 me\r\n' },
  });
  const config = join(dir, 'rules.json');
  const configure = (text: string): void => writeFileSync(config, text);
  configure('{}');
  const relay = launch([
    ...['relay', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${upstream.port}`, '--config', config],
  ]);
  await relay.printed('"listening"');
  const port = Number(/"listen":"127\.0\.0\.1:(\d+)"/.exec(relay.heard.out)?.[1]);
  const open = async (): Promise<(command: string) => Promise<string>> => {
    const socket = createConnection(port, '127.0.0.1').on('error', () => undefined);
    const say = async (command: string): Promise<string> => {
      socket.write(`${command}\r\n`);
      const [reply] = (await once(socket, 'data')) as [Buffer];
      return reply.toString('latin1').slice(0, 3);
    };
    await once(socket, 'data');
    assert.is(await say('EHLO client.demo'), '250');
    return say;
  };
  /** Each of several processes hears of the rules by itself, a moment later. */
  const answered = async (want: string): Promise<void> => {
    for (let tries = 1; ; tries += 1) {
      const reply = await (await open())('DEBUG');
      if (reply === want) return;
      assert.ok(tries < 100, `${reply}, not ${want}`);
    }
  };
  let reloads = 0;
  const reload = async (text: string): Promise<void> => {
    configure(text);
    relay.child.kill('SIGHUP');
    reloads += 1;
    while ((relay.heard.out.match(/"event":"config-/g) ?? []).length < reloads)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const before = await open();
  assert.is(await before('DEBUG'), '502');
  await reload('{"policy":{"commands":"off"}}');
  assert.is(await before('DEBUG'), '502', 'a connection keeps the rules that it began with');
  await answered('250');
  await reload('{"policy":{"commands":');
  await answered('250');
  await reload('{}');
  await answered('502');
  relay.child.kill('SIGTERM');
  await relay.printed('"draining"');
  relay.child.kill('SIGTERM');
  const { out, code } = await relay.ended;
  upstream.stop();
  assert.is(code, 0);
  assert.equal(
    [...out.matchAll(/"event":"(config-\w+)"/g)].map(([, event]) => event),
    ['config-read', 'config-refused', 'config-read'],
  );
});

test('relay: a second signal ends the connections that the first one waits for', async () => {
  const upstream = await startServer({ greeting: [[0, '220 mx.demo ESMTP\r\n']] });
  const relay = launch(['relay', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${upstream.port}`]);
  await relay.printed('"listening"');
  const port = Number(/"listen":"127\.0\.0\.1:(\d+)"/.exec(relay.heard.out)?.[1]);
  const client = createConnection(port, '127.0.0.1').on('error', () => undefined);
  await once(client, 'data');
  relay.child.kill('SIGTERM');
  await relay.printed('"draining"');
  relay.child.kill('SIGTERM');
  const { code, out } = await relay.ended;
  client.destroy();
  upstream.stop();
  assert.is(code, 0);
  assert.match(out, '"event":"ending"');
  assert.match(out, '"event":"session"');
  assert.match(out, '"event":"stopped"');
});

test('relay: the reader of its log goes away: it says so, and mail goes on', async () => {
  const upstream = await startServer({ greeting: [[0, '220 mx.demo ESMTP\r\n']] });
  const relay = launch(['relay', '--listen', '127.0.0.1:0', '--upstream', `127.0.0.1:${upstream.port}`]);
  await relay.printed('"listening"');
  const port = Number(/"listen":"127\.0\.0\.1:(\d+)"/.exec(relay.heard.out)?.[1]);
  relay.child.stdout?.destroy();
  const greeted = async (): Promise<void> => {
    const client = createConnection(port, '127.0.0.1');
    await once(client, 'data');
    client.end('QUIT\r\n');
    client.resume();
    await once(client, 'close');
  };
  await greeted();
  while (relay.heard.err === '') await greeted();
  await greeted();
  relay.child.kill('SIGTERM');
  const { code, err } = await relay.ended;
  upstream.stop();
  assert.is(code, 0);
  assert.match(err, /^ehlowire: log closed: standard output: .*\n$/);
});

test.run();
