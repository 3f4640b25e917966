// Who a process is: a number alone comes again, after a reboot and before.

import { readFileSync } from 'node:fs';

export interface Identity {
  readonly pid: number;
  /** Of the kernel's start. */
  readonly boot: string;
  /** Ticks from the boot to its start (proc(5), `stat`, field 22). */
  readonly started: string;
}

export function ownIdentity(): Identity {
  return { pid: process.pid, boot: bootId(), started: startOf(process.pid) ?? '' };
}

/** Whether it lives. One that ended, and that its parent has not waited for, does not. */
export function isAlive({ pid, boot, started }: Identity): boolean {
  return Number.isSafeInteger(pid) && pid > 1 && boot === bootId() && started === startOf(pid);
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function startOf(pid: number): string | undefined {
  try {
    // The second field is a name in parentheses, which may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return ENDED.has(fields[STATE] ?? '') ? undefined : fields[START];
  } catch {
    return undefined;
  }
}

/** `state` and `starttime`, counted from the third field on. */
const STATE = 0;
const START = 19;
const ENDED: ReadonlySet<string> = new Set(['Z', 'X', 'x']);
