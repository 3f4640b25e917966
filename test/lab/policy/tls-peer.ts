// A server that answers STARTTLS with prepared octets in prepared pieces, and keeps all that comes.

import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TlsPeer {
  readonly port: number;
  /** What the client with that EHLO gets for its STARTTLS and what it said before it, cut before each of these octets. */
  prepare(id: string, octets: Buffer, cuts: readonly number[]): void;
  /** All that came behind that client's EHLO. */
  received(id: string): Buffer;
  closed(id: string): boolean;
  stop(): Promise<void>;
}

interface Story {
  readonly octets: Buffer;
  readonly cuts: readonly number[];
  received: Buffer;
  closed: boolean;
}

const PAUSE_MS = 15;

export async function startTlsPeer(): Promise<TlsPeer> {
  const stories = new Map<string, Story>();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write('220 peer.example ESMTP\r\n');
    serve(socket, stories);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    prepare: (id, octets, cuts) =>
      void stories.set(id, { octets, cuts, received: Buffer.alloc(0), closed: false }),
    received: (id) => stories.get(id)?.received ?? Buffer.alloc(0),
    closed: (id) => stories.get(id)?.closed ?? false,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(socket: Socket, stories: ReadonlyMap<string, Story>): void {
  let story: Story | undefined;
  let unread = '';
  let tls = false;
  socket.on('close', () => {
    if (story) story.closed = true;
  });
  socket.on('data', (chunk) => {
    if (story) story.received = Buffer.concat([story.received, chunk]);
    if (tls) return;
    unread += chunk.toString('latin1');
    // As lenient as any server: LF alone ends a line.
    for (let end = unread.indexOf('\n'); end >= 0 && !tls; end = unread.indexOf('\n')) {
      const line = unread.slice(0, end).trim();
      unread = unread.slice(end + 1);
      const [verb = '', argument = ''] = line.split(/\s+/);
      if (verb.toUpperCase() === 'EHLO') {
        story ??= stories.get(argument);
        socket.write('250-peer.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n');
      } else if (verb.toUpperCase() === 'STARTTLS' && story) {
        tls = story.octets.includes('220');
        void say(socket, story);
      } else if (verb.toUpperCase() === 'QUIT') {
        socket.end('221 2.0.0 bye\r\n');
      } else if (story?.octets.toString('latin1').startsWith('250') !== true) {
        // Where the prepared octets begin with another reply, it is the one to this command.
        socket.write('250 2.0.0 fine\r\n');
      }
    }
  });
}

async function say(socket: Socket, { octets, cuts }: Story): Promise<void> {
  const places = [0, ...cuts.filter((at) => at > 0 && at < octets.length), octets.length];
  for (const [i, from] of places.slice(0, -1).entries()) {
    if (i > 0) await sleep(PAUSE_MS);
    if (socket.writable) socket.write(octets.subarray(from, places[i + 1]));
  }
}
