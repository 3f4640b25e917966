// The bench: all judges of one connection.

import { createAlteredJudge } from './altered';
import { createBeyondJudge } from './beyond';
import { createDroppedJudge } from './dropped';
import { createEarlyJudge } from './early';
import { createGreetingJudge } from './greeting';
import { createHeldJudge } from './held';
import type { Judge } from './judge';
import { createRenumberedJudge } from './renumbered';
import { createResentJudge } from './resent';
import { createResetJudge } from './reset';
import { createSilenceJudge } from './silence';
import { createTerminatedJudge } from './terminated';

/** `counted`: see `Coverage.counted`. */
export function createJudges(counted: boolean): readonly Judge[] {
  return [
    createDroppedJudge('client', counted),
    createDroppedJudge('server', counted),
    createBeyondJudge('client', counted),
    createBeyondJudge('server', counted),
    createResentJudge(),
    createHeldJudge(),
    createAlteredJudge(),
    createTerminatedJudge('client'),
    createTerminatedJudge('server'),
    createRenumberedJudge(),
    createResetJudge('client'),
    createResetJudge('server'),
    createGreetingJudge(),
    createSilenceJudge(counted),
    createEarlyJudge(),
  ];
}
