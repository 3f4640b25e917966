// A machine of the lab that is installed on, booted and cut off: systemd as process 1 (see machine.sh).

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { discard, run, scratch, start, until, type Child, type Outcome } from '../../kit/process';

export interface Machine {
  /** A path of its disk, for reading and writing from here; only while it is on. */
  path(path: string): string;
  /** Switches it on; resolves when all that starts by itself has started. */
  boot(): Promise<void>;
  /** All processes end at once; the disk stays, what the kernel held for it goes (but for the network namespace). */
  cut(): Promise<void>;
  run(command: string, ...args: readonly string[]): Promise<Outcome>;
  /** The output of one that must succeed, without the white space around it. */
  say(command: string, ...args: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

/** In the network namespace of that name. */
export async function makeMachine(netns: string): Promise<Machine> {
  const folder = scratch('machine');
  const disk = start('unshare', ['--mount', '--propagation', 'private', 'sh', SCRIPT, 'hold', folder]);
  await until('a disk', () => {
    if (disk.process.exitCode !== null) throw new Error(disk.output());
    return disk.output().includes('held') || undefined;
  });
  const within = [`--mount=/proc/${disk.pid}/ns/mnt`, `--net=/run/netns/${netns}`];
  const cgroup = `ehlowire-${netns}`;
  let on: { readonly process: Child; readonly first: number } | undefined;
  const inside = (): string[] => {
    if (on === undefined) throw new Error('the machine is off');
    return [
      '--target',
      String(on.first),
      '--mount',
      '--pid',
      '--net',
      '--cgroup',
      '--ipc',
      '--uts',
      '--root',
      '--wd',
    ];
  };
  const command: Machine['run'] = (...words) => run('nsenter', [...inside(), ...words], { env: ENVIRONMENT });
  const cut = async (): Promise<void> => {
    await on?.process.stop('SIGKILL');
    on = undefined;
  };
  return {
    path: (path) => join(`/proc/${disk.pid}/root`, folder, 'disk', path),
    boot: async () => {
      const process = start('nsenter', [...within, 'sh', SCRIPT, 'boot', folder, cgroup], { kill: cutOff });
      const first = await until('process 1', () => firstOf(process), 20_000);
      on = { process, first };
      // `running`, or `degraded` where a unit failed, which the caller may find out.
      await until(
        'the boot',
        async () => {
          const { output } = await command('systemctl', 'is-system-running', '--wait');
          return /^(running|degraded)/.test(output) || undefined;
        },
        60_000,
      );
    },
    cut,
    run: command,
    say: async (...words) => {
      const outcome = await command(...words);
      if (outcome.code !== 0) throw new Error(`${words.join(' ')}: ${outcome.code}: ${outcome.output}`);
      return outcome.output.trim();
    },
    remove: async () => {
      await cut();
      sweepCgroup(disk.pid, join(folder, 'cgroup', cgroup));
      await disk.stop('SIGKILL');
      discard(folder);
    },
  };
}

/** The child of unshare(1), as soon as it is systemd. */
function firstOf({ pid, process, output }: Child): number | undefined {
  if (process.exitCode !== null) throw new Error(`no boot: ${output()}`);
  const [first] = childrenOf(pid);
  if (first === undefined || !readFileSync(`/proc/${first}/comm`, 'utf8').startsWith('systemd'))
    return undefined;
  return first;
}

// nsenter and unshare became one process by exec; with its child a namespace of processes ends.
function cutOff({ pid, exitCode }: Child['process']): void {
  if (exitCode !== null || pid === undefined) return;
  for (const first of childrenOf(pid)) process.kill(first, 'SIGKILL');
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function sweepCgroup(holder: number, cgroup: string): void {
  const line = '[ ! -e "$1" ] || find "$1" -depth -type d -exec rmdir {} +';
  execFileSync('nsenter', [`--mount=/proc/${holder}/ns/mnt`, 'sh', '-c', line, '-', cgroup]);
}

const SCRIPT = join(__dirname, 'machine.sh');
/** Of a shell of root, and nothing of this process's own. */
const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C',
};
