// What is no SMTP greeting crosses the relay as it comes: the patience is an hour, so what is held never arrives.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { ListenerConfig } from '../../../proxy/config/config';
import { CERTIFICATE, KEY } from '../../kit/certificate';
import { call, eventually, peerOf } from './peers';
import { configOf, onStage, openRelay, type Remembered, rememberingSink, upstreamOf } from './stage';

const HOUR = { greeting: { patienceMs: 3_600_000 } };
const AT_ONCE = 12;

/** Greets, and answers QUIT; TLS from the first octet on. */
async function secureServer(version: tls.SecureVersion): Promise<tls.Server> {
  const options = { cert: CERTIFICATE, key: KEY, minVersion: version, maxVersion: version };
  const server = tls.createServer(options, (socket) => {
    socket.on('error', () => undefined);
    socket.write('220 mta.example ESMTP\r\n');
    socket.on('data', () => socket.end('221 bye\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

interface Talk {
  readonly text: string;
  readonly reused: boolean;
  readonly session: Buffer | undefined;
}

/** One session to its end. */
async function talk(port: number, session?: Buffer): Promise<Talk> {
  const options = { host: '127.0.0.1', port, servername: 'mta.example', rejectUnauthorized: false };
  const socket = tls.connect({ ...options, ...(session && { session }) });
  const got: { text: string; session: Buffer | undefined } = { text: '', session: undefined };
  socket.on('session', (fresh) => (got.session = fresh));
  socket.on('data', (bytes: Buffer) => {
    got.text += bytes.toString('latin1');
    if (bytes.includes('220 ')) socket.write('QUIT\r\n');
  });
  await once(socket, 'end');
  const reused = socket.isSessionReused();
  socket.end();
  return { ...got, reused };
}

async function throughRelay(
  version: tls.SecureVersion,
  listener: Partial<ListenerConfig>,
  scene: (port: number, sink: Remembered) => Promise<void>,
): Promise<void> {
  const server = await secureServer(version);
  const sink = rememberingSink();
  const { port } = server.address() as AddressInfo;
  const relay = await openRelay(configOf(port, { ...HOUR, listeners: [listener] }), sink);
  try {
    await scene(relay.addresses[0]?.port ?? 0, sink);
  } finally {
    await relay.stop();
    server.close();
  }
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const listener of [{}, { repair: 'now' }, { repair: 'never' }, { tls: 'implicit' }] as const) {
    test(`${version} at a port that is not 465, resumed, ${AT_ONCE} at a time: ${JSON.stringify(listener)}`, () =>
      throughRelay(version, listener, async (port, sink) => {
        const first = await talk(port);
        assert.ok(first.session, 'a session to resume');
        const rest = await Promise.all(Array.from({ length: AT_ONCE }, () => talk(port, first.session)));
        for (const { text, reused } of rest) {
          assert.is(text, '220 mta.example ESMTP\r\n221 bye\r\n');
          assert.ok(reused);
        }
        await eventually('all sessions are told', () => sink.of('session').length === 1 + AT_ONCE);
        const told = sink.of('session').map((session) => session.tls);
        assert.equal(new Set(told.map((facts) => JSON.stringify(facts))), new Set([JSON.stringify(told[0])]));
        assert.equal(told[0], { version, sni: 'mta.example' });
        for (const kind of ['repair', 'learned', 'anomaly'] as const) assert.equal(sink.of(kind), [], kind);
        assert.equal(
          sink.of('phase').filter(({ phase }) => phase === 'greeting'),
          [],
        );
      }));
  }
}

const SERVERS_FIRST: readonly string[] = [
  'SSH-2.0-x\r\n',
  '* OK ready\r\n',
  '+OK ready\r\n',
  'J\0\0\0\n8.0\0',
];

for (const text of SERVERS_FIRST) {
  test(`the server of another protocol speaks first: ${JSON.stringify(text)}`, () =>
    onStage(
      (peer) => peer.say(Buffer.from(text, 'latin1')),
      HOUR,
      async ({ port, sink }) => {
        const client = await call(port);
        assert.is(await client.expect(text), text);
        client.socket.resetAndDestroy();
        await eventually('it is over', () => sink.of('session').length === 1);
      },
    ));
}

test('a greeting that dribbles in: the client has each octet before the next one is sent', () =>
  onStage(
    () => undefined,
    HOUR,
    async (stage) => {
      const client = await call(stage.port);
      const server = await upstreamOf(stage);
      const greeting = '220-mta.example\r\n220 ready\r\n';
      let sent = '';
      for (const octet of greeting) {
        server.say(octet);
        sent += octet;
        // A code is nothing yet without its separator.
        const sure = sent.replace(/(^|\n)\d{1,3}$/, '$1');
        if (sure !== '') assert.is(await client.expect(sure), sure);
      }
      assert.equal(stage.sink.of('repair'), []);
    },
  ));

test('a health check that leaves during a teaser: no repair, with FIN and with RST', () =>
  onStage(
    (peer) => {
      peer.say('220-mta.example\r\n');
      // A server that ends what its client has ended.
      peer.socket.on('end', () => peer.socket.end());
    },
    HOUR,
    async ({ port, sink }) => {
      const polite = await call(port);
      await polite.expect('220-mta.example\r\n');
      polite.socket.end();
      await polite.ending();
      const rude = await call(port);
      await rude.expect('220-mta.example\r\n');
      rude.socket.resetAndDestroy();
      const silent = peerOf((await call(port)).socket);
      silent.socket.end();
      await eventually('all are over', () => sink.of('session').length === 3);
      assert.equal(sink.of('repair'), []);
      assert.equal(sink.of('learned'), []);
    },
  ));

test.run();
