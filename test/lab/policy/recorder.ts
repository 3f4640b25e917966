// A mail server that keeps every octet of its clients, and ends a message as strictly or as leniently as it is told.
// It agrees to STARTTLS, and only keeps what comes then.

import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What one connection said. */
export interface Recorded {
  /** The argument of its last EHLO or HELO. */
  readonly hello: string;
  /** All octets that came. */
  received(): Buffer;
  readonly mails: readonly RecordedMail[];
  readonly closed: boolean;
}

export interface RecordedMail {
  /** The argument of MAIL, as it came. */
  readonly from: string;
  /** As it came, dots stuffed, without the line that ended it. */
  readonly content: Buffer;
}

export interface Recorder {
  readonly port: number;
  connections(): readonly Recorded[];
  /** The connection whose EHLO had this name. */
  named(hello: string): Recorded | undefined;
  /** Forgets what has ended. */
  forget(): void;
  stop(): Promise<void>;
}

/**
 * `strict`: RFC 5321, CRLF alone ends a line and CRLF . CRLF a message. `lenient`: a server that is wrong in every way at
 * once: any CR or LF ends a line, NULs are dropped wherever they are, and a dot alone between any two line ends ends a message.
 */
export type Manner = 'strict' | 'lenient';

export async function startRecorder(manner: Manner): Promise<Recorder> {
  const talks: Talk[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const talk = createTalk(socket, manner);
    talks.push(talk);
    socket.on('error', () => undefined);
    socket.on('close', () => (talk.closed = true));
    socket.on('data', (chunk) => hear(talk, chunk));
    socket.on('end', () => socket.end());
    answer(talk, '220 recorder.example ESMTP');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => talks,
    named: (hello) => talks.find((talk) => talk.hello === hello),
    forget: () => void talks.splice(0, talks.length, ...talks.filter(({ closed }) => !closed)),
    stop: async () => {
      for (const { socket } of talks) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Talk {
  readonly socket: Socket;
  readonly manner: Manner;
  readonly chunks: Buffer[];
  readonly mails: RecordedMail[];
  readonly received: () => Buffer;
  hello: string;
  closed: boolean;
  from: string;
  /** Octets still to come of a chunk of BDAT, and whether it is the last one. */
  chunk: { left: number; last: boolean } | undefined;
  inData: boolean;
  /** Answers to AUTH that are still to come. */
  secrets: number;
  /** It has agreed to TLS, and only counts what comes. */
  tls: boolean;
  /** What came of the present command line, or of the present message; of a message in chunks. */
  held: Buffer[];
  chunked: Buffer[];
}

function createTalk(socket: Socket, manner: Manner): Talk {
  const chunks: Buffer[] = [];
  return {
    ...{ socket, manner, chunks, mails: [], received: () => Buffer.concat(chunks) },
    ...{
      hello: '',
      closed: false,
      from: '',
      chunk: undefined,
      inData: false,
      secrets: 0,
      tls: false,
      held: [],
      chunked: [],
    },
  };
}

function hear(talk: Talk, octets: Buffer): void {
  talk.chunks.push(octets);
  if (talk.tls) return;
  let rest: Buffer | undefined = talk.manner === 'lenient' ? withoutNul(octets) : octets;
  while (rest !== undefined && rest.length > 0 && !talk.tls) {
    if (talk.chunk !== undefined) rest = takeChunk(talk, rest);
    else if (talk.inData) rest = takeContent(talk, rest);
    else rest = takeLine(talk, rest);
  }
}

function withoutNul(octets: Buffer): Buffer {
  return octets.includes(0) ? Buffer.from(octets.filter((octet) => octet !== 0)) : octets;
}

const LINE_END = { strict: /\r\n/, lenient: /[\r\n]/ };
const END_OF_DATA = { strict: /\r\n\.\r\n/, lenient: /[\r\n]\.[\r\n]/ };
/** Octets of an end of data that may have come before. */
const TAIL = 4;

function takeLine(talk: Talk, octets: Buffer): Buffer | undefined {
  const joined = Buffer.concat([...talk.held, octets]);
  // Only what is new, and one octet more, can have the line's end.
  const from = Math.max(0, joined.length - octets.length - 1);
  const found = LINE_END[talk.manner].exec(joined.toString('latin1', from));
  if (found === null) {
    talk.held = [joined];
    return undefined;
  }
  talk.held = [];
  const end = from + found.index;
  obey(talk, joined.toString('latin1', 0, end));
  return joined.subarray(end + found[0].length);
}

function takeContent(talk: Talk, octets: Buffer): Buffer | undefined {
  const tail = Buffer.concat(talk.held.slice(-TAIL)).subarray(-TAIL);
  const text = Buffer.concat([tail, octets]).toString('latin1');
  const found = END_OF_DATA[talk.manner].exec(text);
  if (found === null) {
    talk.held.push(octets);
    return undefined;
  }
  const whole = Buffer.concat([...talk.held, octets]);
  const base = whole.length - octets.length - tail.length;
  const lineEnd = found[0].indexOf('.');
  keep(talk, whole.subarray(LEAD.length, base + found.index + lineEnd));
  return whole.subarray(base + found.index + found[0].length);
}

function takeChunk(talk: Talk, octets: Buffer): Buffer {
  const chunk = talk.chunk ?? { left: 0, last: true };
  const taken = octets.subarray(0, chunk.left);
  talk.chunked.push(taken);
  chunk.left -= taken.length;
  if (chunk.left === 0) endChunk(talk, chunk.last);
  return octets.subarray(taken.length);
}

function endChunk(talk: Talk, last: boolean): void {
  talk.chunk = undefined;
  if (last) keep(talk, Buffer.concat(talk.chunked));
  else answer(talk, '250 2.0.0 chunk');
}

function keep(talk: Talk, content: Buffer): void {
  talk.mails.push({ from: talk.from, content });
  talk.inData = false;
  talk.held = [];
  talk.chunked = [];
  answer(talk, '250 2.0.0 kept');
}

/** The line end of the DATA command: a dot right behind it ends an empty message. */
const LEAD = Buffer.from('\r\n');

function obey(talk: Talk, line: string): void {
  if (talk.manner === 'lenient' && line === '') return;
  if (talk.secrets > 0) {
    talk.secrets -= 1;
    return answer(talk, talk.secrets > 0 ? '334 UGFzc3dvcmQ6' : '235 2.7.0 fine');
  }
  const [verb = '', ...words] = line.trim().split(/\s+/);
  switch (verb.toUpperCase()) {
    case 'EHLO':
      talk.hello = words[0] ?? '';
      return answer(talk, ...KEYWORDS);
    case 'HELO':
      talk.hello = words[0] ?? '';
      return answer(talk, '250 recorder.example');
    case 'MAIL':
      talk.from = words.join(' ');
      return answer(talk, '250 2.1.0 fine');
    case 'DATA':
      talk.inData = true;
      talk.held = [LEAD];
      return answer(talk, '354 go ahead');
    case 'BDAT':
      if (!/^\d+$/.test(words[0] ?? '')) return answer(talk, '501 5.5.4 no size');
      talk.chunk = { left: Number(words[0]), last: words[1]?.toUpperCase() === 'LAST' };
      return talk.chunk.left === 0 ? endChunk(talk, talk.chunk.last) : undefined;
    case 'AUTH':
      if (words.length > 1) return answer(talk, '235 2.7.0 fine');
      talk.secrets = words[0]?.toUpperCase() === 'LOGIN' ? 2 : 1;
      return answer(talk, '334 VXNlcm5hbWU6');
    case 'STARTTLS':
      talk.tls = true;
      return answer(talk, '220 2.0.0 ready');
    case 'QUIT':
      answer(talk, '221 2.0.0 bye');
      return void talk.socket.end();
    default:
      return answer(talk, ANSWERS[verb.toUpperCase()] ?? '500 5.5.2 not known');
  }
}

const ANSWERS: Readonly<Record<string, string>> = {
  RCPT: '250 2.1.5 fine',
  RSET: '250 2.0.0 fine',
  NOOP: '250 2.0.0 fine',
  HELP: '214 2.0.0 no',
  VRFY: '252 2.0.0 perhaps',
  EXPN: '252 2.0.0 perhaps',
  ETRN: '250 2.0.0 perhaps',
};

const KEYWORDS = [
  '250-recorder.example',
  '250-PIPELINING',
  '250-8BITMIME',
  '250-SMTPUTF8',
  '250-CHUNKING',
  '250-DSN',
  '250-ETRN',
  '250-VRFY',
  '250-STARTTLS',
  '250-AUTH PLAIN LOGIN',
  '250-ENHANCEDSTATUSCODES',
  '250 SIZE 209715200',
];

function answer({ socket }: Talk, ...lines: readonly string[]): void {
  if (socket.writable) socket.write(lines.map((line) => `${line}\r\n`).join(''), 'latin1');
}
