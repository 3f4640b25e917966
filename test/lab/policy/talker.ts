// A client that says exactly the octets that it is given, in exactly the pieces that it is told.

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Talker {
  /** Says this, cut before each of these octets; a piece is on its way alone before the next one is written. */
  say(octets: string | Buffer, cuts?: readonly number[]): Promise<void>;
  /** The next whole reply; '' where the connection ends before. */
  reply(): Promise<string>;
  /** All that came. */
  heard(): string;
  /** The other side has ended the connection, in whatever way. */
  readonly ended: Promise<void>;
  isOpen(): boolean;
  hangUp(): void;
}

/** Longer than a piece takes to a relay that has much to do: what is cut by it arrives cut. */
const PAUSE_MS = 15;
/** Nobody answers: the test is over. */
const SILENCE_MS = 30_000;

export function openTalker(port: number): Talker {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let heard = '';
  let taken = 0;
  let closed = false;
  let wake: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      closed = true;
      resolve();
      wake();
    };
    socket.on('end', end).on('close', end).on('error', end);
  });
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
    wake();
  });
  const reply = async (): Promise<string> => {
    const until = performance.now() + SILENCE_MS;
    for (;;) {
      const found = REPLY.exec(heard.slice(taken));
      if (found !== null) {
        taken += found[0].length;
        return found[0];
      }
      if (closed) return '';
      if (performance.now() > until) throw new Error(`no reply; heard: ${heard.slice(-500)}`);
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), sleep(1_000)]);
    }
  };
  const say = async (octets: string | Buffer, cuts: readonly number[] = []): Promise<void> => {
    const whole = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets;
    const places = [0, ...cuts.filter((at) => at > 0 && at < whole.length), whole.length];
    for (const [i, from] of places.slice(0, -1).entries()) {
      if (i > 0) await sleep(PAUSE_MS);
      if (socket.writable) socket.write(whole.subarray(from, places[i + 1]));
    }
  };
  return {
    ...{ say, reply, ended, heard: () => heard, isOpen: () => !closed },
    hangUp: () => void socket.destroy(),
  };
}

/** A reply with its continuation lines (RFC 5321 §4.2.1). */
const REPLY = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n/;
