// The PROXY protocol on the relay: who may bring a header, what is believed of it, what the upstream is told.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatProxyHeader, parseProxyHeader } from '../../../proxy/relay/proxy-header';
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

test('in and out: a health check stays one', () =>
  onStage(greet, { ...proxied, listeners: [{ proxyIn: true, proxyOut: 'v1' }] }, async (stage) => {
    const balancer = await call(stage.port);
    balancer.say(formatProxyHeader(2, undefined, undefined));
    const upstream = await upstreamOf(stage);
    await upstream.expect('PROXY UNKNOWN\r\n');
    assert.is((clientOf(stage) as typeof CLIENT).address, '127.0.0.1');
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
  onStage(greet, { ...proxied, relay: { maxConnectionsPerClient: 1 } }, async (stage) => {
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
  }));

interface Row {
  readonly name: string;
  readonly trusted: readonly string[];
  readonly say: string;
  readonly rule: string;
}

const REFUSED: readonly Row[] = [
  { name: 'a stranger', trusted: ['192.0.2.0/24'], say: 'PROXY UNKNOWN\r\n', rule: 'proxy-source' },
  { name: 'no header', trusted: LOOPBACK, say: 'EHLO vm\r\n', rule: 'proxy-header' },
  { name: 'a wrong header', trusted: LOOPBACK, say: 'PROXY TCP4 x y 1 2\r\n', rule: 'proxy-header' },
  { name: 'none in time', trusted: LOOPBACK, say: 'PROXY', rule: 'proxy-header' },
];

for (const { name, trusted, say, rule } of REFUSED) {
  test(`refused without a word: ${name}`, () =>
    onStage(greet, { ...proxied, trusted, timeouts: { proxyHeader: 40 } }, async (stage) => {
      const peer = await call(stage.port);
      peer.say(say);
      await peer.ending();
      assert.is(peer.text(), '');
      assert.equal(
        stage.sink.of('blocked').map((event) => [event.rule, event.action]),
        [[rule, 'close']],
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

test('on other listeners a header is just what the client said', () =>
  onStage(politely, {}, async (stage) => {
    const client = await call(stage.port);
    client.say('PROXY UNKNOWN\r\n');
    const upstream = await upstreamOf(stage);
    await upstream.expect('PROXY UNKNOWN\r\n');
    await eventually('told', () =>
      stage.sink.of('anomaly').some(({ anomaly }) => anomaly === 'proxy-header'),
    );
    client.socket.destroy();
  }));

test.run();
