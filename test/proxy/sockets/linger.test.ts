// A socket's way out: from every state, by every way, whatever the peer does meanwhile, it is closed.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createSockets, cut, dismiss, hurryAway, linger, reset } from '../../../proxy/sockets/linger';
import { rst } from '../relay/hostile.table';
import { relaySockets } from '../relay/kernel';
import { call, eventually, playServer, sleep, type Peer } from '../relay/peers';

const MUCH = Buffer.alloc(20_000_000, 'x');

/** What the socket, whose peer does not read, is in the midst of. */
const STATES: Readonly<Record<string, (socket: Peer['socket'], peer: Peer) => unknown>> = {
  idle: () => undefined,
  'octets wait': (socket) => socket.write(MUCH),
  'octets wait, and FIN behind them': (socket) => (socket.write(MUCH), socket.end()),
  'FIN asked for a moment ago': (socket) => socket.end(),
  'FIN sent': async (socket) => (socket.end(), await sleep(20)),
  'paused, and octets of the peer unread': (socket, peer) => (socket.pause(), peer.say('x')),
  'the peer has sent FIN': async (_socket, peer) => (peer.socket.end(), await sleep(20)),
  'the peer has sent RST': (_socket, peer) => rst(peer),
  destroyed: (socket) => socket.destroy(),
};

const WAYS: Readonly<Record<string, (socket: Peer['socket']) => void>> = {
  dismiss: (socket) => dismiss(socket, '421 4.3.2 x\r\n', 200),
  linger: (socket) => linger([socket], 200),
  hurryAway: (socket) => hurryAway(socket, '421 4.3.2 x\r\n'),
  reset,
  cut,
  'reset and cut': (socket) => (reset(socket), cut(socket)),
  'dismiss and reset': (socket) => (dismiss(socket, '', 200), reset(socket)),
  'reset twice': (socket) => (reset(socket), reset(socket)),
};

/** What the peer does then. */
const PEERS: Readonly<Record<string, (peer: Peer) => unknown>> = {
  nothing: () => undefined,
  RST: rst,
  closes: ({ socket }) => socket.destroy(),
  'RST, when the way out is half gone': async (peer) => (await sleep(1_100), rst(peer)),
};

async function play(state: string, way: string, then: string): Promise<void> {
  const server = await playServer(({ socket }) => void socket.pause());
  const sockets = createSockets();
  const { socket } = await call(server.port);
  sockets.keep(socket);
  await eventually('accepted', () => server.peers.length === 1);
  const [peer] = server.peers as [Peer];
  await STATES[state]?.(socket, peer);
  WAYS[way]?.(socket);
  await PEERS[then]?.(peer);
  // Node's `closed` is true before the descriptor is closed.
  await eventually('closed', () => sockets.open === 0);
  assert.is(relaySockets(0, server.port), 0);
  await server.close();
}

for (const way of Object.keys(WAYS)) {
  test(`${way}: from every state, whatever the peer does`, async () => {
    const failures = Object.keys(STATES).flatMap((state) =>
      Object.keys(PEERS).map((then) =>
        play(state, way, then).then(
          () => [],
          (error: unknown) => [`${state}, then the peer: ${then}: ${String(error)}`],
        ),
      ),
    );
    assert.equal((await Promise.all(failures)).flat(), []);
  });
}

test('reset is RST, also where FIN was sent or asked for', async () => {
  for (const state of ['idle', 'FIN asked for a moment ago', 'octets wait, and FIN behind them']) {
    const server = await playServer(() => undefined);
    const { socket } = await call(server.port);
    await eventually('accepted', () => server.peers.length === 1);
    const [peer] = server.peers as [Peer];
    if (state.startsWith('octets')) peer.socket.pause();
    await STATES[state]?.(socket, peer);
    reset(socket);
    await eventually('closed', () => socket.closed);
    peer.socket.resume();
    peer.say('x');
    assert.is(await peer.ending(), 'rst', state);
    await server.close();
  }
});

test('cut: octets that are dropped end in RST, never in FIN', async () => {
  const server = await playServer(({ socket }) => void socket.pause());
  const { socket } = await call(server.port);
  await eventually('accepted', () => server.peers.length === 1);
  const [peer] = server.peers as [Peer];
  socket.write(MUCH);
  cut(socket);
  await eventually('closed', () => socket.closed);
  peer.socket.resume();
  assert.is(await peer.ending(), 'rst');
  await server.close();
});

test.run();
