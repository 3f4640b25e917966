// `ehlowire relay` as a user starts it: the launcher, a child process, a log file.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { discard, scratch, start, until, type Outcome } from './process';

/** A line of the event log: the vocabulary of the design, section 5. */
export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Relayed {
  readonly pid: number;
  /** Where clients connect, in the order of the upstreams. */
  readonly ports: readonly number[];
  /** The log's path, for logs too long for `events`. */
  readonly log: string;
  /** What the log says by now. */
  events(): readonly LogLine[];
  /** Standard output and standard error: empty where nothing went wrong. */
  output(): string;
  /** SIGTERM: ends when its connections have ended; SIGKILL after two seconds, or after the time given. */
  stop(patienceMs?: number): Promise<Outcome>;
  /** Removes the log. */
  discard(): void;
}

/**
 * Starts the relay with a pair of `--listen` and `--upstream` for each upstream, `host:port`. `launcher`: another
 * one than this tree's. `port`: where a single one is to listen. It is one process, unless `args` say otherwise.
 */
export async function startRelay(
  upstreams: readonly string[],
  args: readonly string[] = [],
  launcher = join(__dirname, '../../ehlowire'),
  port = 0,
): Promise<Relayed> {
  const folder = scratch('relay');
  const log = join(folder, 'events');
  // The kernel picks the ports: one picked before might be somebody else's by now.
  const pairs = upstreams.flatMap((upstream) => ['--listen', `127.0.0.1:${port}`, '--upstream', upstream]);
  const one = ['--set', 'relay.workers=1'];
  const child = start(launcher, ['relay', ...pairs, '--log', log, ...one, ...args]);
  const events = (): readonly LogLine[] => {
    const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
    // The last piece is a line that is being written, or nothing.
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  };
  let ports: readonly number[];
  try {
    // Connecting would tell as well, and leave a session in the log.
    ports = await until(
      'the relay to listen',
      () => {
        if (child.process.exitCode !== null) throw new Error(`the relay ended: ${child.output()}`);
        const found = events().filter(({ event }) => event === 'listening');
        return found.length === upstreams.length ? found.map((line) => portOf(line)) : undefined;
      },
      30_000,
    );
  } catch (error) {
    await child.stop('SIGKILL');
    throw error;
  }
  return {
    pid: child.pid,
    ports,
    log,
    events,
    output: child.output,
    stop: (patienceMs) => child.stop('SIGTERM', patienceMs),
    discard: () => discard(folder),
  };
}

function portOf({ listen }: LogLine): number {
  return Number(String(listen).split(':').at(-1));
}
