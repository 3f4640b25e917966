// A relay with rules of policy, as a user starts it.

import { startRelay, type Relayed } from '../../kit/ehlowire';
import { launcher } from '../../kit/launcher';

export type Rules = Readonly<Record<string, string>>;

/** Each rule as `--set policy.KEY=VALUE`; those that are not named keep their defaults. */
export function startRuled(upstreams: readonly number[], rules: Rules = {}): Promise<Relayed> {
  const settings = process.env['LAB_RED']
    ? []
    : Object.entries(rules).flatMap(([key, value]) => ['--set', `policy.${key}=${value}`]);
  const addresses = upstreams.map((port) => `127.0.0.1:${port}`);
  return startRelay(addresses, settings, launcher());
}
