// Held: the answers to a segment come much later than those to the control of the same hop.

import type { Micros } from '../events';
import { HELD, JITTER } from '../verdict/thresholds';
import { milliseconds } from '../verdict/words';
import { compare, lastAnswering, median, triedOf, type Compared } from './hops';
import type { Test, Trace, TraceVerdict } from './sent';
import { between, placeText, TEST_TEXTS } from './texts';

export function judgeHeld(trace: Trace, test: Test, stage: number): readonly TraceVerdict[] {
  const rows = compare(trace, test, stage).filter(({ own, control }) => isTimed(own) && isTimed(control));
  const start = rows.findIndex((_, i) => rows.slice(i).every(isLate));
  const first = rows[start];
  if (first === undefined) return test === 'ehlo' ? atTheServer(trace) : [];
  const before = rows[start - 1]?.ttl ?? 0;
  const held = lateness(first);
  const place = between(before, first.ttl);
  const proved = first.own.roundTrips.length >= 3 && leastDelay(first) >= HELD;
  return [
    {
      verdict: test === 'ehlo' ? 'ehlo-held' : 'segment-held',
      certainty: proved ? 'proved' : 'suspected',
      ...{ test, place, held },
      message:
        `${nameOf(test)} ${proved ? 'is' : 'may be'} held for ${milliseconds(held)} ms ` +
        `${placeText(place, trace.distance)}; the control segment is not.`,
    },
  ];
}

function isTimed({ roundTrips }: Compared['own']): boolean {
  return roundTrips.length >= 2;
}

/** Each answer is late, and the control's own spread does not explain it. */
function isLate(row: Compared): boolean {
  const { roundTrips } = row.control;
  const spread = (roundTrips.at(-1) ?? 0) - (roundTrips[0] ?? 0);
  return lateness(row) >= HELD && leastDelay(row) >= HELD / 2 && spread <= lateness(row) / JITTER;
}

function lateness({ own, control }: Compared): Micros {
  return median(own.roundTrips) - median(control.roundTrips);
}

/** The soonest of the test against the latest of the control. */
function leastDelay({ own, control }: Compared): Micros {
  return (own.roundTrips[0] ?? 0) - (control.roundTrips.at(-1) ?? 0);
}

/** Behind the last hop there is only the session's own EHLO, once; a server may delay its acknowledgement a little. */
function atTheServer(trace: Trace): readonly TraceVerdict[] {
  const { acknowledgedAfter } = trace.hello;
  const { distance } = trace;
  const control = triedOf(trace).find(
    ({ test, stage, ttl }) => test === 'control' && stage === 0 && ttl === distance,
  );
  if (acknowledgedAfter === undefined || !control || control.roundTrips.length === 0) return [];
  const held = acknowledgedAfter - (control.roundTrips.at(-1) ?? 0);
  if (held < HELD + ACK_DELAY) return [];
  const place = between(
    lastAnswering(trace, ({ test }) => test === 'ehlo'),
    distance,
  );
  return [
    {
      ...{ verdict: 'ehlo-held', certainty: 'suspected', test: 'ehlo', place, held },
      message:
        `EHLO may be held for ${milliseconds(held)} ms ${placeText(place, distance)}: ` +
        'its acknowledgement came that much later than the one of the control segment.',
    },
  ];
}

function nameOf(test: Test): string {
  const text = TEST_TEXTS[test];
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The longest that stacks of today wait before they acknowledge. */
const ACK_DELAY: Micros = 200_000;
