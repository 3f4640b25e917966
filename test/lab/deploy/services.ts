// Services on a machine of the lab: what they need to be installed, and what they may do.

import { readFileSync, writeFileSync } from 'node:fs';
import type { Outcome } from '../../kit/process';
import type { Machine } from './machine';

/** What the package depends on, as packages: a machine that has its Node from elsewhere has no such package. */
export async function provideNode(machine: Machine): Promise<void> {
  const version = await versionOf(machine, 'nodejs');
  if ((await machine.run('dpkg', '--compare-versions', version, 'ge', '20')).code === 0) return;
  const control = ['Package: nodejs', `Version: ${process.versions.node}`, 'Architecture: all'];
  const lines = [
    ...control,
    'Maintainer: nobody <nobody@lab.invalid>',
    'Description: stands for this one',
    '',
  ];
  await machine.say('mkdir', '-p', '/root/node/DEBIAN');
  writeFileSync(machine.path('/root/node/DEBIAN/control'), lines.join('\n'));
  await machine.say('dpkg-deb', '--build', '/root/node');
  await machine.say('dpkg', '--force-depends', '-i', '/root/node.deb');
  if ((await machine.run('sh', '-c', 'command -v node')).code === 0) return;
  // Somewhere in a home folder, which the services do not see.
  writeFileSync(machine.path('/usr/bin/node'), readFileSync(process.execPath), { mode: 0o755 });
}

async function versionOf(machine: Machine, name: string): Promise<string> {
  const { code, output } = await machine.run('dpkg-query', '-W', '-f', '${Version}', name);
  return code === 0 && output !== '' ? output : '0';
}

/** All files whose name is ours. */
export async function filesOfOurs(machine: Machine): Promise<string> {
  const where = ['/etc', '/lib', '/usr', '/var', '/run', '/sys/fs/bpf'];
  // `systemd-analyze verify` reads the manual page, of which man(1) keeps what it shows.
  const line = `find ${where.join(' ')} -path /var/cache/man -prune -o -iname '*ehlowire*' -print | sort`;
  return machine.say('sh', '-c', line);
}

/** What the kernel says that a process may do. */
export async function rightsOf(machine: Machine, unit: string): Promise<Record<string, string>> {
  const pid = await machine.say('systemctl', 'show', '--value', '-p', 'MainPID', unit);
  const status = await machine.say('cat', `/proc/${pid}/status`);
  const value = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
  return Object.fromEntries(
    ['Uid', 'CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp'].map((name) => [name, value(name)]),
  );
}

/** Capabilities by their numbers (linux/capability.h) as the kernel writes a set of them. */
export function mask(...numbers: readonly number[]): string {
  return numbers
    .reduce((sum, number) => sum | (1n << BigInt(number)), 0n)
    .toString(16)
    .padStart(16, '0');
}
export const CAP = { netBindService: 10, netAdmin: 12, netRaw: 13, perfmon: 38, bpf: 39 };

/** Exit code 0: the sandbox is at least as tight as `exposure`, from 0 to 10 in steps of a tenth. */
export function security(machine: Machine, unit: string, exposure: number): Promise<Outcome> {
  const threshold = `--threshold=${Math.round(exposure * 10)}`;
  return machine.run('systemd-analyze', '--no-pager', 'security', threshold, unit);
}
