// `ehlowire doctor`: what this machine can do, and what is missing.

import { wantsColor } from '../../proxy/config/config';
import type { Outcome } from '../../proxy/system/fault';
import { isFit, judgeMachine } from '../doctor/checks';
import { readMachine } from '../doctor/probe';
import { toObject, toText } from '../doctor/text';
import { isConfig, readConfig } from './flags';
import type { StatusFlags } from './status';

// Async as every command is.
export async function runDoctor(flags: StatusFlags): Promise<Outcome> {
  const config = readConfig({ ...flags, json: false });
  if (!isConfig(config)) return config;
  const checks = judgeMachine(readMachine(config.wire.pins));
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(toObject(checks))}\n` : toText(checks, wantsColor(1)),
  );
  return isFit(checks) ? 0 : 1;
}
