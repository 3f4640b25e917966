// The demo's mail server: takes every message, and greets as the one of the incident did.

import { createServer, type Socket } from 'node:net';

export interface DemoServer {
  readonly port: number;
  /** The messages that it took, as they came. */
  readonly messages: readonly string[];
  stop(): void;
}

/** On a free port of loopback. `greeting`: its only octets before the client speaks. */
export async function startDemoServer(greeting: string): Promise<DemoServer> {
  const sockets = new Set<Socket>();
  const messages: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    serve(socket, (message) => messages.push(message));
    socket.write(greeting);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    messages,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function serve(socket: Socket, deliver: (message: string) => void): void {
  let octets = '';
  let inData = false;
  socket.setEncoding('latin1');
  socket.on('data', (data) => {
    octets += String(data);
    for (;;) {
      const mark = inData ? '\r\n.\r\n' : '\r\n';
      const end = octets.indexOf(mark);
      if (end < 0) return;
      const part = octets.slice(0, end);
      octets = octets.slice(end + mark.length);
      if (inData) {
        deliver(part);
        inData = false;
        socket.write('250 2.0.0 Ok: taken\r\n');
        continue;
      }
      const verb = part.slice(0, 4).toUpperCase();
      inData = verb === 'DATA';
      socket.write(ANSWERS[verb] ?? '502 5.5.2 Unknown command\r\n');
      if (verb === 'QUIT') socket.end();
    }
  });
}

const ANSWERS: Readonly<Record<string, string>> = {
  EHLO: '250-mx.demo\r\n250-SIZE 10485760\r\n250 8BITMIME\r\n',
  HELO: '250 mx.demo\r\n',
  MAIL: '250 2.1.0 Ok\r\n',
  RCPT: '250 2.1.5 Ok\r\n',
  DATA: '354 End data with <CR><LF>.<CR><LF>\r\n',
  RSET: '250 2.0.0 Ok\r\n',
  NOOP: '250 2.0.0 Ok\r\n',
  QUIT: '221 2.0.0 Bye\r\n',
};
