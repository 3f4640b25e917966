// A server that plays a script: any greeting, in any pieces, and after it a mail server that accepts all.

import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromOctets, type Delivered, type Mailbox } from './maildir';

/** Strings are latin1: one character, one octet. */
export type Step =
  | { readonly send: string | Buffer }
  /** Milliseconds. */
  | { readonly wait: number }
  /** The next line of the client, CRLF included or not; a RegExp must match, else the connection is reset. */
  | { readonly expect: RegExp }
  /** What the client has sent until now and from now on is read by nobody. */
  | { readonly stall: true }
  | { readonly end: 'close' | 'reset' };

interface ScriptedOptions {
  /** What is played to each connection, told by its number from 0 on. */
  readonly steps: readonly Step[] | ((connection: number) => readonly Step[]);
  /** Whether the mail server goes on behind the last step; default true. */
  readonly mail?: boolean;
  /** Keywords of the EHLO reply; default PIPELINING, 8BITMIME, SIZE. */
  readonly keywords?: readonly string[];
  /** Listening address; default 127.0.0.1, port 0. */
  readonly host?: string;
  readonly port?: number;
}

/** What was seen of one connection. */
interface ScriptedConnection {
  readonly number: number;
  /** All octets of the client. */
  readonly received: Buffer;
  /** Octets that had arrived before the script was over: an early talker's. */
  readonly early: Buffer;
  /** Command lines that the mail server answered. */
  readonly commands: readonly string[];
  readonly closed: boolean;
}

export interface Scripted extends Mailbox {
  readonly host: string;
  readonly port: number;
  connections(): readonly ScriptedConnection[];
  /** Resets what is open, and goes on listening. */
  hangUp(): void;
  stop(): Promise<void>;
}

