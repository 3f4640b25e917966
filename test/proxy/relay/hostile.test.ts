// Hostile endings: whatever either side does to its socket, nothing of the connection stays, and the relay's own
// count of sockets is the kernel's.

import { once } from 'node:events';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clients as rowsClients, greet, ROWS, rst, SHORT, timeouts, type Row } from './hostile.table';
import { relaySockets, timers } from './kernel';
import { call, eventually, firstOf, GREETING, politely, sleep, type Peer } from './peers';
import { onStage, type Stage } from './stage';

/** No socket, in the relay's count and in the kernel's; no place under a cap. */
async function isEmpty({ relay, port, server }: Stage): Promise<void> {
  const { counters } = relay;
  await eventually('no socket is left', () => counters.sockets === 0 && counters.active === 0);
  assert.is(relaySockets(port, server.port), 0, 'the kernel has sockets of the relay');
}

const playRow = ({ play = greet, wishes = {}, patient = false, act }: Row): Promise<void> =>
  onStage(play, patient ? wishes : { ...wishes, timeouts }, async (stage) => {
    await act(stage);
    await isEmpty(stage);
  });

const endRow = ({ play = greet, wishes = {}, act }: Row): Promise<void> =>
  onStage(play, wishes, async (stage) => {
    const { relay, port, server } = stage;
    // What waits for a timeout will not see it, and finds its peer gone.
    await Promise.race([act(stage).catch(() => undefined), sleep(SHORT)]);
    await relay.stop();
    assert.is(relay.counters.sockets, 0);
    assert.is(relaySockets(port, server.port), 0);
  });

// All wait at the same time.
for (const [when, run] of [
  ['', playRow],
  ['ended by the relay: ', endRow],
] as const) {
  let scenes: readonly Promise<unknown>[] | undefined;
  const outcome = (index: number): Promise<unknown> | undefined => {
    scenes ??= ROWS.map((row) => run(row).catch((error: unknown) => error));
    return scenes[index];
  };
  for (const [index, { name }] of ROWS.entries()) {
    test(when + name, async () => {
      const error = await outcome(index);
      if (error !== undefined) throw error;
    });
  }
}

test('while connections are open, the count is the kernel’s', () =>
  onStage(greet, {}, async (stage) => {
    const clients = await Promise.all(Array.from({ length: 7 }, () => call(stage.port)));
    await Promise.all(clients.map((client) => client.expect(GREETING)));
    assert.is(stage.relay.counters.sockets, 14);
    assert.is(relaySockets(stage.port, stage.server.port), 14);
    rst(firstOf(clients));
    await eventually('one less', () => stage.relay.counters.sockets === 12);
    assert.is(relaySockets(stage.port, stage.server.port), 12);
    for (const { socket } of clients) socket.destroy();
  }));

type Act = (peer: Peer) => unknown;
const ACTS: Readonly<Record<string, Act>> = {
  'says a line': ({ socket }) => socket.writable && socket.write('NOOP\r\n'),
  'says much': ({ socket }) => socket.writable && socket.write(Buffer.alloc(400_000, 'x\r\n')),
  'reads no more': ({ socket }) => socket.pause(),
  'reads again': ({ socket }) => socket.resume(),
  FIN: ({ socket }) => socket.writable && socket.end(),
  RST: rst,
  closes: ({ socket }) => socket.destroy(),
  waits: () => undefined,
};

const step = fc.tuple(
  fc.constantFrom('client' as const, 'server' as const),
  fc.constantFrom(...Object.keys(ACTS)),
  fc.nat(8),
);

test('any sequence of what either side does ends with nothing', () =>
  onStage(greet, { timeouts }, async (stage) => {
    const before = timers();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 9 }), fc.boolean(), async (steps, reset) => {
        const met = stage.server.peers.length;
        const client = await call(stage.port);
        await eventually('the server is reached', () => stage.server.peers.length > met);
        const peers = { client, server: stage.server.peers[met] ?? client };
        for (const [side, act, ms] of steps) {
          ACTS[act]?.(peers[side]);
          if (ms > 4) await sleep(ms);
        }
        for (const peer of Object.values(peers)) {
          if (reset) rst(peer);
          else peer.socket.destroy();
        }
        await isEmpty(stage);
        await eventually('no timer is left', () => timers() <= before);
      }),
      { numRuns: 60 },
    );
  }));

test('two thousand, and the cap is as it was', () =>
  onStage(politely, { relay: { maxConnections: 100 } }, async (stage) => {
    for (let round = 0; round < 25; round++) {
      const clients = await Promise.all(Array.from({ length: 80 }, () => call(stage.port)));
      for (const client of clients) client.say('EHLO a\r\n'.repeat(50));
      await Promise.all(clients.map(({ chunks }) => eventually('a word', () => chunks.length > 0)));
      for (const { socket } of clients) socket.destroy();
      await Promise.all(clients.map(({ socket }) => socket.closed || once(socket, 'close')));
      await eventually('room', () => stage.relay.counters.active === 0);
    }
    assert.is(stage.relay.counters.sockets, 0);
    assert.is(relaySockets(stage.port, stage.server.port), 0);
  }));

test.after(() => rowsClients.forEach(({ socket }) => socket.destroy()));

test.run();
