// Work that is done for a while at a time, so that everything else has its turn.

import type { Micros } from '../../inspect/events';
import { steady } from '../system/clock';

/** Does steps until one finds nothing to do, or the turn is over; says whether there is nothing more. */
export function takeTurn(step: () => boolean, turn: Micros, clock: () => Micros = steady): boolean {
  const until = clock() + turn;
  while (step()) if (clock() >= until) return false;
  return true;
}
