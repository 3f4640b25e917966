// A topology with its mail servers, and ehlowire in it in one way or the other.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OBJECT } from '../../../proxy/wire/wire';
import type { LogLine } from '../../kit/ehlowire';
import type { Child } from '../../kit/process';
import { awaitWord, forgetStale, makeTopology, type Topology } from '../../kit/topology';
import { startRelay } from './product';
import type { Equipment } from './tasks';
import { forgetPins, startWire } from './wire';

export interface Stage {
  readonly topology: Topology;
  /** Ends all; what ehlowire had to say, by where it stood. */
  fall(): Promise<Logs>;
}

export interface Logs {
  readonly live: readonly LogLine[];
  readonly bridge: readonly LogLine[];
  readonly host: readonly LogLine[];
}

const NAME = 'ehlf';
/** All of them start at once. */
const START_MS = 180_000;

/** Once, before the first: what a run left behind that was killed, and the program for the kernel. */
export function prepare(): void {
  forgetStale(NAME);
  forgetPins(NAME);
  if (!existsSync(OBJECT)) execFileSync('npm', ['run', '-s', 'build:wire'], { stdio: 'inherit' });
}

export async function raise(index: number, equipment: Equipment, folder: string): Promise<Stage> {
  const topology = makeTopology(`${NAME}${process.pid}-${index}`);
  if (typeof topology === 'string') throw new Error(topology);
  const program = ['-r', 'ts-node/register/transpile-only', join(__dirname, 'mta.ts')];
  // The servers' own scratch folders lie in ours: they go with it, however the servers end.
  const servers: Child = topology.start('mta', 'env', `TMPDIR=${folder}`, process.execPath, ...program);
  const fall = async (): Promise<void> => {
    await servers.stop();
    topology.remove();
  };
  try {
    const [equipped] = await Promise.all([
      equip(topology, equipment, folder),
      awaitWord(servers, 'ready', START_MS),
    ]);
    return {
      topology,
      fall: async () => {
        const logs = await equipped();
        await fall();
        return logs;
      },
    };
  } catch (error) {
    await fall();
    throw error;
  }
}

/** What takes it out again, and gives its logs. */
async function equip(topology: Topology, equipment: Equipment, folder: string): Promise<() => Promise<Logs>> {
  if (equipment === 'relay') {
    const relay = await startRelay(topology, join(folder, `${topology.name}.events`));
    return async () => {
      await relay.stop();
      return { live: relay.events(), bridge: [], host: [] };
    };
  }
  const [bridge, host] = await Promise.all([
    startWire(topology, 'bridge', { folder, asks: equipment === 'bridge asks' }),
    startWire(topology, 'host', { folder, asks: equipment === 'host asks' }),
  ]);
  return async () => {
    await Promise.all([bridge.stop(), host.stop()]);
    return { live: [], bridge: bridge.events(), host: host.events() };
  };
}
