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

/**
 * Several, by the ends of their names; why there can be none as a string. They go with the process, or before by
 * `remove`, which may be called twice and is synchronous.
 */
export function makeNamespaces(
  name: string,
  places: readonly string[],
): { readonly remove: () => void } | string {
  const made: Namespace[] = [];
  const remove = (): void => {
    made.forEach((namespace) => namespace.remove());
    process.off('exit', remove);
  };
  process.on('exit', remove);
  for (const place of places) {
    const namespace = makeNamespace(`${name}-${place}`);
    if (typeof namespace === 'string') {
      remove();
      return namespace;
    }
    made.push(namespace);
  }
  return { remove };
}

/** No offload: checksums and segment sizes on the wire are those that the stacks mean. */
export function bare(namespace: string, device: string): void {
  const off = ['tx', 'sg', 'gso', 'gro', 'tso'].flatMap((each) => [each, 'off']);
  inside(namespace, 'ethtool', '-K', device, ...off);
  settings(namespace, { [`net/ipv6/conf/${device}/accept_ra`]: 0 });
}

/** Values below /proc/sys. */
export function settings(namespace: string, values: Readonly<Record<string, number>>): void {
  const lines = Object.entries(values).map(([path, value]) => `echo ${value} > /proc/sys/${path}`);
  inside(namespace, 'sh', '-ec', lines.join('\n'));
}

/** Commands of ip(8), one a line. */
export function batch(namespace: string, lines: readonly string[]): void {
  execFileSync('ip', ['-n', namespace, '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export function inside(namespace: string, command: string, ...args: readonly string[]): string {
  return ip('netns', 'exec', namespace, command, ...args);
}

/** ip(8): what it wrote; throws where it refuses. */
export function ip(...args: readonly string[]): string {
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
