// The record of live sessions: phases, codes, times that add up, TLS facts, and nothing that is not to be there.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import * as assert from 'uvu/assert';
import { clientNamed, type Client } from './peers/clients';
import { startRelay, type LogLine, type Relayed } from '../kit/ehlowire';
import { labSuite, type Need } from '../kit/lab';
import { RECIPIENT, SENDER, makeMessage, writeMessage } from '../kit/message';
import { startPostfix, type Postfix } from './peers/postfix';
import { run, scratch } from '../kit/process';
import { startScripted, type Scripted, type Step } from './peers/scripted';
import { linesOf, phasesOf, storiesOf, type Story } from './record';

const lab = labSuite('record');
const [swaks, curl] = ['swaks', 'curl'].map(clientNamed) as [Client, Client];
let postfix: Postfix;
let message: string;

lab.before(async () => {
  postfix = await startPostfix();
  message = writeMessage(join(scratch('message'), 'message.eml'), makeMessage({ octets: 2_048 }));
});

lab.after(() => postfix.stop());

/** A relay before a server for as long as the scene takes; its log's octets and what it says of the server. */
async function record(
  server: { readonly port: number },
  scene: (port: number) => Promise<void>,
): Promise<{ readonly stories: readonly Story[]; readonly log: Buffer }> {
  const relay: Relayed = await startRelay([`127.0.0.1:${server.port}`]);
  await scene(relay.ports[0] ?? 0);
  const stories = await storiesOf(relay, server.port, 1);
  await relay.stop();
  const log = readFileSync(relay.log);
  assert.is(relay.output(), '');
  relay.discard();
  return { stories, log };
}

async function deliver(client: Client, port: number, starttls: boolean): Promise<void> {
  const result = await client.deliver({ host: '127.0.0.1', port, path: message, starttls });
  assert.ok(result.ok, result.output);
}

lab.test('a message in the clear: every phase, its reply, its time', ['postfix', 'swaks'], async () => {
  const { stories } = await record(postfix, (port) => deliver(swaks, port, false));
  const [story = []] = stories;
  assert.equal(phasesOf(story), [
    ...['connect', 'greeting 220', 'hello 250', 'mail 250', 'rcpt 250', 'data 354'],
    ...['message 250', 'quit 221', 'close'],
  ]);
  assert.equal(fieldOf(story, 'message', 'bytes'), 2_048 + STUFFED + '.\r\n'.length);
  assert.equal(fieldOf(story, 'rcpt', 'argument'), `TO:<${RECIPIENT}>`);
  assert.equal(fieldOf(story, 'mail', 'reply.enhanced'), '2.1.0');
  assert.equal(fieldOf(story, 'close', 'close.by'), 'server');
  addsUp(story);
});

/** Dots that swaks' message got in front of those that begin a line. */
const STUFFED = 5;

lab.test('STARTTLS, by swaks: starttls, tls with its version and no SNI', ['postfix', 'swaks'], async () => {
  const { stories } = await record(postfix, (port) => deliver(swaks, port, true));
  const [story = []] = stories;
  assert.equal(phasesOf(story), ['connect', 'greeting 220', 'hello 250', 'starttls 220', 'tls', 'close']);
  assert.equal(fieldOf(story, 'tls', 'tls'), { version: 'TLSv1.3' });
  addsUp(story);
});

lab.test('STARTTLS, by openssl: version and SNI as it was told', ['postfix', 'openssl'], async () => {
  for (const version of ['1.2', '1.3']) {
    const { stories } = await record(postfix, async (port) => {
      const options = [`-tls${version.replace('.', '_')}`, '-servername', 'mx.dest.example'];
      const target = ['-connect', `127.0.0.1:${port}`, '-starttls', 'smtp'];
      const { output } = await run('openssl', ['s_client', ...target, ...options], { input: 'QUIT\r\n' });
      assert.match(output, `TLSv${version}`);
    });
    const [story = []] = stories;
    const facts = { version: `TLSv${version}`, sni: 'mx.dest.example' };
    assert.equal(fieldOf(story, 'tls', 'tls'), facts);
    assert.equal(linesOf(story, 'session')[0]?.['tls'], facts);
    addsUp(story);
  }
});

