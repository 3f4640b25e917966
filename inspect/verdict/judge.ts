// What a judge is: it gets one connection step by step, and reports when the evidence reaches its threshold. And what is said of its
// verdict beside the sentence: its cause, which stands in the judge's own file.

import type { Finding } from '../coverage/finding';
import type { Micros, Where } from '../events';
import type { JudgeInput } from '../tcp/view';

export interface Judge {
  /**
   * One step of the connection; what it proves or makes likely if all was observed: the gate decides what is said of it. A
   * finding of before may come again with more.
   */
  judge(input: JudgeInput): readonly Finding[];
  /** When the judge is to be called again though nothing came; absent or `undefined`: it waits for segments. */
  deadline?(): Micros | undefined;
  /** A segment that was overtaken and comes later may change what the judge finds. */
  isUndecided?(): boolean;
}

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
