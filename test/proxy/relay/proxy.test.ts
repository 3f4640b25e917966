// The PROXY protocol on the relay: who may bring a header, what is believed of it, what the upstream is told.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatLocalHeader,
  formatProxyHeader,
  parseProxyHeader,
} from '../../../inspect/grammar/proxy-header';
import { call, eventually, GREETING, politely, type Peer } from './peers';
import { closeOf, onStage, upstreamOf, type Stage } from './stage';

const CLIENT = { address: '198.51.100.7', port: 4321 };
const SERVER = { address: '203.0.113.25', port: 25 };
const LOOPBACK = ['127.0.0.0/8'];
const proxied = { listeners: [{ proxyIn: true }], trusted: LOOPBACK };
const greet = (peer: Peer): void => peer.say(GREETING);

const clientOf = ({ sink }: Stage): unknown => sink.lines[0]?.connection?.client;

for (const version of [1, 2] as const) {
  test(`in, v${version}: the record names the header's client, and the header goes no further`, () =>
    onStage(greet, proxied, async (stage) => {
      const balancer = await call(stage.port);
      balancer.say(Buffer.concat([formatProxyHeader(version, CLIENT, SERVER), Buffer.from('EHLO vm\r\n')]));
      await balancer.expect(GREETING);
      const upstream = await upstreamOf(stage);
      assert.is(await upstream.expect('EHLO vm\r\n'), 'EHLO vm\r\n');
      assert.equal(clientOf(stage), CLIENT);
      balancer.socket.destroy();
    }));

  test(`out, v${version}: the upstream is told of the client before anything else`, () =>
    onStage(greet, { listeners: [{ proxyOut: `v${version}` }] }, async (stage) => {
      const client = await call(stage.port);
      client.say('EHLO vm\r\n');
      const upstream = await upstreamOf(stage);
      await upstream.expect('EHLO vm\r\n');
      const parsed = parseProxyHeader(Buffer.concat(upstream.chunks));
      if (parsed.kind !== 'header') throw new Error(parsed.kind);
      assert.equal(parsed.source, { address: '127.0.0.1', port: client.socket.localPort });
      assert.equal(parsed.destination, { address: '127.0.0.1', port: stage.port });
      assert.is(upstream.text().slice(parsed.length), 'EHLO vm\r\n');
      client.socket.destroy();
    }));
}

test('in and out: the client is handed on', () =>
  onStage(greet, { ...proxied, listeners: [{ proxyIn: true, proxyOut: 'v1' }] }, async (stage) => {
    const balancer = await call(stage.port);
    balancer.say(formatProxyHeader(2, CLIENT, SERVER));
    const upstream = await upstreamOf(stage);
    await upstream.expect('PROXY TCP4 198.51.100.7 203.0.113.25 4321 25\r\n');
    balancer.socket.destroy();
  }));

const CHECKS: readonly { out: 'v1' | 'v2'; want: (balancer: Peer, port: number) => Uint8Array }[] = [
  {
    // Postfix answers UNKNOWN with 421, and the checker takes it for down.
    out: 'v1',
    want: ({ socket }, port) => {
      const own = { address: '127.0.0.1', port: socket.localPort ?? 0 };
      return formatProxyHeader(1, own, { address: '127.0.0.1', port });
    },
  },
  { out: 'v2', want: () => formatLocalHeader() },
];

for (const { out, want } of CHECKS) {
  test(`in, out-${out}: a health check stays one`, () =>
    onStage(greet, { ...proxied, listeners: [{ proxyIn: true, proxyOut: out }] }, async (stage) => {
      const balancer = await call(stage.port);
      balancer.say(Buffer.concat([formatLocalHeader(), Buffer.from('QUIT\r\n')]));
      const upstream = await upstreamOf(stage);
      const header = want(balancer, stage.port);
      await upstream.expect('QUIT\r\n');
      assert.is(upstream.text().slice(0, header.length), Buffer.from(header).toString('latin1'));
      assert.is((clientOf(stage) as typeof CLIENT).address, '127.0.0.1');
      balancer.socket.resetAndDestroy();
      await eventually('the session', () => stage.sink.of('session').length === 1);
      assert.equal(stage.sink.of('session')[0]?.proxy, { version: 2, command: 'local' });
    }));
}

