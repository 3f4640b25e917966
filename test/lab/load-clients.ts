// Many SMTP clients in one process, all connected at the same time before any of them delivers.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { RECIPIENT, SENDER } from '../kit/message';

interface Holders {
  /** Connections that have had their EHLO answered and are still open. */
  readonly held: number;
  /** Each delivers one message and quits; how many were told 250 for it and 221. */
  deliver(): Promise<number>;
}

/** Opens `count` connections and takes each of them through EHLO. */
export async function openHolders(port: number, count: number): Promise<Holders> {
  const lines: Speaker[] = [];
  // Not all in one tick: a listen queue has an end, and a client that has to send its SYN again waits 1 s.
  for (let first = 0; first < count; first += BURST) {
    const some = Array.from({ length: Math.min(BURST, count - first) }, () => speak(port));
    lines.push(...(await Promise.all(some)));
  }
  return {
    get held() {
      return lines.filter(({ open }) => open()).length;
    },
    deliver: async () => {
      const told = await Promise.all(lines.map((line) => deliver(line).catch(() => false)));
      return told.filter(Boolean).length;
    },
  };
}

const BURST = 100;
const TEXT = `Subject: held\r\n\r\n${'A line of the message.\r\n'.repeat(40)}.\r\n`;

const DIALOGUE = [
  [`MAIL FROM:<${SENDER}>\r\n`, '250'],
  [`RCPT TO:<${RECIPIENT}>\r\n`, '250'],
  ['DATA\r\n', '354'],
  [TEXT, '250'],
  ['QUIT\r\n', '221'],
] as const;

async function deliver(line: Speaker): Promise<boolean> {
  for (const [say, want] of DIALOGUE) if ((await line.ask(say)) !== want) return false;
  return true;
}

interface Speaker {
  readonly socket: Socket;
  open(): boolean;
  /** Says that, and resolves with the code of the reply's last line, or with '' at the connection's end. */
  ask(text: string): Promise<string>;
}

/** Connects, reads the greeting and has EHLO answered. */
export async function speak(port: number): Promise<Speaker> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let unread = '';
  let tell: (code: string) => void = () => undefined;
  const end = (): void => tell('');
  socket.on('error', end).on('close', end);
  socket.on('data', (chunk) => {
    unread += chunk.toString('latin1');
    const last = /^(\d{3})(?: .*)?\r\n$/m.exec(unread);
    if (last === null || !unread.endsWith('\n')) return;
    unread = '';
    tell(last[1] ?? '');
  });
  const reply = (): Promise<string> => new Promise((resolve) => (tell = resolve));
  const greeting = reply();
  await Promise.race([once(socket, 'connect'), greeting]);
  const open = (): boolean => socket.readyState === 'open';
  const ask = (text: string): Promise<string> => {
    const answer = reply();
    if (open()) socket.write(text, 'latin1');
    else end();
    return answer;
  };
  await greeting;
  await ask('EHLO client.example\r\n');
  return { socket, open, ask };
}
