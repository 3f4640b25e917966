// The progress of a long analysis on a terminal: one line of standard error that is written over.

import { isatty } from 'node:tty';
import { formatBytes } from '../../sinks/wording';

interface Progress {
  update(position: number, segments: number, sessions: number): void;
  /** Takes the line away. */
  end(): void;
}

/** Silent where standard error is no terminal. `total`: octets; absent where it is not known. */
export function createProgress(total: number | undefined, shown = isatty(2)): Progress {
  const started = performance.now();
  let last = started;
  let drawn = false;
  return {
    update(position, segments, sessions) {
      const time = performance.now();
      if (!shown || time - last < EVERY_MS) return;
      last = time;
      drawn = true;
      const text = progressText(position, total, segments, sessions, (time - started) / 1000);
      process.stderr.write(`\r${text}\x1b[K`);
    },
    end() {
      if (drawn) process.stderr.write('\r\x1b[K');
    },
  };
}

/** `[########------------]  42 %  440.1 MB of 1.0 GB  1,234,567 segments  44,200 sessions  12 s left` */
function progressText(
  position: number,
  total: number | undefined,
  segments: number,
  sessions: number,
  seconds: number,
): string {
  const counts = `${segments.toLocaleString('en')} segments  ${sessions.toLocaleString('en')} sessions`;
  if (total === undefined || total === 0) return `${formatBytes(position)}  ${counts}`;
  const done = Math.min(1, position / total);
  const bar = '#'.repeat(Math.floor(done * BAR)).padEnd(BAR, '-');
  const left = done > 0 ? `${Math.ceil((seconds / done) * (1 - done))} s left` : '';
  const percent = `${Math.floor(done * 100)} %`.padStart(5);
  return `[${bar}] ${percent}  ${formatBytes(position)} of ${formatBytes(total)}  ${counts}  ${left}`;
}

const EVERY_MS = 200;
const BAR = 20;
