// The transparent relay on a router: client and server see one another and nobody else, IPv4 and IPv6.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../kit/ehlowire';
import { labSuite, type Need } from '../kit/lab';
import { makeMessage, RECIPIENT, SENDER, writeMessage, type TestMessage } from '../kit/message';
import { openMaildir, awaitMail } from './peers/maildir';
import { scratch, until, type Child } from '../kit/process';
import { writeStuffed } from './peers/stuffing';
import { AT, makeRouter, type Router } from './peers/router';
import { awaitWord } from '../kit/topology';
import { fieldsOf, linesOf, type Story } from './record';

const PORT = 8025;
const MARK = 7;
const PATIENCE_MS = 1_500;
const NEEDS: readonly Need[] = ['postfix', 'swaks', 'python3', 'nftables', 'smtp-source'];

const lab = labSuite('transparent');
const folder = scratch('transparent');
const log = join(folder, 'events');
let router: Router;
let servers: Child;
let relay: Child;

lab.before(async () => {
  const made = makeRouter(`ehlt${process.pid}`, { to: PORT, ports: [25, 587], mark: MARK });
  if (typeof made === 'string') throw new Error(made);
  router = made;
  const program = ['-r', 'ts-node/register/transpile-only', join(__dirname, 'transparent', 'mta.ts')];
  // The servers' own scratch folders lie in ours.
  servers = router.start('mta', 'env', `TMPDIR=${folder}`, process.execPath, ...program);
  await awaitWord(servers, 'ready', 60_000);
  relay = router.start(
    'shim',
    join(__dirname, '../../ehlowire'),
    ...['relay', '--transparent', '--listen', `:${PORT}`, '--log', log, '--set', `relay.mark=${MARK}`],
    ...['--set', 'evidence.interface=wan', '--set', `greeting.patience=${PATIENCE_MS}ms`],
    ...['--set', 'relay.timeouts.connect=4s'],
  );
  await until(
    'the relay to listen',
    () => {
      if (relay.process.exitCode !== null) throw new Error(`the relay ended: ${relay.output()}`);
      return events().some(({ event }) => event === 'listening') || undefined;
    },
    30_000,
  );
});

lab.after(async () => {
  await relay.stop();
  await servers.stop();
  router.remove();
});

function events(): readonly LogLine[] {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(0, -1) : [];
  return lines.map((line) => JSON.parse(line) as LogLine);
}

/** The lines of the last session of that server, once `count` of its sessions have ended. */
function storyOf(server: string, count: number): Promise<Story> {
  return until(`${count} sessions of ${server}`, () => {
    const lines = events().filter((line) => line['server.address'] === server);
    const ended = lines.filter(({ event }) => event === 'session');
    const last = ended.at(-1)?.['session'];
    return ended.length < count ? undefined : lines.filter(({ session }) => session === last);
  });
}

/** Postfix's folder below ours. */
function postfix(): { readonly maillog: string; readonly maildir: string } {
  const name = readdirSync(folder).find((each) => each.startsWith('ehlowire-postfix-')) ?? '';
  const maillog = readFileSync(join(folder, name, 'log', 'maillog'), 'utf8');
  return { maillog, maildir: join(folder, name, 'mail', 'inbox') };
}

type Deliver = (server: string, path: string) => ReturnType<Router['run']>;

const bySwaks: Deliver = (server, path) => swaks(server, path, '--tls');

/** The file's dots are stuffed here: swaks sends it as it is. */
const swaks = (server: string, path: string, ...more: readonly string[]): ReturnType<Router['run']> =>
  router.run(
    ...(['cli', 60_000, 'swaks', '--server', server, '--from', SENDER, '--to', RECIPIENT] as const),
    ...['--ehlo', 'client.example', '--timeout', '30', '--no-data-fixup', '--suppress-data', ...more],
    ...['--data', `@${writeStuffed(`${path}.stuffed`, readFileSync(path))}`],
  );

const bySmtplib: Deliver = (server, path) =>
  router.run(
    ...(['cli', 60_000, 'python3', join(__dirname, 'peers/smtplib_client.py'), server, '25'] as const),
    ...[SENDER, RECIPIENT, path, '30', 'starttls', '8bitmime'],
  );

function messageOf(octets: number): { readonly message: TestMessage; readonly path: string } {
  const message = makeMessage({ octets, eightBit: false });
  return { message, path: writeMessage(join(scratch('message'), 'message.eml'), message) };
}

for (const [name, deliver, family] of [
  ['swaks', bySwaks, 'v4'],
  ['swaks', bySwaks, 'v6'],
  ['smtplib', bySmtplib, 'v4'],
  ['smtplib', bySmtplib, 'v6'],
] as const) {
  lab.test(`${name}, ${family}, STARTTLS, 1 MiB: both see one another`, NEEDS, async () => {
    const [client, server] = [AT.cli[family], AT.mta[family]];
    const { message, path } = messageOf(1024 * 1024);
    const { code, output } = await deliver(server, path);
    assert.is(code, 0, output.slice(-2_000));
    const mail = await awaitMail({ ...openMaildir(postfix().maildir), log: () => '' }, message);
    assert.is(mail.hash(), message.hash);
    const count = events().filter((line) => line.event === 'session' && line['server.address'] === server);
    const story = await storyOf(server, count.length || 1);
    const [session] = linesOf(story, 'session');
    assert.is(session?.['client.address'], client);
    assert.ok(session?.['tls'], 'TLS is on record');
    // The server saw the very port.
    assert.match(postfix().maillog, ` connect from unknown[${client}]:${session?.['client.port']}`);
  });
}

