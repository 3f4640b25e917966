// Accepting where many wait: more than one in a turn of the event loop, and never all.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { acceptWaiting } from '../../../proxy/sockets/accept';

const ROWS = [
  { name: 'few wait: one a turn, as ever', clients: 10, most: 0 },
  { name: 'many wait: half of them', clients: 60, most: 30 },
  { name: 'a flood waits: so many at once, and the others have their turn', clients: 400, most: 64 },
];

for (const { name, clients, most } of ROWS) {
  test(name, async () => {
    let first: number | undefined;
    const accepted: Socket[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      accepted.push(socket);
      const more = [...acceptWaiting(server, { allowHalfOpen: true, noDelay: true })];
      first ??= more.length;
      accepted.push(...more);
    });
    server.listen(0, '127.0.0.1', 1_024);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    // The kernel completes them before this process has another turn.
    const calls = Array.from({ length: clients }, () => connect({ port, host: '127.0.0.1' }));
    const answers = calls.map(async (socket, i) => {
      socket.write(`${i}\n`);
      const [octets] = (await once(socket, 'data')) as [Buffer];
      return octets.toString();
    });
    server.on('connection', echo);
    await Promise.all(calls.map((socket) => once(socket, 'connect')));
    while (accepted.length < clients) await new Promise((resolve) => setTimeout(resolve, 1));
    // What came by the other way is a socket as any.
    for (const socket of accepted) if (socket.listenerCount('data') === 0) echo(socket);
    assert.equal(
      await Promise.all(answers),
      calls.map((_, i) => `${i}\n`),
    );
    assert.ok((first ?? 0) <= most, `${first} at once`);
    assert.ok(most === 0 || (first ?? 0) > 1, `${first} at once`);
    for (const socket of [...calls, ...accepted]) socket.destroy();
    server.close();
    await once(server, 'close');
  });
}

function echo(socket: Socket): void {
  socket.on('data', (octets: Buffer) => socket.write(octets));
}

test.run();
