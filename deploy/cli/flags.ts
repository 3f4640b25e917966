// The flags of `bridge` and `host`, and the configuration that they make.

import { loadConfig, type Config } from '../../proxy/config/config';
import { toOverrides, type CommonFlags } from '../../proxy/config/flags';
import { createFault, type Fault } from '../../proxy/system/fault';

export interface EntryFlags extends CommonFlags {
  readonly repair?: string;
  readonly evidence?: string;
}

export interface BridgeFlags extends EntryFlags {
  readonly wan: string;
  readonly lan: string;
  readonly path?: string;
}

export interface HostFlags extends EntryFlags {
  readonly dev: string;
}

export type Path = (typeof PATHS)[number];

export function readConfig(flags: EntryFlags): Config | readonly Fault[] {
  const { repair, evidence } = flags;
  const own = [
    ...(repair === undefined ? [] : [{ flag: '--repair', key: 'greeting.repair', value: repair }]),
    ...(evidence === undefined ? [] : [{ flag: '--evidence', key: 'evidence.folder', value: evidence }]),
  ];
  return loadConfig(toOverrides(flags, own));
}

export function isConfig(value: Config | readonly Fault[]): value is Config {
  return 'relay' in value;
}

export function readPath(text = 'auto'): Path | Fault {
  const path = PATHS.find((each) => each === text);
  return path ?? createFault('bad-flag', `--path ${text}`, { fix: `must be ${PATHS.join(', ')}` });
}

const PATHS = ['auto', 'wire', 'relay'] as const;
