// `ehlowire status`: where it is, whether it is whole, what it learned and what it counted.

import { isFault, type Outcome } from '../../proxy/system/fault';
import type { CommonFlags } from '../../proxy/config/flags';
import { wantsColor } from '../../proxy/config/config';
import { readRelayStatuses } from '../../proxy/relay/status-file';
import { readStatus } from '../status/status';
import { isWell, toObject, toText } from '../status/text';
import { isConfig, readConfig } from './flags';

export interface StatusFlags extends CommonFlags {
  readonly json?: boolean;
}

// Async as every command is.
export async function runStatus(flags: StatusFlags): Promise<Outcome> {
  const config = readConfig({ ...flags, json: false });
  if (!isConfig(config)) return config;
  const status = readStatus(config);
  if (isFault(status)) return status;
  const relays = readRelayStatuses(config);
  const text =
    flags.json === true
      ? `${JSON.stringify(toObject(status, relays))}\n`
      : toText(status, wantsColor(1), relays);
  process.stdout.write(text);
  return isWell(status, relays) ? 0 : 1;
}