export async function startScripted(options: ScriptedOptions): Promise<Scripted> {
  const { steps, mail = true, keywords = KEYWORDS, host = '127.0.0.1', port = 0 } = options;
  const talks: Talk[] = [];
  const mails: Delivered[] = [];
  let kept = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const talk = createTalk(socket, talks.length);
    talks.push(talk);
    const script = typeof steps === 'function' ? steps(talk.number) : steps;
    void play(talk, script)
      .then((goOn) => {
        talk.early = Buffer.concat(talk.chunks);
        return goOn && mail
          ? serve(talk, keywords, (octets) => mails.push(fromOctets(String(kept++), octets)))
          : undefined;
      })
      .catch((error: unknown) => {
        talk.lines.push(`! ${error instanceof Error ? error.message : String(error)}`);
        socket.resetAndDestroy();
      });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    host,
    port: (server.address() as AddressInfo).port,
    delivered: () => mails,
    drop: (mail) => void mails.splice(mails.indexOf(mail), 1),
    log: () => talks.flatMap((talk) => talk.lines.map((line) => `${talk.number} ${line}`)).join('\n'),
    connections: () => talks.map(seen),
    hangUp: () => talks.forEach(({ socket }) => void socket.resetAndDestroy()),
    stop: async () => {
      for (const talk of talks) talk.socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const KEYWORDS = ['PIPELINING', '8BITMIME', 'SIZE 209715200'];

/** One connection: what came in, and a reader that takes lines from it. */
interface Talk {
  readonly number: number;
  readonly socket: Socket;
  readonly chunks: Buffer[];
  readonly lines: string[];
  readonly commands: string[];
  early: Buffer;
  closed: boolean;
  /** The next octets up to and including `ending`; undefined when the client ended before. */
  take(ending: string): Promise<Buffer | undefined>;
}

function createTalk(socket: Socket, number: number): Talk {
  let unread = Buffer.alloc(0);
  let pieces: Buffer[] = [];
  let ended = false;
  let wake: () => void = () => undefined;
  const talk: Talk = {
    number,
    socket,
    chunks: [],
    lines: [],
    commands: [],
    early: Buffer.alloc(0),
    closed: false,
    take: async (ending) => {
      let from = 0;
      for (;;) {
        // Joined only here, so that a long message costs no quadratic copying.
        unread = Buffer.concat([unread, ...pieces]);
        pieces = [];
        const at = unread.indexOf(ending, from, 'latin1');
        if (at >= 0) {
          const taken = unread.subarray(0, at + ending.length);
          unread = unread.subarray(at + ending.length);
          return taken;
        }
        if (ended) return undefined;
        from = Math.max(0, unread.length - ending.length);
        await new Promise<void>((resolve) => (wake = resolve));
        // Let more of a fast sender gather.
        if (unread.length > 65_536) await sleep(5);
      }
    },
  };
  socket.on('data', (chunk) => {
    talk.chunks.push(chunk);
    pieces.push(chunk);
    wake();
  });
  socket.on('end', () => {
    ended = true;
    wake();
  });
  socket.on('error', (error) => talk.lines.push(`! ${error.message}`));
  socket.on('close', () => {
    ended = true;
    talk.closed = true;
    wake();
  });
  return talk;
}

// Says whether the connection goes on behind the script.
async function play(talk: Talk, steps: readonly Step[]): Promise<boolean> {
  for (const step of steps) {
    if ('send' in step) say(talk, step.send);
    else if ('wait' in step) await sleep(step.wait);
    else if ('stall' in step) talk.socket.pause();
    else if ('expect' in step) {
      const line = (await talk.take('\n'))?.toString('latin1');
      talk.lines.push(`C ${JSON.stringify(line)}`);
      if (line === undefined || !step.expect.test(line)) throw new Error(`not ${step.expect}: ${line}`);
    } else {
      if (step.end === 'close') talk.socket.end();
      else talk.socket.resetAndDestroy();
      return false;
    }
  }
  return true;
}

// RFC 5321 as far as an accepting server needs it; EHLO is what makes a client go on.
async function serve(talk: Talk, keywords: readonly string[], keep: (octets: Buffer) => void): Promise<void> {
  for (;;) {
    const line = (await talk.take('\n'))?.toString('latin1').trimEnd();
    if (line === undefined) break;
    talk.commands.push(line);
    talk.lines.push(`C ${line}`);
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'EHLO') say(talk, ehloReply(keywords));
    else if (verb === 'DATA') {
      say(talk, '354 go ahead\r\n');
      const content = await takeContent(talk);
      if (content === undefined) break;
      keep(content);
      say(talk, '250 2.0.0 kept\r\n');
    } else if (verb === 'QUIT') {
      say(talk, '221 2.0.0 bye\r\n');
      break;
    } else say(talk, ANSWERS[verb] ?? '502 5.5.1 not here\r\n');
  }
  talk.socket.end();
}

const ANSWERS: Readonly<Record<string, string>> = {
  HELO: '250 scripted.example\r\n',
  MAIL: '250 2.1.0 fine\r\n',
  RCPT: '250 2.1.5 fine\r\n',
  RSET: '250 2.0.0 fine\r\n',
  NOOP: '250 2.0.0 fine\r\n',
  VRFY: '252 2.0.0 perhaps\r\n',
};

function ehloReply(keywords: readonly string[]): string {
  const lines = ['scripted.example', ...keywords];
  return lines.map((text, i) => `250${i === lines.length - 1 ? ' ' : '-'}${text}\r\n`).join('');
}

// The message with its dots unstuffed, RFC 5321 §4.5.2; an empty one has no CRLF before its end.
async function takeContent(talk: Talk): Promise<Buffer | undefined> {
  const lines: Buffer[] = [];
  for (;;) {
    const line = await talk.take('\r\n');
    if (line === undefined) return undefined;
    if (line.equals(Buffer.from('.\r\n'))) return Buffer.concat(lines);
    lines.push(line[0] === 46 ? line.subarray(1) : line);
  }
}

function say(talk: Talk, what: string | Buffer): void {
  const octets = typeof what === 'string' ? Buffer.from(what, 'latin1') : what;
  talk.lines.push(`S ${JSON.stringify(octets.toString('latin1'))}`);
  if (talk.socket.writable) talk.socket.write(octets);
}

function seen({ number, chunks, early, commands, closed }: Talk): ScriptedConnection {
  return { number, received: Buffer.concat(chunks), early, commands, closed };
}
