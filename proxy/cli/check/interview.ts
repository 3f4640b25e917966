// The interview: greeting, EHLO, QUIT, with one server, as a careful and patient client would; never a mail.

import { connect, type Socket } from 'node:net';
import type { CloseBy, Direction, Micros, PhaseEvent, ReplyEvent, SmtpEvent } from '../../../inspect/events';
import { GREETING } from '../../../inspect/limits';
import type { GreetingJudgement } from '../../../inspect/greeting/judgement';
import { judgeGreeting } from '../../../inspect/greeting/reader';
import { createSession, type Session } from '../../../inspect/smtp/session';
import { type Address, formatAddress } from '../../system/address';
import type { Endpoint } from '../../../inspect/address';
import { now } from '../../system/clock';
import { connectFault, createFault, isFault, type Fault } from '../../system/fault';

interface Question {
  readonly server: Address;
  /** To say EHLO with. */
  readonly name: string;
  readonly connectMs: number;
  /** For the greeting's end from its first octet on, and for every answer. */
  readonly patienceMs: number;
  /** Hears what is waited for, once each, where it does not come soon. */
  readonly onWait?: (what: string) => void;
}

export interface Interview {
  readonly server: Endpoint;
  /** The greeting's octets as they came, at most GREETING of them. */
  readonly greeting: Uint8Array;
  readonly judgement: GreetingJudgement;
  /** From its first octet to its last; 0 where it came in one piece. */
  readonly spread: Micros;
  /** EHLO went out before the greeting had ended, since patience was over. */
  readonly impatient: boolean;
  /** The server closed before it was asked to. */
  readonly closedEarly: boolean;
  /** To EHLO, or to HELO where EHLO was refused. */
  readonly hello: ReplyEvent | undefined;
  readonly verb: 'EHLO' | 'HELO';
  readonly phases: readonly PhaseEvent[];
}

/** Faults: whatever keeps a connection or the first octet of a greeting from coming. */
export async function interview(question: Question): Promise<Interview | Fault> {
  const started = now();
  const socket = await dial(question);
  if (isFault(socket)) return socket;
  const talk = createTalk(socket, started);
  try {
    return await converse(question, talk, socket);
  } finally {
    socket.destroy();
  }
}

async function converse(
  { server, name, patienceMs, onWait = () => undefined }: Question,
  talk: Talk,
  socket: Socket,
): Promise<Interview | Fault> {
  const soon = async <T>(what: string, wait: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => onWait(what), SOON_MS);
    return await wait.finally(() => clearTimeout(timer));
  };
  const endpoint = { address: socket.remoteAddress ?? server.host, port: server.port };
  const on = formatAddress(server);
  await soon(
    'the greeting',
    talk.until(() => talk.octets.length > 0, patienceMs),
  );
  if (talk.octets.length === 0) return silenceFault(on, talk, patienceMs);
  await soon(
    "the greeting's last line",
    talk.until(() => talk.greeted(), patienceMs),
  );
  const impatient = !talk.greeted() && !talk.closed;
  const begun = talk.octets;
  let verb: Interview['verb'] = 'EHLO';
  const refused = (): boolean => (talk.reply('greeting')?.code ?? 220) >= 400;
  if (!refused()) {
    const answered = (): boolean => talk.reply('hello') !== undefined || refused();
    await soon('the answer to EHLO', talk.say(`EHLO ${name}`, patienceMs, answered));
    const code = talk.reply('hello')?.code ?? 250;
    if (code >= 500) {
      verb = 'HELO';
      const second = (): boolean => talk.replies('hello').length > 1;
      await soon('the answer to HELO', talk.say(`HELO ${name}`, patienceMs, second));
    }
  }
  const closedEarly = talk.closed;
  // A server that did not answer EHLO will not answer this.
  if (refused() || talk.reply('hello') !== undefined) {
    await talk.say('QUIT', QUIT_MS, () => talk.reply('quit') !== undefined);
  }
  const phases = talk.end(closedEarly ? 'server' : 'client');
  const ended = talk.reply('greeting');
  const greeting = (ended === undefined ? begun : talk.octets.subarray(0, ended.span.end)).subarray(
    0,
    GREETING,
  );
  return {
    server: endpoint,
    greeting,
    judgement: judgeGreeting(greeting),
    spread: ended === undefined ? 0 : ended.at - ended.started,
    impatient,
    closedEarly,
    hello: talk.replies('hello').at(-1),
    verb,
    phases,
  };
}

