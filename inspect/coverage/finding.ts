// What a judge may say: a finding, with what must have been observed for it. Only the gate makes a verdict of it.

import type { Certainty, VerdictEvent } from '../events';

/** What must have been observed. */
export type Premise =
  /** A segment of either side. */
  | 'both-sides'
  /** The SYNs of both sides: each stream is known from its first octet on. */
  | 'handshake'
  /** The options of both SYNs, all of them. */
  | 'options'
  /** All octets of the side from its first one on. */
  | 'client-octets'
  | 'server-octets'
  /** No segment of either side is known to have passed without having been observed. */
  | 'nothing-missed'
  /** The capture counts what it loses: a segment that is not here did not pass. */
  | 'losses-counted'
  /** Everything in the order in which it passed. */
  | 'in-order';

export interface Premises {
  /** Without these nothing is said. */
  readonly toSay: readonly Premise[];
  /** Without these it is suspected at the most. */
  readonly toProve?: readonly Premise[];
}

/** A verdict as the judge has it; `worth` is its certainty if all was observed. */
export interface Finding extends Omit<VerdictEvent, 'kind' | 'certainty'> {
  readonly worth: Certainty;
  readonly premises: Premises;
}
