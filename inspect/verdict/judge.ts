// What a judge is: it sees one connection step by step and speaks when the evidence crosses the bar.

import type { Finding } from '../coverage/finding';
import type { Micros } from '../events';
import type { JudgeInput } from '../tcp/view';

export interface Judge {
  /**
   * One step of the connection; what it proves or makes likely if all was observed: the gate decides what is said of it. A
   * finding of before may come again with more.
   */
  judge(input: JudgeInput): readonly Finding[];
  /** When the judge wants to be asked again though nothing happens; absent or `undefined`: it waits for segments. */
  deadline?(): Micros | undefined;
  /** What is still on its way, overtaken by all the rest, may change what the judge thinks. */
  isUndecided?(): boolean;
}
