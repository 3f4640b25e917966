// Answered in the server's stead: a device on the path speaks TCP in its name.

import { FLAG, type Segment } from '../tcp/segment';
import { TTL_JUMP } from '../verdict/thresholds';
import { lastAnswering, triedOf } from './hops';
import type { Answer, Test, Trace, TraceVerdict } from './sent';
import { placeText, TEST_TEXTS } from './texts';

/** Two different signs prove it; one alone is suspected, and a distance that differs by one hop is none. */
export function judgeTerminated(trace: Trace, translated: boolean): readonly TraceVerdict[] {
  // Where addresses are translated, echo requests may go elsewhere.
  const found = shaken(trace) ?? (translated ? undefined : proxied(trace));
  return found === undefined ? [] : [found];
}

/** Another device shakes hands, and the server speaks from then on: a SYN proxy. */
function shaken(trace: Trace): TraceVerdict | undefined {
  const { distance = 0, synAck } = trace;
  const later = controlSegment(trace);
  const [copy] = answersTo(trace, 'syn')
    .filter(({ ttl, answer }) => ttl < distance && isSynAck(answer))
    .sort((a, b) => a.ttl - b.ttl);
  const jump = synAck && later ? later.ttl - synAck.ttl : 0;
  const signs = [
    ...(copy
      ? [`a SYN with TTL ${copy.ttl} has a SYN-ACK, and the server answers only from TTL ${distance} on`]
      : []),
    ...(jump !== 0
      ? [`the SYN-ACK came with TTL ${synAck?.ttl}, and later segments with ${later?.ttl}`]
      : []),
    ...(synAck?.window === 0 ? ['the SYN-ACK has a window of 0'] : []),
  ];
  const worth = copy !== undefined || signs.length > 1 || Math.abs(jump) >= TTL_JUMP;
  if (!worth || synAck === undefined) return undefined;
  // A router looks at the TTL before its SYN proxy does: a SYN needs one hop more than the SYN-ACK.
  return verdictOf(Math.min(copy?.ttl ?? Infinity, hopsBack(synAck.ttl) + 1), 'syn', signs);
}

function isSynAck(answer: Answer): boolean {
  return answer.kind === 'segment' && (answer.segment.flags & FLAG.syn) !== 0;
}

/** Packets that are no TCP go on where TCP in the server's name ends. */
function proxied(trace: Trace): TraceVerdict | undefined {
  const { distance } = trace;
  if (distance === undefined) return undefined;
  const echoes = answersTo(trace, 'echo');
  const reply = echoes.find(({ answer }) => answer.kind === 'echo' && answer.from === trace.server);
  const beyond = echoes
    .filter(({ ttl, answer }) => answer.kind === 'expired' && ttl >= distance && answer.from !== trace.server)
    .map(({ ttl }) => ttl);
  const replied = echoes.filter(({ answer }) => answer.kind === 'echo').map(({ ttl }) => ttl);
  const farther = Math.max(0, ...beyond) + 1 - distance;
  const segment = controlSegment(trace);
  // The stacks may start at different TTLs: what counts is the distance from where each started.
  const back = reply && segment ? hopsBack(reply.answer.ttl) - hopsBack(segment.ttl) : 0;
  if (farther < 1) return undefined;
  const signs = [
    `echo requests with TTL ${Math.max(...beyond)} are still on their way` +
      (replied.length > 0 ? ` (the server replies from TTL ${Math.min(...replied)} on)` : ''),
    ...(back > 0
      ? [`TCP segments come back over ${back} ${back === 1 ? 'hop' : 'hops'} less than echo replies`]
      : []),
  ];
  return signs.length < 2 && farther < 2 ? undefined : verdictOf(distance, 'control', signs);
}

function verdictOf(hop: number, test: Test, signs: readonly string[]): TraceVerdict {
  const proved = signs.length >= 2;
  const place = { kind: 'hop', hop } as const;
  return {
    ...{ verdict: 'path-terminated', certainty: proved ? 'proved' : 'suspected', test, place },
    message:
      `A device ${proved ? 'answers' : 'may answer'} TCP in the server's name ${placeText(place, undefined)}: ` +
      `${signs.join('; ')}.`,
  };
}

/** RST for a segment whose TTL ends before the server. */
export function judgeReset(trace: Trace): readonly TraceVerdict[] {
  const resets = trace.answers.flatMap((answer) => {
    const sent = trace.sent.find(({ number }) => number === answer.to);
    const isReset = answer.kind === 'segment' && (answer.segment.flags & FLAG.rst) !== 0;
    return sent && isReset && sent.test !== 'syn' ? [sent] : [];
  });
  const [first] = resets
    .filter(({ ttl, test }) => test !== 'control' && ttl < (trace.distance ?? Infinity))
    .sort((a, b) => a.ttl - b.ttl);
  if (first) {
    const place = { kind: 'hop', hop: first.ttl } as const;
    return [
      {
        ...{ verdict: 'reset-injected', certainty: 'proved', test: first.test, place },
        message:
          `At hop ${first.ttl} a device resets the connection for ${TEST_TEXTS[first.test]}: ` +
          `the segment had a TTL of ${first.ttl} and cannot have reached the server.`,
      },
    ];
  }
  if (trace.hello.result !== 'reset') return [];
  const from = lastAnswering(trace, ({ test }) => test === 'ehlo');
  const place = { kind: 'between', from, to: trace.distance } as const;
  return [
    {
      ...{ verdict: 'reset-injected', certainty: 'suspected', test: 'ehlo', place },
      message: `The connection was reset when EHLO was sent: by the server, or by a device ${placeText(place, trace.distance)}.`,
    },
  ];
}

interface Found {
  readonly ttl: number;
  readonly answer: Answer;
}

function answersTo(trace: Trace, test: Test): readonly Found[] {
  return triedOf(trace)
    .filter((each) => each.test === test)
    .flatMap(({ ttl, answers }) => answers.map((answer) => ({ ttl, answer })));
}

/** The server's answer to a control. */
function controlSegment(trace: Trace): Segment | undefined {
  const found = answersTo(trace, 'control').find(({ answer }) => answer.kind === 'segment')?.answer;
  return found?.kind === 'segment' ? found.segment : undefined;
}

/** Stacks start at 64, 128 or 255. */
export function hopsBack(ttl: number): number {
  return (ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl;
}
