// Connections that wait to be accepted, where there are many: libuv (1.46) accepts one in each turn of the event loop.

import { Socket, type Server, type ServerOpts } from 'node:net';
import { acceptDescriptor, countWaiting } from '../native/libc';

/**
 * Accepts those that wait behind the one that the server has just reported, where they are more than a busy moment's: in a
 * long turn of the loop an honest client would wait behind all of a flood. The others are left to the next turn, and to
 * other processes that listen on the same socket. A connection is accepted when the caller takes it from the generator.
 */
export function* acceptWaiting(
  server: Server,
  { allowHalfOpen, noDelay }: Pick<ServerOpts, 'allowHalfOpen' | 'noDelay'>,
): Generator<Socket> {
  const waiting = countWaiting(server);
  if (waiting <= USUAL) return;
  for (let accepted = 0; accepted < Math.min(waiting / 2, AT_ONCE); accepted += 1) {
    const fd = acceptDescriptor(server);
    if (fd === undefined) return;
    const socket = new Socket({ fd, allowHalfOpen, readable: true, writable: true });
    if (noDelay) socket.setNoDelay();
    yield socket;
  }
}

const USUAL = 16;
/** Each costs up to a millisecond. */
const AT_ONCE = 64;
