// A refused connection: the client and the log get the reason.

import type { Close, CloseReason } from '../../inspect/events';
import { createSession } from '../../inspect/smtp/session';
import { now } from '../system/clock';
import { isRecorded, type Connection, type Sink } from '../sinks/record';
import { cut, dismiss, hurryAway } from '../sockets/linger';
import {
  beginningOf,
  connectionOf,
  isImplicitTls,
  nameOf,
  type Caller,
  type CallContext,
} from './call-context';

/** How a client is refused. Without a line: who sends no proper PROXY header is no mail client. */
export interface Refusal {
  readonly reason: CloseReason;
  /** The client's line behind its code, and what the record says of it unless `logged` does. */
  readonly detail: string;
  readonly logged?: string;
  /** Reply code and enhanced status code (RFC 3463). */
  readonly code?: string;
  /** The client closed the connection itself. */
  readonly left?: boolean;
}

/** Refuses the clients of one listener; `blocked` counts them. */
export interface Door {
  readonly route: CallContext;
  readonly counters: { blocked: number };
  /** Sockets that are getting 421. */
  refusing: number;
  /** Those that wait for it: calls that end the waiting. */
  readonly waiting: Set<() => void>;
  /** There are descriptors for more of them. */
  mayWait(): boolean;
}

/**
 * Refuses a client. One that costs too much waits for its 421 first (`policy.limits.refusalDelay`), and its octets with
 * the kernel: refused at once, it would come again at once.
 */
export function refuse(door: Door, caller: Caller, refusal: Refusal): void {
  recordBlocked(door, caller, refusal);
  const end = (): void => {
    recordEnd(door, caller, refusal);
    sendAway(door, caller, refusal);
  };
  if (refusal.reason !== 'load' || !door.mayWait()) return end();
  const wait = door.route.policy.current.limits.refusalDelay / 1_000;
  return delay(door, caller, wait, end);
}

function delay({ waiting }: Door, { socket }: Caller, ms: number, then: () => void): void {
  const end = (): void => {
    clearTimeout(timer);
    if (waiting.delete(end)) then();
  };
  const timer = setTimeout(end, ms);
  waiting.add(end);
  socket.once('close', end);
  socket.pause();
}

/** A line that arrives, as long as few are refused at a time; in a flood, one that may not. */
function sendAway(door: Door, caller: Caller, { reason, code, detail }: Refusal): void {
  const { socket } = caller;
  if (code === undefined) return cut(socket);
  const target = door.route.upstream.targetOf(caller);
  const line = isImplicitTls(target, door.route) ? '' : `${code} ${nameOf(target, door.route)} ${detail}\r\n`;
  if (door.refusing >= (reason === 'descriptors' ? REFUSING_IN_NEED : REFUSING))
    return hurryAway(socket, line);
  door.refusing += 1;
  socket.once('close', () => (door.refusing -= 1));
  return dismiss(socket, line, REFUSED_MS);
}

/** A connection without a server has a record too: how long it tried, and how it ended. */
export function recordUnreached(connection: Connection, caller: Caller, sink: Sink, close: Close): void {
  const at = now();
  for (const event of createSession({ ...beginningOf(caller), connected: at }).close(close, at)) {
    if (isRecorded(event)) sink.write(connection, event);
  }
}

function recordBlocked(door: Door, caller: Caller, { reason, code, detail, logged }: Refusal): void {
  door.counters.blocked += 1;
  door.route.sink.write(connectionOf(caller, door.route), {
    kind: 'blocked',
    at: now(),
    rule: reason,
    action: code === undefined ? 'close' : 'refuse',
    direction: 'client',
    detail: logged ?? detail,
  });
}

/** Only its last line: many are refused at a time. */
function recordEnd({ route }: Door, caller: Caller, { reason, left }: Refusal): void {
  const close: Close = left === true ? { by: 'client', how: 'fin' } : { by: 'shim', how: 'fin', reason };
  for (const event of createSession(beginningOf(caller)).close(close, now())) {
    if (event.kind === 'session') route.sink.write(connectionOf(caller, route), event);
  }
}

/** So long a refused client has for reading its 421, and so many may take that time at once. */
const REFUSED_MS = 1_000;
const REFUSING = 256;
/** The same where descriptors are what is missing. */
const REFUSING_IN_NEED = 8;
