// One connection as the wire sees it, frame by frame, and what the learner makes of it.

import type { Direction } from '../../../inspect/events';
import { FLAG, type Leg, type Segment } from '../../../inspect/tcp/segment';
import { NO_OCTETS } from '../../../inspect/octets';
import { createTracker } from '../../../inspect/tracker/tracker';
import { createLearner } from '../../../proxy/wire/learner';
import { octets } from '../../inspect/greeting/greeting.table';

const SECOND = 1e6;
const START = 1_700_000_000 * SECOND;
const PATIENCE = 20 * SECOND;
export const FIRST = '220-mx.example ESMTP\r\n';
export const LAST = '220 mx.example ESMTP\r\n';

export interface Frame {
  readonly at: number;
  readonly from: Direction;
  readonly flags: number;
  readonly seq: number;
  readonly ack: number;
  readonly text?: string;
  readonly window?: number;
  readonly leg?: Leg;
}

export const LEGS = { client: 'wan', server: 'lan' } as const;
const ENDS = {
  client: { source: '198.18.0.1', sourcePort: 40_000, destination: '198.18.0.2', destinationPort: 25 },
  server: { source: '198.18.0.2', sourcePort: 25, destination: '198.18.0.1', destinationPort: 40_000 },
} as const;

function segmentOf({ at, from, flags, seq, ack, text = '', window = 64_240 }: Frame): Segment {
  const payload = text === '' ? NO_OCTETS : octets(text);
  return {
    at: START + at * SECOND,
    ...ENDS[from],
    seq,
    ack,
    flags,
    window,
    options: { sackPermitted: false, sack: [], kinds: [] },
    payload,
    length: payload.length,
    ttl: 64,
    ipId: undefined,
    vlans: [],
    checksum: 'good',
  };
}

/** What each side sends, in order: the numbers follow from it. */
export function dialogue(): {
  client(at: number, flags: number, text?: string, window?: number): Frame;
  server(at: number, flags: number, text?: string): Frame;
} {
  const next = { client: 1_000, server: 2_000 };
  const send = (from: Direction, at: number, flags: number, text = '', window?: number): Frame => {
    const seq = next[from];
    next[from] += text.length + (flags & (FLAG.syn | FLAG.fin) ? 1 : 0);
    const ack = flags === FLAG.syn ? 0 : next[from === 'client' ? 'server' : 'client'];
    return { at, from, flags, seq, ack, text, ...(window !== undefined && { window }) };
  };
  return {
    client: (at, flags, text, window) => send('client', at, flags, text, window),
    server: (at, flags, text) => send('server', at, flags, text),
  };
}

export type Step =
  Frame | { readonly at: number; readonly we: 'look' | 'lost a record' | 'lost somebody’s record' };

/** The lessons of one connection, one word each. */
export function watch(steps: readonly Step[], legs: 'two' | 'one' = 'two'): string[] {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  const learner = createLearner({ patience: PATIENCE, knownOf: () => undefined });
  const lessons: string[] = [];
  for (const step of steps) {
    const at = step.at * SECOND;
    if ('we' in step) {
      if (step.we === 'look') lessons.push(...learner.idle(at).map(({ lesson }) => lesson.kind));
      else if (step.we === 'lost somebody’s record') tracker.lostUntil(START + at);
      else {
        const { source, sourcePort, destination, destinationPort } = ENDS.client;
        tracker.lost({ address: source, port: sourcePort }, { address: destination, port: destinationPort });
      }
      continue;
    }
    const leg = legs === 'two' ? (step.leg ?? LEGS[step.from]) : undefined;
    for (const news of tracker.segment(segmentOf(step), leg)) {
      lessons.push(...learner.observe(news, false, at).map(({ lesson }) => lesson.kind));
    }
  }
  return lessons;
}