/** An authority, TLS with a version inside, something unknown, and a checksum of zeros that is to be made anew. */
const EXTENSIONS = Buffer.from(
  ['0200076d782e74657374', '20000f0100000000210007544c5376312e33', 'ee0003010203'].join(''),
  'hex',
);

test('in, out-v2: extensions go along as they came, the checksum made anew', () =>
  onStage(greet, { ...proxied, listeners: [{ proxyIn: true, proxyOut: 'v2' }] }, async (stage) => {
    const balancer = await call(stage.port);
    const all = Buffer.concat([EXTENSIONS, Buffer.from('03000400000000', 'hex')]);
    const header = formatProxyHeader(2, CLIENT, SERVER, all);
    balancer.say(header);
    const upstream = await upstreamOf(stage);
    await eventually('a header', () => upstream.text().length >= header.length);
    assert.is(upstream.text(), Buffer.from(header).toString('latin1'));
    balancer.socket.destroy();
  }));

test('in, out-v2: more extensions than a server reads are left out, and that is said', () =>
  onStage(greet, { ...proxied, listeners: [{ proxyIn: true, proxyOut: 'v2' }] }, async (stage) => {
    const balancer = await call(stage.port);
    const noop = Buffer.alloc(3 + 5_000);
    noop.writeUInt8(4);
    noop.writeUInt16BE(5_000, 1);
    balancer.say(formatProxyHeader(2, CLIENT, SERVER, noop));
    const upstream = await upstreamOf(stage);
    const header = formatProxyHeader(2, CLIENT, SERVER);
    await eventually('a header', () => upstream.text().length >= header.length);
    assert.is(upstream.text(), Buffer.from(header).toString('latin1'));
    assert.ok(stage.sink.notes.some(({ what }) => what === 'proxy-extensions-left-out'));
    balancer.socket.destroy();
  }));

test('an IPv4 client that came mapped is IPv4 in the record and upstream', () =>
  onStage(greet, { ...proxied, listeners: [{ proxyIn: true, proxyOut: 'v1' }] }, async (stage) => {
    const balancer = await call(stage.port);
    balancer.say('PROXY TCP6 ::ffff:198.51.100.7 ::FFFF:cb00:7119 4321 25\r\n');
    const upstream = await upstreamOf(stage);
    await upstream.expect('PROXY TCP4 198.51.100.7 203.0.113.25 4321 25\r\n');
    assert.equal(clientOf(stage), CLIENT);
    balancer.socket.destroy();
  }));

test('in, octet by octet', () =>
  onStage(greet, proxied, async (stage) => {
    const balancer = await call(stage.port);
    for (const octet of formatProxyHeader(1, CLIENT, SERVER)) {
      balancer.say(Uint8Array.of(octet));
      await new Promise(setImmediate);
    }
    await balancer.expect(GREETING);
    assert.equal(clientOf(stage), CLIENT);
    balancer.socket.destroy();
  }));

test('the cap per client counts the clients, not their balancer', () =>
  onStage(
    greet,
    { ...proxied, limits: { connectionsPerClient: { most: 1, chosen: true } } },
    async (stage) => {
      const come = async (address: string): Promise<Peer> => {
        const balancer = await call(stage.port);
        balancer.say(formatProxyHeader(1, { address, port: 1 }, SERVER));
        return balancer;
      };
      const peers = [await come('198.51.100.1'), await come('198.51.100.2')];
      for (const peer of peers) await peer.expect(GREETING);
      const again = await come('198.51.100.1');
      await again.expect('421 4.7.0');
      for (const peer of [...peers, again]) peer.socket.destroy();
    },
  ));