function silenceFault(on: string, talk: Talk, patienceMs: number): Fault {
  if (talk.failure !== undefined) return connectFault(on, talk.failure);
  if (talk.closed) {
    const fix =
      'the server closed without a greeting: see its log, and whether this address is blocked there';
    return createFault('closed-early', on, { fix });
  }
  const fix =
    `no greeting within ${patienceMs / 1000} s: the server waits for TLS first (port 465), is overloaded, or a ` +
    'firewall holds its greeting; more time: --set greeting.patience=5min';
  return createFault('timed-out', on, { fix });
}

function dial({ server, connectMs }: Question): Promise<Socket | Fault> {
  const on = formatAddress(server);
  return new Promise((resolve) => {
    const socket = connect({
      host: server.host === '' ? 'localhost' : server.host,
      port: server.port,
      noDelay: true,
    });
    const timer = setTimeout(() => {
      socket.destroy();
      resolve(createFault('timed-out', on));
    }, connectMs);
    const settle = (outcome: Socket | Fault): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    socket.once('connect', () => settle(socket));
    // It stays, so that a late reset is no crash.
    socket.on('error', (error) => settle(connectFault(on, error)));
  });
}

/** One conversation, fed through the session machine. */
interface Talk {
  /** What the server sent so far, up to a cap. */
  readonly octets: Uint8Array;
  readonly closed: boolean;
  readonly failure: Error | undefined;
  /** The greeting has ended. */
  greeted(): boolean;
  reply(answers: string): ReplyEvent | undefined;
  replies(answers: string): ReplyEvent[];
  /** Waits until something holds, the server closes, or time is over. */
  until(what: () => boolean, ms: number): Promise<void>;
  say(line: string, ms: number, answered: () => boolean): Promise<void>;
  end(by: CloseBy): PhaseEvent[];
}

function createTalk(socket: Socket, started: Micros): Talk {
  const session: Session = createSession({ started, connected: now() });
  const events: SmtpEvent[] = [];
  const state = { octets: new Uint8Array(0), closed: false, failure: undefined as Error | undefined };
  let wake = (): void => undefined;
  const feed = (from: Direction, bytes: Uint8Array): void =>
    void events.push(...session.feed(from, bytes, now()));
  const close = (): void => {
    state.closed = true;
    wake();
  };
  socket.on('data', (bytes) => {
    // Beyond this it is no dialogue.
    if (state.octets.length < OCTETS) state.octets = new Uint8Array(Buffer.concat([state.octets, bytes]));
    feed('server', bytes);
    wake();
  });
  socket.on('end', close).on('close', close);
  socket.on('error', (error) => (state.failure = error));
  const until = async (what: () => boolean, ms: number): Promise<void> => {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      wake();
    }, ms);
    while (!what() && !state.closed && !over) await new Promise<void>((resolve) => (wake = resolve));
    clearTimeout(timer);
  };
  const replies = (answers: string): ReplyEvent[] =>
    events.filter((event): event is ReplyEvent => event.kind === 'reply' && event.answers === answers);
  return {
    get octets() {
      return state.octets;
    },
    get closed() {
      return state.closed;
    },
    get failure() {
      return state.failure;
    },
    greeted: () => session.waiting().phase !== 'greeting',
    reply: (answers) => replies(answers)[0],
    replies,
    until,
    async say(line, ms, answered) {
      if (state.closed) return;
      const bytes = Buffer.from(`${line}\r\n`, 'latin1');
      feed('client', bytes);
      socket.write(bytes);
      await until(answered, ms);
    },
    end(by) {
      events.push(...session.close({ by, how: state.failure === undefined ? 'fin' : 'rst' }, now()));
      return events.filter((event): event is PhaseEvent => event.kind === 'phase');
    },
  };
}

/** A wait of this length is worth a line. */
const SOON_MS = 1_500;

/** All that is wanted is known by then. */
const QUIT_MS = 2_000;

const OCTETS = 65_536;
