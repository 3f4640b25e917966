// What a worker and the primary say to each other: lines of the log as they are, and messages between them, in one stream.

import type { Duplex } from 'node:stream';
import { createBatch } from '../sinks/batch';

/** One end of the stream. What is sent in one turn of the event loop goes out in one write. */
export interface Channel<Sent> {
  send(message: Sent): void;
  /** Whole lines of the log, behind what was sent before. False: so much waits that they are left out. */
  pass(lines: string): boolean;
  /** Octets that are not written yet. */
  waiting(): number;
  /** Resolves when all that was sent is written, or nothing can be written any more; then the stream is ended. */
  close(): Promise<void>;
}

/** What the other end sends, in its order. */
interface Listener<Received> {
  readonly message: (message: Received) => void;
  readonly lines: (lines: string) => void;
  /** The other process is gone. */
  readonly ended: () => void;
}

/** A message is a line that begins with an octet that no line of the log has: those escape control characters. */
export function openChannel<Sent, Received>(
  stream: Duplex,
  { message, lines, ended }: Listener<Received>,
): Channel<Sent> {
  let rest: Buffer | undefined;
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    stream.destroy();
    ended();
  };
  stream.on('data', (octets: Buffer) => {
    const read = rest === undefined ? octets : Buffer.concat([rest, octets]);
    const whole = read.lastIndexOf(LF) + 1;
    rest = whole < read.length ? read.subarray(whole) : undefined;
    if (whole > 0) split(read.subarray(0, whole), message, lines);
  });
  stream.on('error', end).on('end', end).on('close', end);
  const batch = createBatch((octets) => {
    if (!over) stream.write(octets);
  });
  let queued = 0;
  const add = (text: string): void => {
    if (queued === 0) setImmediate(() => (queued = 0));
    queued += batch.add(text);
  };
  const waiting = (): number => (over ? 0 : queued + stream.writableLength);
  return {
    send: (sent) => add(`${MARK}${JSON.stringify(sent)}\n`),
    pass(text) {
      if (waiting() + text.length > LIMIT) return false;
      add(text);
      return true;
    },
    waiting,
    close() {
      batch.flush();
      return new Promise((resolve) => {
        if (over) return resolve();
        over = true;
        const done = (): void => resolve();
        stream.once('error', done).once('close', done);
        stream.end(done);
        setTimeout(done, CLOSE_MS).unref();
        return undefined;
      });
    },
  };
}

/** Whole lines, cut where messages begin and end. */
function split<Received>(
  octets: Buffer,
  message: (message: Received) => void,
  lines: (lines: string) => void,
): void {
  let at = 0;
  while (at < octets.length) {
    const mark = octets.indexOf(MARK_OCTET, at);
    const before = mark < 0 ? octets.length : mark;
    if (before > at) lines(octets.toString('utf8', at, before));
    if (mark < 0) return;
    at = octets.indexOf(LF, mark) + 1;
    message(JSON.parse(octets.toString('utf8', mark + 1, at)) as Received);
  }
}

const LF = 0x0a;
const MARK_OCTET = 0x01;
const MARK = '\u0001';
/** As for a log that is written directly. */
const LIMIT = 8 * 1024 * 1024;
const CLOSE_MS = 2_000;
