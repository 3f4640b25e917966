// One direction of a connection: writes, backpressure, and the few octets kept back so that CRLF . CRLF stays whole.

import type { Socket } from 'node:net';
import { NO_OCTETS } from '../../inspect/octets';

export interface Flow {
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
  /** The sender is read again only when every other connection has had its turn, or after a time. */
  rest(ms?: number): void;
  /** The sender is not read as long as what it sent has to wait. */
  hold(on: boolean): void;
  /** The receiver does not take what it is sent. */
  blocked(): boolean;
}

/** Both sockets must live as long as the flow; the caller handles their errors. */
export function createFlow(from: Socket, to: Socket): Flow {
  let kept: Uint8Array = NO_OCTETS;
  let release: NodeJS.Timeout | undefined;
  const brake = createBrake(from);

  to.on('drain', () => brake.off('receiver'));

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
    if (to.writableNeedDrain && to.writableLength > 0) brake.on('receiver');
  };

  const flush = (): void => {
    clearTimeout(release);
    const bytes = kept;
    kept = NO_OCTETS;
    sendAll(NO_OCTETS, bytes);
  };

  return {
    write(bytes, begun = 0, more = bytes.length >= READ) {
      clearTimeout(release);
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
      if (keep > 0 && begun < DOT) release = setTimeout(flush, RELEASE_MS);
    },
    flush,
    end() {
      flush();
      if (to.writable) to.end();
    },
    rest(ms) {
      const sake = ms === undefined ? 'others' : 'time';
      if (brake.has(sake)) return;
      brake.on(sake);
      const go = (): void => brake.off(sake);
      if (ms === undefined) setImmediate(go);
      else setTimeout(go, ms);
    },
    hold(on) {
      if (on) brake.on('judgement');
      else brake.off('judgement');
    },
    blocked: () => brake.has('receiver'),
  };
}

/** For whose sake a sender is not read. */
type Sake = 'receiver' | 'others' | 'judgement' | 'time';

function createBrake(from: Socket) {
  const sakes: Record<Sake, boolean> = { receiver: false, others: false, judgement: false, time: false };
  let count = 0;
  return {
    has: (sake: Sake): boolean => sakes[sake],
    on(sake: Sake): void {
      if (sakes[sake]) return;
      sakes[sake] = true;
      count += 1;
      if (count === 1) from.pause();
    },
    off(sake: Sake): void {
      if (!sakes[sake]) return;
      sakes[sake] = false;
      count -= 1;
      if (count === 0) from.resume();
    },
  };
}

/** From this many octets on, the beginning of an end of data includes its dot. */
const DOT = 3;
/** What libuv reads at once. */
export const READ = 65_536;
const RELEASE_MS = 5;
