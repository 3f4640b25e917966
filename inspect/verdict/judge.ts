// What is said of a verdict beside its sentence: its cause, which stands in the file of its judge.

import type { Where } from '../events';

/** What a verdict means, beside the sentence of its judge. */
export interface Cause {
  /** 1: a device on the path; 2: the path or the server, less surely; 3: a peer. */
  readonly rank: 1 | 2 | 3;
  /** `EHLO dropped before this point`: of many sessions. */
  readonly what: string;
  /** What to do about it. */
  readonly next: string;
  /**
   * Who may have caused it, beside a device on the path: a client, or its own network, whose claim it rests on; a server;
   * or neither.
   */
  readonly suspect: 'client' | 'server' | 'neither';
  /** How to check it in Wireshark. */
  readonly recheck: string;
  /** Where it is proved: what else might explain it, and why it does not. */
  readonly ruledOut: readonly string[];
  /** Where it is only suspected: what else may explain it. */
  readonly open: readonly string[];
}

/** What a cause rests on. */
export type Ground = Pick<Cause, 'suspect' | 'recheck' | 'ruledOut' | 'open'>;

/** As words in a sentence. */
export const PLACES: Readonly<Record<Where, string>> = {
  before: 'before this point',
  beyond: 'beyond this point',
  here: 'between the two points',
};

export const MISSED = 'Segments that were not captured: the connection was not seen completely.';
export const VENDOR = "show the firewall's vendor the report (--evidence DIR)";
