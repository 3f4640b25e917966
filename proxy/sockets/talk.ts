// One conversation with a server as its client: connect, say a line, wait for what it answers.

import { connect, type Socket } from 'node:net';
import type { CloseBy, Direction, Micros, PhaseEvent, ReplyEvent, SmtpEvent } from '../../inspect/events';
import { createSession, type Session } from '../../inspect/smtp/session';
import { type Address, formatAddress } from '../system/address';
import { now } from '../system/clock';
import { connectFault, createFault, type Fault } from '../system/fault';
import { createWaiters } from '../system/waiters';

/** Whom to connect to, and for how long at the most. */
interface Way {
  readonly server: Address;
  readonly connectMs: number;
}

export function dial({ server, connectMs }: Way): Promise<Socket | Fault> {
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

/** It is fed through the session machine. */
export interface Talk {
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

export function createTalk(socket: Socket, started: Micros): Talk {
  const session: Session = createSession({ started, connected: now() });
  const events: SmtpEvent[] = [];
  const state = { octets: new Uint8Array(0), closed: false, failure: undefined as Error | undefined };
  const waiters = createWaiters();
  const feed = (from: Direction, bytes: Uint8Array): void =>
    void events.push(...session.feed(from, bytes, now()));
  const close = (): void => {
    state.closed = true;
    waiters.wake();
  };
  socket.on('data', (bytes) => {
    // Beyond this it is no dialogue.
    if (state.octets.length < OCTETS) state.octets = new Uint8Array(Buffer.concat([state.octets, bytes]));
    feed('server', bytes);
    waiters.wake();
  });
  socket.on('end', close).on('close', close);
  socket.on('error', (error) => (state.failure = error));
  const until = async (what: () => boolean, ms: number): Promise<void> =>
    void (await waiters.until(() => what() || state.closed, ms));
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

/** Why not one octet of a greeting came. */
export function silenceFault(on: string, talk: Talk, patienceMs: number): Fault {
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

const OCTETS = 65_536;
