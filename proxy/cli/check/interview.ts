// The interview: greeting, EHLO, QUIT, with one server, as a careful and patient client would; never a mail.

import type { Socket } from 'node:net';
import type { Micros, PhaseEvent, ReplyEvent } from '../../../inspect/events';
import { GREETING } from '../../../inspect/limits';
import type { GreetingJudgement } from '../../../inspect/greeting/judgement';
import { judgeGreeting } from '../../../inspect/greeting/reader';
import { type Address, formatAddress } from '../../system/address';
import type { Endpoint } from '../../../inspect/address';
import { now } from '../../system/clock';
import { createTalk, dial, silenceFault, type Talk } from '../../sockets/talk';
import { isFault, type Fault } from '../../system/fault';

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

/** A wait of this length is worth a line. */
const SOON_MS = 1_500;

/** All that is wanted is known by then. */
const QUIT_MS = 2_000;
