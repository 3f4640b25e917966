// A real mail server with the incident's greeting: its first line says that there is more, and then nothing comes.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Target } from './peers/servers';

export interface Front {
  readonly port: number;
  /** Connections so far. */
  readonly count: number;
  stop(): Promise<void>;
}

interface FrontOptions {
  readonly behind: Pick<Target, 'host' | 'port'>;
  /**
   * Milliseconds after which the last line comes after all: only then does the server read what its client said
   * meanwhile. Absent: it never comes, and the server reads from the start.
   */
  readonly lateMs?: number;
}

/** `220 mx…` of the server behind becomes `220-mx…`; everything else passes as it is. */
export async function startFront({ behind, lateMs }: FrontOptions): Promise<Front> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    count += 1;
    const real = connect({ ...behind, allowHalfOpen: true, noDelay: true });
    for (const [one, other] of [
      [client, real],
      [real, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => sockets.delete(one));
    }
    void greet(client, real, lateMs);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get count() {
      return count;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function greet(client: Socket, real: Socket, lateMs: number | undefined): Promise<void> {
  const line = await firstLine(real);
  client.write(line.replace(/^220 /, '220-'), 'latin1');
  const goOn = (): void => {
    client.pipe(real);
    real.pipe(client);
  };
  if (lateMs === undefined) return goOn();
  setTimeout(() => {
    if (client.writable) client.write(LATE);
    goOn();
  }, lateMs);
}

function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const take = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (!text.includes('\n')) return;
      socket.off('data', take);
      socket.pause();
      resolve(text);
    };
    socket.on('data', take);
  });
}

/** What the server says in the end, unlike anything that others say. */
export const LATE = '220 late.dest.example ESMTP\r\n';
