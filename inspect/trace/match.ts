// Which of the packets that were sent an answer answers.

import type { Micros } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { advance } from '../tcp/seq';
import { readFields, type Fields } from './fields';
import type { Received } from './received';
import type { Answer, Sent, Test } from './sent';

/** The window of the packet with the number 0; the window field is quoted by all but the oldest hops. */
export const WINDOW = 20_000;

/** What is known by now. */
interface Known {
  /** The server's TTL. */
  readonly distance?: number | undefined;
  /** When the session itself last said something: what comes behind it answers that, and no copy before it. */
  readonly saidAt?: Micros | undefined;
}

/** `undefined`: it answers none of them. */
export function matchAnswer(
  received: Received,
  sent: readonly Sent[],
  server: string,
  known: Known,
): Answer | undefined {
  switch (received.kind) {
    case 'icmp': {
      const to = quotedIn(received.error.quote, sent);
      return to && { ...received.error, to: to.number };
    }
    case 'echo': {
      const { identifier, number, kind, ...facts } = received;
      const to = sent.find((each) => each.number === number && each.test === 'echo');
      return to && identifierOf(to) === identifier ? { kind, ...facts, to: to.number } : undefined;
    }
    case 'segment': {
      const { segment } = received;
      const to = segment.source === server ? answeredBy(segment, sent, known) : undefined;
      const { at, source: from, ttl } = segment;
      return to && { kind: 'segment', at, from, ttl, segment, to: to.number };
    }
    case 'other':
      return undefined;
  }
}

/** By the IP identification, or where a device has changed that, or IPv6 has none, by the window. */
function quotedIn(quote: Uint8Array, sent: readonly Sent[]): Sent | undefined {
  const fields = readFields(quote);
  if (fields === undefined) return undefined;
  const numbered = (number: number | undefined): Sent | undefined =>
    sent.find((each) => each.number === number && isLike(each, fields));
  if (fields.protocol !== TCP) {
    return numbered(echoNumber(fields));
  }
  return numbered(fields.ipId) ?? numbered(fields.window === undefined ? undefined : fields.window - WINDOW);
}

/** A number alone may be chance: something of the connection is in it, too, though ports or addresses may be changed. */
function isLike({ packet }: Sent, quoted: Fields): boolean {
  const own = readFields(packet);
  if (own === undefined || own.protocol !== quoted.protocol) return false;
  if (own.protocol !== TCP) return true;
  const same = [
    own.seq === quoted.seq,
    own.sourcePort === quoted.sourcePort && own.destinationPort === quoted.destinationPort,
    own.source === quoted.source && own.destination === quoted.destination,
    own.window === quoted.window,
  ];
  return same.filter((each) => each).length >= 2;
}

function echoNumber({ payload }: Fields): number | undefined {
  return payload.length >= 8 ? ((payload[6] ?? 0) << 8) | (payload[7] ?? 0) : undefined;
}

function identifierOf({ packet }: Sent): number {
  const { payload } = readFields(packet) ?? { payload: packet };
  return ((payload[4] ?? 0) << 8) | (payload[5] ?? 0);
}

/**
 * A segment in the server's name. Its acknowledgement shows what it answers: SYNs differ in their numbers; a control is
 * acknowledged up to its end, by the server only where its TTL lets it get there; anything else likewise.
 */
function answeredBy(
  segment: Segment,
  sent: readonly Sent[],
  { distance, saidAt = -1 }: Known,
): Sent | undefined {
  const before = [...sent].reverse().filter(({ at, test, packet }) => {
    if (test === 'echo' || (test !== 'syn' && at <= saidAt)) return false;
    const own = readFields(packet);
    return at <= segment.at && own?.sourcePort === segment.destinationPort;
  });
  if (segment.flags & FLAG.rst) {
    return before.find(({ test, packet }) => test !== 'syn' || endOf(packet) === segment.ack);
  }
  if (segment.flags & FLAG.syn) {
    return before.find(({ test, packet }) => test === 'syn' && endOf(packet) === segment.ack);
  }
  if (segment.length > 0 || !(segment.flags & FLAG.ack)) return undefined;
  return before.find(
    ({ test, packet, ttl }) =>
      test !== 'syn' &&
      endOf(packet) === segment.ack &&
      (!OLD.has(test) || distance === undefined || ttl >= distance),
  );
}

function endOf(packet: Uint8Array): number | undefined {
  const { seq, flags = 0, payload } = readFields(packet) ?? {};
  return seq === undefined ? undefined : advance(seq, (payload?.length ?? 0) + (flags & FLAG.syn ? 1 : 0));
}

/** Octets that the server has, or that were never in the stream: they end where the next octet begins. */
export const OLD: ReadonlySet<Test> = new Set(['control', 'half-size', 'full-size']);
const TCP = 6;