for (const family of ['v4', 'v6'] as const) {
  lab.test(`${family}: a lone 220- is completed, and the next client does not wait`, NEEDS, async () => {
    const server = AT.other[family];
    const { path } = messageOf(1024);
    const held: number[] = [];
    for (const nth of [1, 2]) {
      const { code, output } = await swaks(server, path);
      assert.is(code, 0, output);
      held.push(...fieldsOf(await storyOf(server, nth), 'repair', 'held_ms').map(Number));
    }
    const [first = 0, second = PATIENCE_MS] = held;
    assert.ok(first >= PATIENCE_MS && second < PATIENCE_MS, `held for ${held.join(' and ')} ms`);
  });
}

lab.test("what was learned is each server's own", NEEDS, async () => {
  const learned = events().filter(({ event }) => event === 'learned');
  assert.equal(
    learned.map((line) => `${line['server.address']} ${line['greeting']}`).sort(),
    [
      `${AT.mta.v4} wellformed`,
      `${AT.other.v4} truncated`,
      `${AT.mta.v6} wellformed`,
      `${AT.other.v6} truncated`,
    ].sort(),
  );
});

const DOWN = [
  { name: 'nobody listens', at: AT.mta, port: 587, says: /^421 4\.4\.1 \S+ upstream connection refused$/m },
  { name: 'no way to it', at: AT.nobody, port: 25, says: /^421 4\.4\.1 \S+ upstream unreachable$/m },
] as const;

for (const { name, at, port, says } of DOWN) {
  for (const family of ['v4', 'v6'] as const) {
    lab.test(`${family}, ${name}: 421`, NEEDS, async () =>
      assert.match(await firstWords(at[family], port), says),
    );
  }
}

lab.test('no answer: 421 behind relay.timeouts.connect', NEEDS, async () => {
  // The last address of the server's network is nobody's.
  assert.match(await firstWords('198.19.0.200', 25), /^421 4\.4\.1 \S+ upstream timed out$/m);
});

for (const [name, address, port] of [
  ['its listening port', AT.wan.v4, PORT],
  ['its listening port, IPv6', AT.wan.v6, PORT],
  ['a mail port of the machine', AT.lan.v4, 25],
  ['a mail port of the machine, IPv6', AT.lan.v6, 25],
] as const) {
  lab.test(`to the relay itself, ${name}: 421, and no call`, NEEDS, async () => {
    assert.match(await firstWords(address, port), /^421 4\.3\.5 \S+ this is a transparent relay/m);
    const blocked = await until('it to be on record', () =>
      events().find(
        (line) =>
          line['rule'] === 'not-diverted' &&
          line['server.address'] === address &&
          line['server.port'] === port,
      ),
    );
    assert.is(blocked.event, 'blocked');
  });
}

lab.test('50 at a time', NEEDS, async () => {
  const before = events().filter(({ event }) => event === 'session').length;
  const { code, output } = await router.run(
    ...([
      'cli',
      60_000,
      'smtp-source',
      '-s',
      '50',
      '-m',
      '200',
      '-l',
      '4096',
      '-M',
      'client.example',
    ] as const),
    ...['-d', '-f', SENDER, '-t', RECIPIENT, `[${AT.mta.v4}]:25`],
  );
  assert.is(code, 0, output);
  await until('as many records as connections', () => {
    const sessions = events()
      .filter(({ event }) => event === 'session')
      .slice(before);
    const messages = sessions.reduce((sum, { messages }) => sum + Number(messages), 0);
    return messages === 200 || undefined;
  });
});

lab.test(
  'nothing is told of the path, which did nothing; no packet was odd, or without its mark',
  NEEDS,
  async () => {
    assert.equal(
      linesOf(events(), 'verdict').filter((line) => !GREETING.has(String(line['verdict']))),
      [],
    );
    assert.ok(
      linesOf(events(), 'session').some((line) => 'rtt_ms' in line),
      'the segments were watched',
    );
    assert.is(router.counted('invalid'), 0, 'invalid');
    assert.is(router.counted('unmarked'), 0, 'unmarked');
    assert.is(router.counted('forwarded'), 0, 'forwarded');
    assert.is(relay.output(), '');
  },
);

const GREETING: ReadonlySet<string> = new Set(['greeting-truncated']);

lab.test('without the relay the kernel finds no socket, and mail goes straight on', NEEDS, async () => {
  const { code } = await relay.stop();
  assert.is(code, 0);
  const { message, path } = messageOf(1024);
  const { code: sent, output } = await bySwaks(AT.mta.v4, path);
  assert.is(sent, 0, output);
  await awaitMail({ ...openMaildir(postfix().maildir), log: () => '' }, message);
  assert.ok(router.counted('forwarded') > 0);
});

/** What a client is told that says nothing. */
async function firstWords(address: string, port: number): Promise<string> {
  const script =
    'import socket,sys\ns = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)\nprint(s.makefile("rb").read().decode())';
  return (await router.run('cli', 30_000, 'python3', '-c', script, address, String(port))).output;
}

lab.run();
