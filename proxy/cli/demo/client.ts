// The demo's client: sends one message as any client does, a command at a time, each when its reply is whole.

import { connect, type Socket } from 'node:net';

/** The server's last reply to the message; rejects with why it was not delivered. `waitMs`: for each reply. */
export async function sendMessage(port: number, subject: string, waitMs: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  const next = createReplies(socket, waitMs);
  const ask = async (text: string): Promise<string> => {
    socket.write(`${text}\r\n`);
    return expectFine(await next(`No reply to ${text.slice(0, 4)}`));
  };
  try {
    expectFine(await next('Greeting never received'));
    await ask('EHLO client.demo');
    await ask('MAIL FROM:<you@client.demo>');
    await ask('RCPT TO:<me@mx.demo>');
    await ask('DATA');
    return await ask(`From: you@client.demo\r\nTo: me@mx.demo\r\nSubject: ${subject}\r\n\r\nIt works.\r\n.`);
  } finally {
    socket.destroy();
  }
}

function expectFine(reply: string): string {
  if (!/^[23]/.test(reply)) throw new Error(reply);
  return reply;
}

/** The last line of each reply. Lines that come together wait for the next read. */
function createReplies(socket: Socket, waitMs: number): (never: string) => Promise<string> {
  let octets = '';
  let look = (): void => undefined;
  let fail: (error: Error) => void = () => undefined;
  socket
    .setEncoding('latin1')
    .on('data', (data) => {
      octets += String(data);
      look();
    })
    .on('error', (error) => fail(error))
    .on('close', () => fail(new Error('Connection closed')));
  return (never) =>
    new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(never)), waitMs);
      fail = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      look = () => {
        const [reply, line] = /^(?:\d{3}-.*\r\n)*(\d{3}(?: .*)?)\r\n/.exec(octets) ?? [];
        if (reply === undefined || line === undefined) return;
        octets = octets.slice(reply.length);
        clearTimeout(timer);
        resolve(line);
      };
      look();
    });
}
