// Taking charge comes first, before what the command needs is loaded: `leave` must not find nobody while one starts.

import type { Config } from '../../proxy/config/config';
import type { Outcome } from '../../proxy/system/fault';
import { isFault } from '../../proxy/system/fault';
import { runningFile, takeCharge, type Doing } from '../journal/control-process';
import { isConfig, readConfig, type EntryFlags } from './flags';

/** Holds the charge while `act` runs. */
export async function inCharge(
  does: Doing,
  flags: EntryFlags,
  act: (config: Config) => Promise<Outcome>,
): Promise<Outcome> {
  const config = readConfig(flags);
  if (!isConfig(config)) return config;
  const release = takeCharge(runningFile(config.deploy.journal), does);
  if (isFault(release)) return release;
  try {
    return await act(config);
  } finally {
    release();
  }
}
