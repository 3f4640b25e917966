// A network namespace for the lab: its ports are nobody else's, and nothing in it outlives the run.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Namespace {
  readonly name: string;
  /** Prefix of a command that runs inside. */
  readonly within: readonly string[];
  /** Kills what still runs inside and says what that was, one line each. */
  sweep(): readonly string[];
  /** Sweeps and deletes it; may be called twice. Synchronous, for a process that is ending. */
  remove(): void;
}

/** Makes a namespace with loopback up; says why as a string where this machine or user cannot. */
export function makeNamespace(name: string): Namespace | string {
  if (process.getuid?.() !== 0) return 'no namespace: not root';
  try {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
  } catch (error) {
    tryTo(() => ip('netns', 'delete', name));
    return `no namespace: ${error instanceof Error ? error.message.split('\n').join(' ').trim() : String(error)}`;
  }
  let there = true;
  const sweep = (): readonly string[] => {
    const left = pids(name).map((pid) => ({ pid, command: commandOf(pid) }));
    for (const { pid } of left) tryTo(() => process.kill(pid, 'SIGKILL'));
    return left.map(({ pid, command }) => `${pid} ${command}`);
  };
  const remove = (): void => {
    if (!there) return;
    there = false;
    // What is being killed may have forked meanwhile.
    for (let i = 0; i < 5 && sweep().length > 0; i += 1);
    ip('netns', 'delete', name);
  };
  return { name, within: ['ip', 'netns', 'exec', name], sweep, remove };
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function pids(name: string): readonly number[] {
  return ip('netns', 'pids', name).split('\n').filter(Boolean).map(Number);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '(ended)';
  }
}

// What is to be gone may be gone already.
function tryTo(act: () => void): void {
  try {
    act();
  } catch {
    // Then there is nothing left to do.
  }
}
