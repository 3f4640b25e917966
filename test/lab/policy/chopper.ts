// A path that delivers octet by octet: TCP on both sides, and each octet of the first few thousand a write of its own.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

export interface Chopper {
  readonly port: number;
  stop(): Promise<void>;
}

/** More than a handshake of TLS has. */
const CHOPPED = 6_000;

/** `replies`: what the server says too; s_client reads its reply to STARTTLS at once, and takes it for whole. */
export async function startChopper(
  target: number,
  { replies }: { readonly replies: boolean },
): Promise<Chopper> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = connect({ host: '127.0.0.1', port: target, noDelay: true, allowHalfOpen: true });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      void chop(from, to, from === client || replies ? CHOPPED : 0).catch(() => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function chop(from: Socket, to: Socket, count: number): Promise<void> {
  let left = count;
  for await (const chunk of from) {
    const octets = chunk as Buffer;
    const few = octets.subarray(0, left);
    left -= few.length;
    for (let at = 0; at < few.length; at += 1) {
      to.write(few.subarray(at, at + 1));
      await turn();
    }
    if (few.length < octets.length) to.write(octets.subarray(few.length));
  }
  to.end();
}