lab.test('several connections at a time: each adds up', ['postfix', 'curl'], async () => {
  const relay = await startRelay([`127.0.0.1:${postfix.port}`]);
  await Promise.all(Array.from({ length: 8 }, (_, i) => deliver(curl, relay.ports[0] ?? 0, i % 2 === 0)));
  for (const story of await storiesOf(relay, postfix.port, 8)) addsUp(story);
  await relay.stop();
  relay.discard();
});

function fieldOf(story: Story, phase: string, field: string): unknown {
  return linesOf(story, 'phase').find((line) => line['phase'] === phase)?.[field];
}

/** Waits and durations are the session's length, to the microsecond, and each phase starts where it should. */
function addsUp(story: Story): void {
  const micros = (line: LogLine | undefined, field: string): number =>
    Math.round(Number(line?.[field]) * 1000);
  let at = 0;
  for (const line of linesOf(story, 'phase')) {
    const waited = micros(line, 'waited_ms');
    assert.ok(waited >= 0, `${line['phase']} waited ${waited} us`);
    assert.is(micros(line, 'since_connect_ms'), at + waited, `${line['phase']} starts where it is said`);
    at += waited + micros(line, 'duration_ms');
  }
  const [session] = linesOf(story, 'session');
  assert.is(at, micros(session, 'duration_ms'));
}

const USER = 'carol-the-user';
const PASSWORD = 'Tr0ub4dor&3-of-hers';
const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
const SECRETS = [USER, PASSWORD, base64(USER), base64(PASSWORD), base64(`\0${USER}\0${PASSWORD}`)];

const HELLO: readonly Step[] = [
  { send: '220 mx.dest.example ESMTP\r\n' },
  { expect: /^EHLO / },
  { send: '250-mx.dest.example\r\n250 AUTH PLAIN LOGIN\r\n' },
];
const ACCEPTED: Step = { send: '235 2.7.0 welcome\r\n' };

interface AuthRow {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly steps: readonly Step[];
  readonly code: number;
  readonly login: (port: number) => Promise<unknown>;
}

const LOGIN: readonly Step[] = [
  { expect: /^AUTH LOGIN\r/ },
  { send: '334 VXNlcm5hbWU6\r\n' },
  { expect: new RegExp(`^${base64(USER)}\r`) },
  { send: '334 UGFzc3dvcmQ6\r\n' },
  { expect: new RegExp(`^${base64(PASSWORD)}\r`) },
];

const AUTHS: readonly AuthRow[] = [
  {
    name: 'PLAIN in one line, nodemailer',
    needs: [],
    steps: [{ expect: /^AUTH PLAIN \S+\r/ }, ACCEPTED],
    code: 235,
    login: (port) => byNodemailer(port, 'PLAIN'),
  },
  {
    name: 'LOGIN, nodemailer',
    needs: [],
    steps: [...LOGIN, ACCEPTED],
    code: 235,
    login: (port) => byNodemailer(port, 'LOGIN'),
  },
  {
    name: 'LOGIN, swaks',
    needs: ['swaks'],
    steps: [...LOGIN, ACCEPTED],
    code: 235,
    login: (port) => bySwaks(port, 'LOGIN'),
  },
  {
    name: 'PLAIN after a challenge, curl',
    needs: ['curl'],
    steps: [{ expect: /^AUTH PLAIN\r/ }, { send: '334 \r\n' }, { expect: /^\S+\r/ }, ACCEPTED],
    code: 235,
    login: byCurl,
  },
  {
    name: 'refused, with what was given in the reply',
    needs: ['swaks'],
    steps: [...LOGIN, { send: `535 5.7.8 no ${USER} with ${PASSWORD} here\r\n` }],
    code: 535,
    login: (port) => bySwaks(port, 'LOGIN'),
  },
];

async function byNodemailer(port: number, authMethod: string): Promise<void> {
  const auth = { user: USER, pass: PASSWORD };
  const transport = createTransport({ host: '127.0.0.1', port, ignoreTLS: true, auth, authMethod });
  await transport.sendMail({ from: SENDER, to: RECIPIENT, text: 'hello' });
  transport.close();
}

