// Answered in the server's stead: a device on the path speaks TCP in its name.

import { FLAG, type Segment } from '../tcp/segment';
import { triedOf } from './hops';
import type { Answer, Test, Trace, TraceVerdict } from './sent';
import { placeText, TEST_TEXTS } from './texts';

/** Two different signs prove it; one alone is suspected, and a distance that differs by one hop is none. */
export function judgeTerminated(trace: Trace): readonly TraceVerdict[] {
  const nearer = synAnswered(trace);
  if (nearer) return [nearer];
  return proxied(trace);
}

/** A SYN that cannot get as far as the server has a SYN-ACK: a SYN proxy. */
function synAnswered(trace: Trace): TraceVerdict | undefined {
  const { distance, synAck } = trace;
  const [found] = answersTo(trace, 'syn')
    .filter(({ ttl, answer }) => ttl < (distance ?? 0) && isSynAck(answer))
    .sort((a, b) => a.ttl - b.ttl);
  if (found === undefined) return undefined;
  const signs = [
    `SYN has a SYN-ACK with TTL ${found.ttl}, and the control segment has an answer of the server only with TTL ${distance}`,
    ...jumpOf(synAck, controlSegment(trace)),
    ...(synAck?.window === 0 ? ['the SYN-ACK has a window of 0'] : []),
  ];
  return verdictOf(found.ttl, 'syn', signs);
}

function isSynAck(answer: Answer): boolean {
  return answer.kind === 'segment' && (answer.segment.flags & FLAG.syn) !== 0;
}

/** Of one connection the SYN-ACK came another way than what followed. */
function jumpOf(synAck: Segment | undefined, later: Segment | undefined): readonly string[] {
  if (synAck === undefined || later === undefined || synAck.ttl === later.ttl) return [];
  return [`the SYN-ACK came with TTL ${synAck.ttl}, and later segments with ${later.ttl}`];
}

/** Packets that are no TCP go on where TCP in the server's name ends. */
function proxied(trace: Trace): readonly TraceVerdict[] {
  const { distance } = trace;
  if (distance === undefined) return [];
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
  if (farther < 1) return [];
  const signs = [
    `echo requests with TTL ${Math.max(...beyond)} are still on their way` +
      (replied.length > 0 ? ` (the server replies from TTL ${Math.min(...replied)} on)` : ''),
    ...(back > 0
      ? [`TCP segments come back over ${back} ${back === 1 ? 'hop' : 'hops'} less than echo replies`]
      : []),
  ];
  if (signs.length < 2 && farther < 2) return [];
  return [verdictOf(distance, 'control', signs)];
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
  const place = { kind: 'between', from: 0, to: trace.distance } as const;
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
