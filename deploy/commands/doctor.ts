// `ehlowire doctor`: what this machine can do.

import type { Outcome } from '../../proxy/commands/outcome';
import type { StatusFlags } from './status';

export async function runDoctor(flags: StatusFlags): Promise<Outcome> {
  return flags.json === true ? 0 : 0;
}
