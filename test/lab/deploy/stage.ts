// A namespace with two cables that end in another one, and ehlowire in it as a user starts it.

import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BPFFS, isBpffs } from '../../../proxy/wire/attachment';
import { makeNamespace } from '../../kit/netns';
import { run, scratch, discard, start, until, type Child, type Outcome } from '../../kit/process';

export interface Stage {
  readonly journal: string;
  readonly pins: string;
  /** For ehlowire: where its journal and its pins are. */
  readonly settings: readonly string[];
  /** A program in the namespace, which sees the bpffs of the machine (as `ip netns exec` would not). */
  run(command: string, ...args: readonly string[]): Promise<Outcome>;
  start(command: string, ...args: readonly string[]): Child;
  ip(...args: readonly string[]): string;
  remove(): void;
}

/** Why there can be none here, as a string. */
export function makeStage(name: string): Stage | string {
  const near = makeNamespace(`${name}-n`);
  if (typeof near === 'string') return near;
  const far = makeNamespace(`${name}-f`);
  if (typeof far === 'string') {
    near.remove();
    return far;
  }
  const folder = scratch('deploy');
  const journal = join(folder, 'journal.json');
  const pins = `${BPFFS}/${name}`;
  const within = [`--net=/run/netns/${near.name}`, '--'];
  const remove = (): void => {
    near.remove();
    far.remove();
    rmSync(pins, { recursive: true, force: true });
    discard(folder);
  };
  process.on('exit', remove);
  // Link-local addresses are not to be waited for.
  for (const namespace of [near, far]) quiet(namespace.name);
  for (const port of ['wan', 'lan']) {
    ip('link', 'add', port, 'netns', near.name, 'type', 'veth', 'peer', 'name', port, 'netns', far.name);
    ip('-n', far.name, 'link', 'set', port, 'up');
  }
  return {
    journal,
    pins,
    settings: [
      ...['--set', `deploy.journal=${journal}`, '--set', `wire.pins=${pins}`],
      ...['--set', `relay.state=${folder}`, '--set', `servers.file=${folder}/servers.json`],
    ],
    run: (command, ...args) => run('nsenter', [...within, command, ...args], { timeoutMs: PATIENCE_MS }),
    start: (command, ...args) => start('nsenter', [...within, command, ...args]),
    ip: (...args) => ip('-n', near.name, ...args),
    remove: () => {
      process.off('exit', remove);
      remove();
    },
  };
}

/** Until `ehlowire bridge` or `host` is in place. */
export async function awaitInPlace(child: Child): Promise<void> {
  await until(
    'it is in place',
    () => {
      if (child.process.exitCode !== null) throw new Error(child.output());
      return child.output().includes('"wire-open"') || undefined;
    },
    60_000,
  );
}

/** Why the kernel's part cannot be tested here. */
export function unfit(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  // Where `ip netns exec` hides it, too.
  return existsSync(BPFFS) && isBpffs(BPFFS) ? undefined : `no bpffs at ${BPFFS}`;
}

/** On a machine that has much else to do. */
const PATIENCE_MS = 300_000;
export const NODE = [process.execPath, '-r', 'ts-node/register/transpile-only'] as const;

function quiet(namespace: string): void {
  const line = 'for k in all default; do echo 0 > /proc/sys/net/ipv6/conf/$k/accept_dad; done';
  execFileSync('nsenter', [`--net=/run/netns/${namespace}`, 'sh', '-c', line]);
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
