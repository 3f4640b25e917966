// One direction of a connection: writes, backpressure, and the few octets kept back so that CRLF . CRLF stays whole.

import type { Socket } from 'node:net';
import { NO_OCTETS } from '../../inspect/octets';
import { createBrake, engage, release, type Brake } from './brake';

export interface Flow {
  /** Why the sender is not read. */
  readonly brake: Brake;
  /**
   * Forwards octets as they are. `begun` of them, at the end, begin an end of data (0 to 4): they may wait for
   * the next write, and where `more` has come already even a CRLF may. A sender whose octets are not taken
   * is paused until they are.
   */
  write(bytes: Uint8Array, begun?: number, more?: boolean): void;
  /** What was kept goes out now. */
  flush(): void;
  /** What was kept goes out, then FIN. */
  end(): void;
  /** The receiver does not take what it is sent. */
  blocked(): boolean;
}

/** Both sockets must live as long as the flow; the caller handles their errors. */
export function createFlow(from: Socket, to: Socket): Flow {
  let kept: Uint8Array = NO_OCTETS;
  let releasing: NodeJS.Timeout | undefined;
  const brake = createBrake(from);

  to.on('drain', () => release(brake, 'receiver'));

  const send = (bytes: Uint8Array): void => {
    if (bytes.length > 0 && to.writable) to.write(bytes);
  };

  /** Several pieces in one write, if the socket can take them now. */
  const sendAll = (first: Uint8Array, second: Uint8Array): void => {
    if (first.length === 0) {
      send(second);
    } else {
      to.cork();
      send(first);
      send(second);
      to.uncork();
    }
    // A write that the kernel took whole leaves nothing behind, even where `write` said false.
    if (to.writableNeedDrain && to.writableLength > 0) engage(brake, 'receiver');
  };

  const flush = (): void => {
    clearTimeout(releasing);
    const bytes = kept;
    kept = NO_OCTETS;
    sendAll(NO_OCTETS, bytes);
  };

  return {
    brake,
    write(bytes, begun = 0, more = bytes.length >= READ) {
      clearTimeout(releasing);
      // `CRLF .` and `CRLF . CR` wait for what must follow; no server can act on them. `CR` and `CRLF` are kept only
      // where it was not the client that cut the stream there: the rest follows soon.
      const keep = begun < DOT && !more ? 0 : Math.min(begun, kept.length + bytes.length);
      const before = kept;
      if (keep <= bytes.length) {
        kept = keep === 0 ? NO_OCTETS : bytes.slice(bytes.length - keep);
        sendAll(before, keep === 0 ? bytes : bytes.subarray(0, bytes.length - keep));
      } else {
        const whole = Buffer.concat([before, bytes]);
        kept = whole.subarray(whole.length - keep);
        sendAll(NO_OCTETS, whole.subarray(0, whole.length - keep));
      }
      if (keep > 0 && begun < DOT) releasing = setTimeout(flush, RELEASE_MS);
    },
    flush,
    end() {
      flush();
      if (to.writable) to.end();
    },
    blocked: () => brake.reasons.receiver,
  };
}

/** From this many octets on, the beginning of an end of data includes its dot. */
const DOT = 3;
/** What libuv reads at once. */
export const READ = 65_536;
const RELEASE_MS = 5;
