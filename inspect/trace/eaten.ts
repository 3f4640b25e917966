// Dropped: at some hop the control is still answered, and this segment is not, there and behind it.

import { compare, lastAnswering, type Compared } from './hops';
import type { Answer, Place, Test, Trace, TraceVerdict } from './sent';
import { between, placeText, TEST_TEXTS } from './texts';

/** At most one for each test. The session's own SYN came through: what becomes of its copies is judged with proxies. */
export function judgeEaten(trace: Trace, test: Test, stage: number): readonly TraceVerdict[] {
  if (test === 'syn') return [];
  const rows = compare(trace, test, stage);
  const refusal = refusedAt(rows);
  if (refusal) return [refusedVerdict(trace, test, refusal)];
  const last = Math.max(0, ...rows.filter(({ own }) => own.answers.length > 0).map(({ ttl }) => ttl));
  const behind = rows.filter(({ ttl, control }) => ttl > last && control.answers.length > 0);
  const certain = behind.some(isCertain);
  const [first] = behind;
  const beyond = test === 'ehlo' ? unacknowledged(trace) : undefined;
  if (first && (certain || isLikely(behind))) {
    if (test === 'ehlo' && came(trace)) return certain ? [inspected(trace, last, first.ttl)] : [];
    const proved = certain && (test !== 'ehlo' || beyond?.certainty !== 'suspected');
    return [dropped(trace, test, between(last, first.ttl), proved ? 'proved' : 'suspected', behind)];
  }
  return beyond ? [beyond] : [];
}

/** Three of three against none of three: isolated loss and rate limits do not look like that. */
function isCertain({ own, control }: Compared): boolean {
  return own.sent >= TRIES && control.answers.length >= TRIES && control.answers.length === control.sent;
}

/** At two hops: where hops limit their answers it may be chance at one of them. */
function isLikely(behind: readonly Compared[]): boolean {
  return behind.filter(({ own, control }) => own.sent >= 2 && control.answers.length >= 2).length >= 2;
}

function came({ hello }: Trace): boolean {
  return hello.result === 'replied' || hello.result === 'acknowledged';
}

interface RefusedAt {
  readonly answer: Answer;
  readonly ttl: number;
}

/** ICMP says it: an answer "unreachable", where the control at the same TTL has none. */
function refusedAt(rows: readonly Compared[]): RefusedAt | undefined {
  for (const { ttl, own, control } of rows) {
    const answer = own.answers.find(({ kind }) => kind === 'unreachable');
    const alike = control.answers.some(({ kind }) => kind === 'unreachable');
    if (answer && !alike && control.answers.length > 0) return { answer, ttl };
  }
  return undefined;
}

function refusedVerdict(trace: Trace, test: Test, { answer, ttl }: RefusedAt): TraceVerdict {
  const own = trace.answers.find((each) => each.kind === 'expired' && each.from === answer.from);
  const hop = own && trace.sent.find(({ number }) => number === own.to)?.ttl;
  const place: Place = hop === undefined ? between(ttl - 1, ttl) : { kind: 'hop', hop };
  return {
    ...{ verdict: nameOf(test), certainty: 'proved', test, place },
    message:
      `${upper(TEST_TEXTS[test])} is refused with ICMP "unreachable" by ${answer.from}, ` +
      `${placeText(place, trace.distance)}; the control segment passes there.`,
  };
}

/**
 * Sequence arithmetic: the server is alive and acknowledges only what came before the EHLO. Where copies of it were
 * answered by all hops, it is behind the last one.
 */
function unacknowledged(trace: Trace): TraceVerdict | undefined {
  if (trace.hello.result !== 'silent') return undefined;
  const last = lastAnswering(trace, ({ test }) => test === 'ehlo');
  const place = between(last, trace.distance);
  const alive = trace.hello.alive === true;
  const where = placeText(place, trace.distance);
  return {
    ...{ verdict: 'ehlo-dropped', certainty: alive ? 'proved' : 'suspected', test: 'ehlo', place },
    message: alive
      ? `EHLO is dropped ${where}: the server still answers, and acknowledges only what came before it.`
      : `EHLO may be dropped ${where}: since it was sent, the server answers nothing on this connection.`,
  };
}

function dropped(
  trace: Trace,
  test: Test,
  place: Place,
  certainty: TraceVerdict['certainty'],
  behind: readonly Compared[],
): TraceVerdict {
  const [first] = behind;
  const is = certainty === 'proved' ? 'is' : 'may be';
  const name = upper(TEST_TEXTS[test]);
  const where = placeText(place, trace.distance);
  const control = test === 'full-size' ? TEST_TEXTS['half-size'] : TEST_TEXTS.control;
  const who = first?.ttl === trace.distance ? 'the server' : `hop ${first?.ttl}`;
  const shown = `${who} answered ${control}, and none of ${first?.own.sent} copies of ${TEST_TEXTS[test]}`;
  const hole = test === 'full-size' ? ' Large segments vanish, and no router says so (path MTU).' : '';
  const end =
    test === 'ehlo' && trace.hello.result === 'silent' && trace.hello.alive
      ? ' The server never acknowledged EHLO, and still answers.'
      : '';
  return {
    ...{ verdict: nameOf(test), certainty, test, place },
    message: `${name} ${is} dropped ${where}: ${shown}.${hole}${end}`,
  };
}

/** A device takes octets in and sends them on by itself: what could not go further comes to the server all the same. */
function inspected(trace: Trace, from: number, to: number): TraceVerdict {
  const place = between(from, to);
  return {
    ...{ verdict: 'path-terminated', certainty: 'suspected', test: 'ehlo', place },
    message:
      `A device ${placeText(place, trace.distance)} may take EHLO and send it on by itself: ` +
      `copies with a small TTL go no further, and EHLO itself comes to the server.`,
  };
}

function nameOf(test: Test): TraceVerdict['verdict'] {
  if (test === 'full-size') return 'black-hole';
  return test === 'ehlo' ? 'ehlo-dropped' : 'segment-dropped';
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Copies at a hop that are enough to prove it. */
const TRIES = 3;