function bySwaks(port: number, method: string): Promise<unknown> {
  const account = ['--auth-user', USER, '--auth-password', PASSWORD];
  const envelope = ['--from', SENDER, '--to', RECIPIENT, '--helo', 'client.example'];
  return run('swaks', [
    '--server',
    '127.0.0.1',
    '--port',
    `${port}`,
    '--auth',
    method,
    ...account,
    ...envelope,
  ]);
}

function byCurl(port: number): Promise<unknown> {
  const account = ['--user', `${USER}:${PASSWORD}`, '--login-options', 'AUTH=PLAIN'];
  const envelope = ['--mail-from', SENDER, '--mail-rcpt', RECIPIENT, '--upload-file', message];
  return run('curl', [
    '--silent',
    '--url',
    `smtp://127.0.0.1:${port}/client.example`,
    ...account,
    ...envelope,
  ]);
}

for (const row of AUTHS) {
  lab.test(`no credentials anywhere: ${row.name}`, [...row.needs, 'postfix'], async () => {
    const server = await startScripted({ steps: [...HELLO, ...row.steps] });
    const { stories, log } = await record(server, async (port) => void (await row.login(port)));
    await server.stop();
    sawSecrets(server);
    const [story = []] = stories;
    assert.is(fieldOf(story, 'auth', 'reply.code'), row.code);
    assert.equal(
      SECRETS.filter((secret) => log.includes(secret)),
      [],
    );
    addsUp(story);
  });
}

/** The server did get them: a client that sent none would prove nothing. */
function sawSecrets(server: Scripted): void {
  const received = server.connections().map((it) => it.received.toString('latin1'));
  const text = received.join('').replace(/\r\n/g, ' ');
  assert.ok(text.includes(base64(PASSWORD)) || text.includes(base64(`\0${USER}\0${PASSWORD}`)), text);
}

lab.test('control characters of either peer are escaped', ['postfix'], async () => {
  const evil = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i))
    .filter((char) => !'\r\n'.includes(char))
    .join('');
  const server = await startScripted({
    steps: [
      { send: `220 mx.dest.example \x1b]0;owned\x07 ${evil}\r\n` },
      { expect: /^EHLO / },
      { send: `250 ${evil}\r\n` },
      { expect: /^MAIL / },
      { send: `550 5.7.1 \x1b[2J${evil}\r\n` },
      { expect: /^\x1b/ },
      { send: `500 \r${evil}\r\n` },
      { end: 'close' },
    ],
  });
  const { stories, log } = await record(server, async (port) => {
    const client = connect({ host: '127.0.0.1', port });
    client.on('error', () => undefined);
    const ended = new Promise((resolve) => client.once('close', resolve));
    client.on('data', (chunk: Buffer) => {
      const code = chunk.toString('latin1').slice(0, 3);
      if (code === '220') client.write(`EHLO \x1b[31m${evil}\r\n`, 'latin1');
      if (code === '250') client.write(`MAIL FROM:<\x1b[31m"${evil}>\r\n`, 'latin1');
      if (code === '550') client.write(`\x1b[31m${evil}\r\n`, 'latin1');
      if (code === '500') client.end();
    });
    await ended;
  });
  await server.stop();
  // The record's own mark of what it left out.
  const text = Buffer.from(log.toString('utf8').replaceAll('…', ''));
  const raw = text.filter((octet) => octet !== 0x0a && (octet < 0x20 || octet > 0x7e));
  assert.equal([...raw], [], 'printable ASCII and line feeds, nothing else');
  const [story = []] = stories;
  assert.match(String(fieldOf(story, 'hello', 'argument')), /^\(\d+ octets, binary\)$/);
  assert.match(String(fieldOf(story, 'greeting', 'reply.text')), /\\x1b\]0/);
  // Inside the values as well: `\u001b` in JSON would come alive again in whatever prints it.
  for (const line of story) assert.not.match(JSON.stringify(line), /\\u00[01]|[\x7f-\xff]/);
});

lab.run();
