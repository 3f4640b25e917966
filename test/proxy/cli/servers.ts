// Small SMTP servers on loopback, each with its own way of greeting; real sockets, real octets.

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Script {
  /** Pieces of the greeting, each after a pause in milliseconds. */
  readonly greeting: readonly (readonly [afterMs: number, text: string])[];
  /** Closes behind the greeting. */
  readonly closes?: boolean;
  /** Answers by verb; an unknown verb gets none. */
  readonly answers?: Readonly<Record<string, string>>;
}

export const ANSWERS = {
  EHLO: '250-mx.demo\r\n250-SIZE 10240000\r\n250 STARTTLS\r\n',
  HELO: '250 mx.demo\r\n',
  QUIT: '221 2.0.0 Bye\r\n',
};

interface Running {
  readonly port: number;
  /** Every line that clients sent. */
  readonly heard: string[];
  stop(): void;
}

export async function startServer({ greeting, closes = false, answers = ANSWERS }: Script): Promise<Running> {
  const sockets = new Set<Socket>();
  const heard: string[] = [];
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    void greet(socket, greeting, closes);
    let line = '';
    socket.on('data', (data) => {
      line += data.toString('latin1');
      for (let end = line.indexOf('\r\n'); end >= 0; end = line.indexOf('\r\n')) {
        const command = line.slice(0, end);
        line = line.slice(end + 2);
        heard.push(command);
        const verb = command.split(' ')[0] ?? '';
        const answer = answers[verb];
        if (answer !== undefined) socket.write(answer, 'latin1');
        if (verb === 'QUIT' || answer?.startsWith('521')) socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function greet(socket: Socket, pieces: Script['greeting'], closes: boolean): Promise<void> {
  for (const [afterMs, text] of pieces) {
    if (afterMs > 0) await new Promise((resolve) => setTimeout(resolve, afterMs));
    if (!socket.destroyed) socket.write(text, 'latin1');
  }
  if (closes) socket.end();
}
