// The flags that several commands share, as overrides of the configuration.

import type { Overrides } from './config';

export interface CommonFlags {
  readonly config?: string;
  readonly log?: string;
  readonly set?: readonly string[];
  readonly json?: boolean;
}

type Flag = NonNullable<Overrides['flags']>[number];

/** `more`: flags of the command's own. */
export function toOverrides({ config, log, set, json }: CommonFlags, more: readonly Flag[] = []): Overrides {
  const flags: Flag[] = [...more];
  if (log !== undefined) flags.push({ flag: '--log', key: 'log.file', value: log });
  if (json === true) flags.push({ flag: '--json', key: 'log.format', value: 'json' });
  return { file: config, set, flags };
}
