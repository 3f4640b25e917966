// Coverage: what was not observed of a connection, and why. Less seen is less said; never something else.

import type { Direction } from '../events';

/** Of one side's segments and octets. Octets that were left out on purpose (message, TLS) are not missing. */
export interface SideCoverage {
  /** Its SYN was observed: its stream is known from the first octet on. `cut`: not all of the SYN's options. */
  readonly begin: 'seen' | 'cut' | 'unseen';
  /** Its segments, without copies. */
  readonly segments: number;
  /** Octets that the capture cut off (snaplen). */
  readonly cut: number;
  /** Octets that the other side acknowledged and that were never here: the loss is ours. */
  readonly missed: number;
  /** Octets that never arrived here, and that the other side did not acknowledge: where they were lost is not known. */
  readonly lost: number;
  /** Frames that were captured more than once. */
  readonly copies: number;
  /** Segments that were captured before what they answer. */
  readonly disordered: number;
}

export interface Coverage {
  readonly client: SideCoverage;
  readonly server: SideCoverage;
  /** An unknown number of segments was not observed: the ring overflowed, or a datagram was fragmented. */
  readonly blind: boolean;
  /**
   * The capture counts the frames that it loses: a segment that is not here did not pass. Else any segment
   * may have passed and been lost by the capture.
   */
  readonly counted: boolean;
}

export type CoverageState = { [K in Direction]: { -readonly [F in keyof SideCoverage]: SideCoverage[F] } } & {
  blind: boolean;
  readonly counted: boolean;
};

export function createCoverage(counted = true): CoverageState {
  const side = (): CoverageState['client'] => ({
    ...{ begin: 'unseen', segments: 0, cut: 0, missed: 0, lost: 0, copies: 0, disordered: 0 },
  });
  return { client: side(), server: side(), blind: false, counted };
}

/** All of its octets from the first one on, as far as they came to this point. */
export function isSeenSide({ begin, cut, missed }: SideCoverage): boolean {
  return begin !== 'unseen' && cut === 0 && missed === 0;
}

/** All of a side, each segment once and in its order. */
export function isPlainSide(side: SideCoverage): boolean {
  return isSeenSide(side) && side.begin === 'seen' && side.lost + side.copies + side.disordered === 0;
}

/** Nothing shows that a segment of the connection was not observed. Copies and disorder take nothing away. */
export function isWhole({ client, server, blind }: Coverage): boolean {
  return !blind && [client, server].every((side) => isSeenSide(side) && side.lost === 0);
}
