// A refused connection: the client and the log get the reason.

import type { Close, CloseReason, Micros } from '../../inspect/events';
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
}

/** A line that arrives, as long as few are refused at a time; in a flood, one that may not. */
export function refuse(door: Door, caller: Caller, refusal: Refusal): void {
  const { socket } = caller;
  const { reason, code, detail } = refusal;
  record(door, caller, refusal);
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

function record(door: Door, caller: Caller, refusal: Refusal): void {
  const { reason, code, left, detail, logged = detail } = refusal;
  const { route, counters } = door;
  counters.blocked += 1;
  const at: Micros = now();
  const connection = connectionOf(caller, route);
  const action = code === undefined ? 'close' : 'refuse';
  route.sink.write(connection, {
    kind: 'blocked',
    at,
    rule: reason,
    action,
    direction: 'client',
    detail: logged,
  });
  const close: Close = left === true ? { by: 'client', how: 'fin' } : { by: 'shim', how: 'fin', reason };
  // Only its last line: many are refused at a time.
  for (const event of createSession(beginningOf(caller)).close(close, at)) {
    if (event.kind === 'session') route.sink.write(connection, event);
  }
}

/** So long a refused client has for reading its 421, and so many may take that time at once. */
const REFUSED_MS = 1_000;
const REFUSING = 256;
/** The same where descriptors are what is missing. */
const REFUSING_IN_NEED = 8;
