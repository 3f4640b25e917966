// What is to be said of each cause beside the sentence of its judge: in general, what to do, how to check it, what was
// ruled out, and what else may explain it. A cause is a verdict, where it happened, and what it rests on. The texts of one
// judge's verdict stand in its file; here are those that several judges share, and those of two points.

import type { Proof, VerdictName, Where } from '../events';
import { ALTERED_CAUSE } from './altered';
import { UNACKNOWLEDGED } from './beyond';
import { NUMBERED } from './dropped';
import { EARLY_CAUSE } from './early';
import { MALFORMED_CAUSE, SLOW_CAUSE, TRUNCATED_CAUSE } from './greeting';
import { HELD_CAUSE } from './held';
import { type Cause, type Ground, MISSED, PLACES, VENDOR } from './judge';
import { PACKETS_COUNTED } from './resent';
import { RESET_CAUSE } from './reset';
import { GONE_CAUSE, SILENT_CAUSE } from './silence';
import { TERMINATED_CAUSE } from './terminated';

export interface CauseFacts {
  readonly verdict: VerdictName;
  readonly where: Where;
  readonly proof: Proof;
}

export function causeOf({ verdict, where, proof }: CauseFacts): Cause {
  const cause = CAUSES[verdict](where, proof === 'header');
  return where === 'here' ? { ...cause, ...BETWEEN } : cause;
}

const SERVER_SIDE = `look between this point and the server; capture there too, and compare (--wan, --dmz); ${VENDOR}`;

/** Both sides of what dropped it were captured. */
const BETWEEN: Ground = {
  suspect: 'neither',
  recheck:
    'Open the captures of both points beside each other and look for the commented frames, by `tcp.seq` relative to the ' +
    'SYN: they are at one point, and not, or not so, at the other.',
  ruledOut: [
    'The client and the server: what one point has and the other has not was changed between the two.',
  ],
  open: ['One of the two captures did not run, or missed a frame, at that time.'],
};

const dropped =
  (what: string, next: string) =>
  (where: Where, counted: boolean): Cause => ({
    rank: 1,
    what: `${what} ${PLACES[where]}`,
    next: where === 'beyond' ? SERVER_SIDE : next,
    ...(where === 'beyond' ? UNACKNOWLEDGED('server') : counted ? PACKETS_COUNTED : NUMBERED),
  });

const CAUSES: Readonly<Record<VerdictName, (where: Where, counted: boolean) => Cause>> = {
  'ehlo-dropped': dropped('EHLO dropped', VENDOR),
  'greeting-lost': (where) => ({
    rank: 1,
    what: `the greeting lost ${PLACES[where]}`,
    next:
      where === 'beyond'
        ? `look between this point and the clients; ${VENDOR}`
        : 'look between the server and this point',
    ...(where === 'beyond' ? UNACKNOWLEDGED('client') : { ...NUMBERED, suspect: 'server' }),
  }),
  'segment-dropped': (where, counted) => ({
    ...dropped('segments dropped', '')(where, counted),
    rank: 2,
    next: 'see the ladders for which; large ones only may be a black hole for full-size packets (MTU)',
    ...(where === 'beyond' && UNACKNOWLEDGED('client')),
  }),
  'ehlo-held': HELD_CAUSE,
  'ehlo-altered': ALTERED_CAUSE,
  'starttls-stripped': (where) => ({
    rank: 1,
    what: `STARTTLS taken away ${PLACES[where]}`,
    next: 'a middlebox inspects SMTP; switch that off: mail goes in the clear',
    suspect: 'server',
    recheck: 'Compare the two EHLO replies: one has STARTTLS, the other has not.',
    ruledOut: [],
    open: [MISSED],
  }),
  'path-terminated': () => TERMINATED_CAUSE,
  'reset-injected': () => RESET_CAUSE,
  'greeting-truncated': () => TRUNCATED_CAUSE,
  'greeting-malformed': () => MALFORMED_CAUSE,
  'greeting-slow': () => SLOW_CAUSE,
  'early-talker': () => EARLY_CAUSE,
  'client-silent': () => SILENT_CAUSE,
  'client-gone': () => GONE_CAUSE,
};

/** All that there are. */
export const VERDICT_NAMES = Object.keys(CAUSES) as readonly VerdictName[];
