// `ehlowire status`: where it is attached, what it learned and counted. `ehlowire doctor`: what this machine can do.

import { isFault, isFaults, type Outcome } from '../../proxy/system/fault';
import type { CommonFlags } from '../../proxy/config/flags';
import { wantsColor } from '../../proxy/config/config';
import { readRelayStatuses } from '../../proxy/relay/status-file';
import { readStatus } from '../status/status';
import { isWell, toObject, toText } from '../status/text';
import { readConfig } from './flags';
import { isFit, judgeMachine } from '../doctor/checks';
import { readMachine } from '../doctor/probe';
import { toObject as toChecksObject, toText as toChecksText } from '../doctor/text';

export interface StatusFlags extends CommonFlags {
  readonly json?: boolean;
}

// Async as every command is.
export async function runStatus(flags: StatusFlags): Promise<Outcome> {
  const config = readConfig({ ...flags, json: false });
  if (isFaults(config)) return config;
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

// Async as every command is.
export async function runDoctor(flags: StatusFlags): Promise<Outcome> {
  const config = readConfig({ ...flags, json: false });
  if (isFaults(config)) return config;
  const checks = judgeMachine(readMachine(config));
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(toChecksObject(checks))}\n` : toChecksText(checks, wantsColor(1)),
  );
  return isFit(checks) ? 0 : 1;
}
