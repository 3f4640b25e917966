// The flags of `bridge` and `host`, and the configuration that they make.

import { type Config, loadConfig } from '../../proxy/config/config';
import { toOverrides, type CommonFlags } from '../../proxy/config/flags';
import { rulesThatRelay, settingsOf } from '../../proxy/config/relayed-rules';
import { createFault, type Fault, isFault, isFaults, type Outcome } from '../../proxy/system/fault';
import { type ControlCommand, controlFile, takeControl } from '../journal/control-process';

interface EntryFlags extends CommonFlags {
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

/** What a process was started with, and how that is read again. */
export interface Start {
  readonly config: Config;
  readonly load: () => Config | readonly Fault[];
  /** The configuration file. */
  readonly file: string | undefined;
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

export function readPath(text = 'auto'): Path | Fault {
  const path = PATHS.find((each) => each === text);
  return path ?? createFault('bad-flag', `--path ${text}`, { fix: `must be ${PATHS.join(', ')}` });
}

/**
 * The same, for a path where nothing is relayed: a rule that is configured and that could not be enforced there is a
 * fault, also when it is read again.
 */
export function withoutRelay(start: Start, on: string, fix?: string): Start | readonly Fault[] {
  const check = (config: Config | readonly Fault[]): Config | readonly Fault[] => {
    if (isFaults(config)) return config;
    const { policy } = config;
    const settings = rulesThatRelay(policy).flatMap((rule) => settingsOf(policy, rule));
    const more = fix === undefined ? {} : { fix };
    const faults = settings.map((setting) => createFault('rule-needs-relay', `${setting} with ${on}`, more));
    return faults.length > 0 ? faults : config;
  };
  const config = check(start.config);
  return isFaults(config) ? config : { ...start, config, load: () => check(start.load()) };
}

const PATHS = ['auto', 'wire', 'relay'] as const;

/**
 * This process is in control while `act` runs. That comes before anything else is loaded: a `leave` must find the process
 * that is just starting.
 */
export async function withControl(
  does: ControlCommand,
  flags: EntryFlags,
  act: (start: Start) => Promise<Outcome>,
): Promise<Outcome> {
  const load = (): Config | readonly Fault[] => readConfig(flags);
  const config = load();
  if (isFaults(config)) return config;
  const release = await takeControl(controlFile(config.deploy.journal), does);
  if (isFault(release)) return release;
  try {
    return await act({ config, load, file: flags.config });
  } finally {
    release();
  }
}
