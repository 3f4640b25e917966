// A socket's way out: a last line that arrives, FIN or RST, and within a bound nothing of it left.
//
// No other file ends a socket. Node's own `resetAndDestroy` is not used: it calls `end()` first, libuv refuses
// to reset a socket whose end is under way (EINVAL), and then neither 'close' nor an end of the descriptor comes.

import type { Socket } from 'node:net';
import { resetOnClose } from '../native/libc';

/** The descriptors of connections that a relay has open, and the one place that knows how many. */
export interface Sockets {
  /** Counts a socket until its 'close'. Its errors without a listener are ignored from here on. */
  keep(socket: Socket): Socket;
  /** Counts a descriptor that is no socket yet; the answer, called once or more, ends that. */
  hold(): () => void;
  /** Destroys every socket that is left. */
  destroyAll(): void;
  /** Resolves as soon as there is none. */
  whenNone(): Promise<void>;
  readonly open: number;
}

export function createSockets(): Sockets {
  const kept = new Set<Socket>();
  const held = new Set<symbol>();
  const waiting: (() => void)[] = [];
  const tell = (): void => {
    if (kept.size + held.size === 0) waiting.splice(0).forEach((each) => each());
  };
  return {
    keep(socket) {
      ignoreErrors(socket);
      if (kept.has(socket)) return socket;
      kept.add(socket);
      return socket.once('close', () => {
        kept.delete(socket);
        tell();
      });
    },
    hold() {
      const key = Symbol();
      held.add(key);
      return () => {
        held.delete(key);
        tell();
      };
    },
    destroyAll: () => kept.forEach(cut),
    whenNone: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        tell();
      }),
    get open() {
      return kept.size + held.size;
    },
  };
}

/**
 * Says a last line and closes. Octets that the peer sent meanwhile are read and dropped: left unread they would
 * make the kernel answer with RST, which may take the line away from the peer (RFC 1122 §4.2.2.13).
 */
export function dismiss(socket: Socket, line: string, lingerMs: number = LINGER_MS): void {
  ignoreErrors(socket);
  if (socket.destroyed) return;
  socket.removeAllListeners('data');
  socket.resume();
  if (socket.writable) socket.end(line, 'latin1');
  linger([socket], lingerMs);
}

/** The same without waiting: what the kernel takes at once is what the peer gets. */
export function hurryAway(socket: Socket, line: string): void {
  ignoreErrors(socket);
  if (socket.writable && line !== '') socket.write(line, 'latin1');
  cut(socket);
}

/** Sockets that were ended get this long to deliver what they hold; then they are destroyed. */
export function linger(sockets: readonly Socket[], lingerMs: number = LINGER_MS): void {
  for (const socket of sockets) {
    if (socket.destroyed) continue;
    const timer = setTimeout(() => cut(socket), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  }
}

/** RST, as the other side had it; but octets that are still on their way out come first, for a moment. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return;
  const now = (): void => {
    resetOnClose(socket);
    socket.destroy();
  };
  if (socket.connecting || socket.writableLength === 0) return now();
  const timer = setTimeout(now, FLUSH_MS);
  socket.once('close', () => clearTimeout(timer));
  // Where FIN was requested already, it shows that the octets are out.
  if (socket.writable) socket.write('', now);
  else socket.once('finish', now);
}

/** Destroys it now. A FIN behind octets that are dropped here would say that they were all: then it is RST. */
export function cut(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableLength > 0) resetOnClose(socket);
  socket.destroy();
}

/** An 'error' without a listener would end the process; 'close' follows and says all that is needed. */
function ignoreErrors(socket: Socket): void {
  if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
}

function ignore(): void {
  // Nothing to do: see ignoreErrors.
}

const LINGER_MS = 5_000;
const FLUSH_MS = 1_000;
