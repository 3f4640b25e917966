// Peers that never read: a client under a flood of replies, a server under a flood of message text.

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How much each of them is sent at most, in octets: more than all buffers on the way hold. */
const FLOOD = 64 * 1024 * 1024;

interface Deaf {
  /** Port of the server. */
  readonly port: number;
  /** Octets that its sender has got rid of so far, of each connection. */
  sent(): readonly number[];
  /** The deaf side reads: octets that came to it until all senders were done. */
  listen(): Promise<number>;
  stop(): Promise<void>;
}

/** A server that floods its clients with an endless EHLO reply. `call` makes clients that do not read. */
export async function startFlooder(): Promise<Deaf & { call(port: number): void }> {
  const senders: Socket[] = [];
  const clients: Socket[] = [];
  const written: number[] = [];
  const line = Buffer.from(`250-${'x'.repeat(70)}\r\n`.repeat(1024));
  const server = await listenOn((socket) => {
    const index = senders.push(socket) - 1;
    socket.write('220 flood.example ESMTP\r\n');
    socket.once('data', () => flood(socket, line, (octets) => (written[index] = octets)));
  });
  return {
    port: portOf(server),
    sent: () => written,
    call(port) {
      const client = connect({ host: '127.0.0.1', port });
      client.on('error', () => undefined);
      clients.push(client);
      client.write('EHLO deaf.example\r\n');
    },
    listen: () => drain(clients),
    stop: () => stop(server, [...senders, ...clients]),
  };
}

/** A server that stops reading behind its 354. `call` makes clients that send it message text. */
export async function startDeafServer(): Promise<Deaf & { call(port: number): void }> {
  const servers: Socket[] = [];
  const clients: Socket[] = [];
  const written: number[] = [];
  const line = Buffer.from(`${'x'.repeat(70)}\r\n`.repeat(1024));
  const server = await listenOn((socket) => {
    servers.push(socket);
    socket.write('220 deaf.example ESMTP\r\n');
    socket.on('data', (chunk) => {
      if (!chunk.includes('DATA')) return void socket.write('250 fine\r\n');
      socket.removeAllListeners('data');
      socket.pause();
      socket.write('354 go ahead\r\n');
    });
  });
  return {
    port: portOf(server),
    sent: () => written,
    call(port) {
      const client = connect({ host: '127.0.0.1', port });
      const index = clients.push(client) - 1;
      const say = ['EHLO a.example\r\n', 'MAIL FROM:<>\r\n', 'RCPT TO:<bob@dest.example>\r\n', 'DATA\r\n'];
      client.on('error', () => undefined);
      client.on('data', () => {
        const next = say.shift();
        if (next !== undefined) client.write(next);
        else flood(client, line, (octets) => (written[index] = octets));
      });
    },
    listen: () => drain(servers),
    stop: () => stop(server, [...servers, ...clients]),
  };
}

/** Writes as fast as it is taken, and tells how much was. */
function flood(socket: Socket, piece: Buffer, tell: (octets: number) => void): void {
  let octets = 0;
  const more = (): void => {
    while (octets < FLOOD && socket.writable) {
      octets += piece.length;
      tell(octets);
      if (!socket.write(piece)) return void socket.once('drain', more);
    }
    socket.end();
  };
  more();
}

/** Resolves with all octets that came, when every socket has ended. */
async function drain(sockets: readonly Socket[]): Promise<number> {
  let octets = 0;
  await Promise.all(
    sockets.map((socket) => {
      socket.on('data', (chunk) => (octets += chunk.length)).on('end', () => socket.end());
      socket.resume();
      return new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
    }),
  );
  return octets;
}

/** Waits until the senders are stuck: nothing more was taken for a second. */
export async function untilStuck(...deaf: readonly Deaf[]): Promise<void> {
  for (let before = -1, now = 0; before !== now || now === 0;) {
    before = now;
    await sleep(1_000);
    now = deaf.flatMap((it) => it.sent()).reduce((sum, it) => sum + it, 0);
  }
}

function listenOn(onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function stop(server: Server, sockets: readonly Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}
