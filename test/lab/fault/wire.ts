// The wire path in the lab, as a user starts it: `bridge` on the shim, `host` on the mail server.

import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LogLine } from '../../kit/ehlowire';
import { launcher } from '../../kit/launcher';
import { run, start, until } from '../../kit/process';
import type { Topology } from '../../kit/topology';
import { readLog } from './product';

interface RunningWire {
  events(): readonly LogLine[];
  /** Ends the process, and takes the program out again. */
  stop(): Promise<void>;
}

/** Resolves when it is in place. `asks`: it probes silent clients. */
export async function startWire(
  { name }: Topology,
  as: 'bridge' | 'host',
  { folder, asks }: { readonly folder: string; readonly asks: boolean },
): Promise<RunningWire> {
  const own = `${name}-${as}`;
  const log = join(folder, `${own}.events`);
  const pins = join(BPFFS, own);
  // Of the namespace the network only: the bpffs is the machine's.
  const within = [`--net=/run/netns/${name}-${as === 'bridge' ? 'shim' : 'mta'}`, '--', launcher()];
  const settings = [
    `deploy.journal=${join(folder, own, 'journal.json')}`,
    `servers.file=${join(folder, own, 'servers.json')}`,
    `wire.pins=${pins}`,
  ].flatMap((each) => ['--set', each]);
  const place = as === 'bridge' ? ['--wan', 'wan', '--lan', 'lan', '--path', 'wire'] : ['--dev', 'eth0'];
  const silent = asks ? [] : ['--set', 'evidence.probe=off'];
  watchExit().add(pins);
  const child = start('nsenter', [...within, as, ...place, '--log', log, ...settings, ...silent]);
  const events = (): readonly LogLine[] => readLog(log);
  await until(
    `${own} in place`,
    () => {
      if (child.process.exitCode !== null) throw new Error(`${own} ended: ${child.output()}`);
      return events().some(({ event }) => event === 'wire-open') || undefined;
    },
    180_000,
  );
  return {
    events,
    stop: async () => {
      // It reads what is left in the ring, and writes its log: on a busy machine that is not done at once.
      const { code, signal, seconds, output } = await child.stop('SIGTERM', PATIENCE_MS);
      if (code !== 0) throw new Error(`${own} ended with ${code ?? signal} after ${seconds} s: ${output}`);
      const left = await run('nsenter', [...within, 'leave', ...settings]);
      if (left.code !== 0) throw new Error(`${own} could not leave: ${left.output}`);
      unpin(pins);
      pinned.delete(pins);
    },
  };
}

const pinned = new Set<string>();
let watching = false;

function watchExit(): Set<string> {
  if (!watching) process.on('exit', () => pinned.forEach(unpin));
  watching = true;
  return pinned;
}

function unpin(pins: string): void {
  rmSync(pins, { recursive: true, force: true });
}

/** What a run left pinned that was killed. */
export function forgetPins(prefix: string): void {
  for (const each of readdirSync(BPFFS)) {
    const [, pid] = new RegExp(`^${prefix}(\\d+)-`).exec(each) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(BPFFS, each), { recursive: true });
  }
}

const PATIENCE_MS = 60_000;
const BPFFS = '/sys/fs/bpf';
