// What a key of the configuration is.

import type { FormatName } from './formats';

export interface Setting {
  readonly key: string;
  readonly format: FormatName | readonly string[];
  readonly default: unknown;
  /** How the default reads in CONFIG.md where its value would not do. */
  readonly shown?: string;
  readonly doc: string;
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