interface Row {
  readonly name: string;
  readonly trusted?: readonly string[];
  readonly say: string | Buffer;
  readonly rule?: string;
  readonly why: string;
}

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const REFUSED: readonly Row[] = [
  {
    name: 'a stranger',
    trusted: ['192.0.2.0/24'],
    say: 'PROXY UNKNOWN\r\n',
    rule: 'proxy-source',
    why: 'not a trusted proxy',
  },
  { name: 'a command', say: 'EHLO vm\r\n', why: 'no PROXY header: an SMTP command (EHLO) came' },
  {
    name: 'a credential',
    say: 'AUTH PLAIN AHgAeQ==\r\n',
    why: 'no PROXY header: an SMTP command (AUTH) came',
  },
  {
    name: 'TLS',
    say: Buffer.from('1603010200010001fc', 'hex'),
    why: 'no PROXY header: a TLS ClientHello came',
  },
  { name: 'HTTP', say: 'GET / HTTP/1.1\r\n\r\n', why: 'no PROXY header: an HTTP request came' },
  { name: 'SSH', say: 'SSH-2.0-x\r\n', why: 'no PROXY header: an SSH greeting came' },
  { name: 'lower case', say: 'proxy tcp4\r\n', why: 'no PROXY header: a PROXY v1 header in lower case came' },
  { name: 'a secret', say: 'c2VjcmV0\r\n', why: 'no PROXY header: text that is no SMTP command came' },
  { name: 'binary', say: Buffer.from('00ff', 'hex'), why: 'no PROXY header: binary octets came' },
  { name: 'a wrong header', say: 'PROXY TCP4 x y 1 2\r\n', why: 'PROXY v1: bad address or port' },
  {
    name: 'version 3',
    say: Buffer.from(`${SIGNATURE}31110000`, 'hex'),
    why: 'PROXY v2 with wrong version 3',
  },
  {
    name: 'a checksum that does not match',
    say: Buffer.from(`${SIGNATURE}21110013c6336407cb00711910e1001903000400000001`, 'hex'),
    why: 'PROXY v2 whose checksum does not match',
  },
  { name: 'none in time', say: '', why: 'no header in time: nothing came' },
  {
    name: 'not whole in time',
    say: 'PROXY',
    why: 'no header in time: only the beginning of one came, 5 octets',
  },
];

for (const { name, trusted = LOOPBACK, say, rule = 'proxy-header', why } of REFUSED) {
  test(`refused without a word: ${name}`, () =>
    onStage(greet, { ...proxied, trusted, timeouts: { proxyHeader: 40 } }, async (stage) => {
      const peer = await call(stage.port);
      if (say.length > 0) peer.say(say);
      await peer.ending();
      assert.is(peer.text(), '');
      assert.equal(
        stage.sink.of('blocked').map((event) => [event.rule, event.action, event.detail]),
        [[rule, 'close', why]],
      );
      assert.equal(await closeOf(stage.sink), { by: 'shim', how: 'fin', reason: rule });
      await eventually('room', () => stage.relay.counters.active === 0);
      assert.is(stage.server.peers.length, 0);
    }));
}

test('a client that leaves before its header is complete takes no place', () =>
  onStage(greet, proxied, async (stage) => {
    const peer = await call(stage.port);
    peer.socket.end('PROXY TCP4 ');
    await eventually('blocked', () => stage.sink.of('blocked').length === 1);
    assert.equal(await closeOf(stage.sink), { by: 'client', how: 'fin' });
    assert.is(stage.relay.counters.active, 0);
  }));

test('stopped in the midst of a header: the record says why', () =>
  onStage(greet, proxied, async (stage) => {
    const peer = await call(stage.port);
    peer.say('PROXY TCP4 ');
    await eventually('it is inside', () => stage.relay.counters.active === 1);
    await stage.relay.stop();
    assert.equal(await closeOf(stage.sink), { by: 'shim', how: 'fin', reason: 'shutdown' });
  }));

for (const version of [1, 2] as const) {
  test(`on other listeners a v${version} header passes, is shown, and is no command`, () =>
    onStage(politely, {}, async (stage) => {
      const client = await call(stage.port);
      client.say(formatProxyHeader(version, CLIENT, SERVER));
      const upstream = await upstreamOf(stage);
      await eventually('reported', () =>
        stage.sink.of('anomaly').some(({ anomaly }) => anomaly === 'proxy-header'),
      );
      const passed = (): boolean => parseProxyHeader(Buffer.concat(upstream.chunks)).kind === 'header';
      await eventually('it passed', passed);
      assert.not.ok(stage.sink.of('anomaly').some(({ anomaly }) => anomaly === 'early-talker'));
      client.socket.resetAndDestroy();
      await eventually('the session', () => stage.sink.of('session').length === 1);
      const want = { version, command: 'proxy', source: CLIENT, destination: SERVER };
      assert.equal(stage.sink.of('session')[0]?.proxy, want);
    }));
}

test.run();
