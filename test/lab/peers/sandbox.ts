// Daemons in a process and mount namespace of their own: they end together, and what they see of the system
// may be replaced (users, /run, /var/spool) without touching it.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { start, type Child } from '../../kit/process';

interface SandboxOptions {
  /** Where the start script and replaced files go. */
  readonly folder: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** System users that the daemon insists on; uid and gid are the same number. */
  readonly users?: readonly { readonly name: string; readonly id: number; readonly home?: string }[];
  /** Folders that are empty for the daemon, and disappear with it. */
  readonly empty?: readonly string[];
  /** Folders laid over others: [what, over which]. */
  readonly binds?: readonly (readonly [from: string, over: string])[];
  /** Shell lines that run before the daemon, behind the mounts. */
  readonly prepare?: readonly string[];
}

/**
 * Starts a daemon that stays in the foreground. `stop('SIGKILL')` takes all of its processes along, as the
 * kernel ends a process namespace with its first process. Needs root and unshare(1).
 */
export function startSandbox(options: SandboxOptions): Child {
  const { folder, users = [], empty = [], binds = [], prepare = [], command } = options;
  const lines = ['set -e'];
  if (users.length > 0) {
    const passwd = users.map((u) => `${u.name}:x:${u.id}:${u.id}::${u.home ?? '/nonexistent'}:/bin/sh`);
    const group = users.map((u) => `${u.name}:x:${u.id}:`);
    for (const [name, added] of [
      ['passwd', passwd],
      ['group', group],
    ] as const) {
      const own = join(folder, name);
      writeFileSync(own, `${readFileSync(`/etc/${name}`, 'latin1')}${added.join('\n')}\n`, 'latin1');
      lines.push(`mount --bind ${own} /etc/${name}`);
    }
  }
  // Binds first: what they come from may lie in a folder that is emptied next.
  for (const [from, over] of binds) lines.push(`mount --bind ${from} ${over}`);
  for (const path of empty) lines.push(`mount -t tmpfs -o mode=755 none ${path}`);
  lines.push(...prepare, `exec ${command.map(quote).join(' ')}`);
  const script = join(folder, 'start.sh');
  writeFileSync(script, `${lines.join('\n')}\n`);
  return start(
    'unshare',
    ['--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', 'sh', script],
    { env: { ...process.env, ...options.environment }, kill: killInner },
  );
}

// unshare's child is the namespace's first process. (unshare's own --kill-child does not do: the kernel forgets
// it when a daemon changes its user.)
function killInner({ pid, exitCode }: ChildProcess): void {
  const children = `/proc/${pid}/task/${pid}/children`;
  if (exitCode !== null || !existsSync(children)) return;
  for (const inner of readFileSync(children, 'utf8').split(' ').filter(Boolean)) {
    process.kill(Number(inner), 'SIGKILL');
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
