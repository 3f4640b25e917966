// The end of a socket: a last line that arrives, FIN, or RST, and never a socket that stays.

import type { Socket } from 'node:net';

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

/** Sockets that were ended get this long to deliver what they hold; then they are destroyed. */
export function linger(sockets: readonly Socket[], lingerMs: number = LINGER_MS): void {
  const open = sockets.filter((socket) => !socket.destroyed);
  if (open.length === 0) return;
  const timer = setTimeout(() => {
    for (const socket of open) socket.destroy();
  }, lingerMs);
  let left = open.length;
  for (const socket of open) {
    socket.once('close', () => {
      left -= 1;
      if (left === 0) clearTimeout(timer);
    });
  }
}

/** RST, as the other side had it; but octets that are still on their way out come first, for a moment. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.connecting) {
    socket.destroy();
  } else if (socket.writableLength === 0) {
    socket.resetAndDestroy();
  } else {
    const timer = setTimeout(() => socket.resetAndDestroy(), FLUSH_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.write('', () => socket.resetAndDestroy());
  }
}

/** An 'error' without a listener would end the process; 'close' follows and says all that is needed. */
export function ignoreErrors(socket: Socket): void {
  if (!socket.listeners('error').includes(ignore)) socket.on('error', ignore);
}

function ignore(): void {
  // Nothing to do: see ignoreErrors.
}

const LINGER_MS = 5_000;
const FLUSH_MS = 1_000;
