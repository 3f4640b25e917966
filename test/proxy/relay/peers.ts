// Real sockets for the relay's tests: servers that play, clients that speak, and patience with a guard.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export const GREETING = '220 mta.example ESMTP\r\n';

export interface Played {
  readonly port: number;
  /** Connections in the order of their arrival. */
  readonly peers: Peer[];
  close(): Promise<void>;
}

/** One socket, seen from the test: what came, how it ended, and what it says. */
export interface Peer {
  readonly socket: Socket;
  /** Octets so far, one character each. */
  text(): string;
  readonly chunks: Buffer[];
  say(text: string | Uint8Array): void;
  /** Waits until the text came, and returns all that came so far. */
  expect(text: string): Promise<string>;
  /** Waits for the peer's FIN or RST. */
  ending(): Promise<'fin' | 'rst'>;
}

export function peerOf(socket: Socket): Peer {
  const chunks: Buffer[] = [];
  let ended: 'fin' | 'rst' | undefined;
  const waiting = new Set<() => void>();
  const changed = (): void => [...waiting].forEach((check) => check());
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    changed();
  });
  socket.on('end', () => {
    // An RST behind data looks like FIN until something is written.
    const end = (error?: Error | null): void => {
      ended ??= error ? 'rst' : 'fin';
      changed();
    };
    if (socket.writable) socket.write('', end);
    else end();
  });
  socket.on('error', () => {
    ended ??= 'rst';
    changed();
  });
  const text = (): string => Buffer.concat(chunks).toString('latin1');
  const until = <T>(what: string, read: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const guard = setTimeout(() => {
        waiting.delete(check);
        reject(new Error(`${what}: got ${JSON.stringify(text().slice(-200))}, ${ended ?? 'open'}`));
      }, GUARD_MS);
      const check = (): void => {
        const value = read();
        if (value === undefined) return;
        waiting.delete(check);
        clearTimeout(guard);
        resolve(value);
      };
      waiting.add(check);
      check();
    });
  return {
    socket,
    chunks,
    text,
    say: (words) => void socket.write(words, 'latin1'),
    expect: (wanted) =>
      until(`waited for ${JSON.stringify(wanted)}`, () => (text().includes(wanted) ? text() : undefined)),
    ending: () => until('waited for the end', () => ended),
  };
}

/** A server on loopback; `play` gets every connection. */
export async function playServer(play: (peer: Peer) => void, host = '127.0.0.1'): Promise<Played> {
  const peers: Peer[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer = peerOf(socket);
    peers.push(peer);
    play(peer);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    peers,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of peers) socket.destroy();
      await closed;
    },
  };
}

export async function call(port: number, host = '127.0.0.1', localAddress?: string): Promise<Peer> {
  const socket = connect({
    port,
    host,
    allowHalfOpen: true,
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  const peer = peerOf(socket);
  await once(socket, 'connect');
  return peer;
}

/** An SMTP server as plain as they come: every command is answered, DATA ends at CRLF . CRLF. */
export function politely(peer: Peer, greeting = GREETING): void {
  let pending = '';
  let data = false;
  if (greeting !== '') peer.say(greeting);
  peer.socket.on('end', () => peer.socket.end());
  peer.socket.on('data', (chunk: Buffer) => {
    pending += chunk.toString('latin1');
    for (;;) {
      const mark = data ? '\r\n.\r\n' : '\r\n';
      const end = pending.indexOf(mark);
      if (end < 0) return;
      const line = pending.slice(0, end);
      pending = pending.slice(end + mark.length);
      data = !data && /^DATA/i.test(line);
      peer.say(answer(line, data, mark.length > 2));
      if (/^QUIT/i.test(line)) return void peer.socket.end();
    }
  });
}

function answer(line: string, data: boolean, message: boolean): string {
  if (message) return '250 2.0.0 queued\r\n';
  if (data) return '354 go on\r\n';
  if (/^EHLO/i.test(line)) return '250-mta.example\r\n250 PIPELINING\r\n';
  return /^QUIT/i.test(line) ? '221 2.0.0 bye\r\n' : '250 2.0.0 ok\r\n';
}

export function firstOf<T>(list: readonly T[]): T {
  const [first] = list;
  if (first === undefined) throw new Error('there is none');
  return first;
}

/** Waits for a condition; fails after the guard's time, which is no measure of anything. */
export async function eventually(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + GUARD_MS;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await sleep(2);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Only a broken relay waits so long; a busy machine needs some of it. */
const GUARD_MS = 60_000;
