// Two points of one path, out of transcripts: what a client and a server sent, as it passed outside and inside of a firewall.

import * as assert from 'uvu/assert';
import type { Direction, Micros, Point } from '../../../inspect/events';
import { advance } from '../../../inspect/tcp/seq';
import type { Segment } from '../../../inspect/tcp/segment';
import { createTracker } from '../../../inspect/tracker/tracker';
import { createPairing } from '../../../inspect/two-point/pairing';
import { surveyTwoPoints, type PointCapture, type Survey } from '../../../inspect/two-point/survey';
import type { Trace } from '../../../inspect/two-point/trace';
import { createCollector } from '../../../proxy/report/two-point/point';
import { SECOND, type Turn } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';

export const DIALOGUE: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO vm\r\n'],
  ['S', '250-mx.example\r\n250-STARTTLS\r\n250 SIZE\r\n'],
  ['C', 'MAIL FROM:<a@b.example>\r\n'],
  ['S', '250 ok\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
];

/** The inside clock's error, and how long a segment takes. */
export const CLOCK = 7_300_000;
export const DELAY = 400;

type Change = (each: Sent, i: number) => readonly Sent[];

/** What comes out at the other side of a firewall with destination NAT that randomises the client's numbers. */
export function through(sent: readonly Sent[], change: Change = (each) => [each]): Sent[] {
  return sent
    .flatMap(change)
    .map(({ from, segment }) => ({ from, segment: { ...segment, ...translated(from, segment) } }));
}

export const RANDOM = 0x9000_0123;

function translated(from: Direction, segment: Segment): Partial<Segment> {
  const toDmz = { destination: '10.0.0.5', seq: advance(segment.seq, RANDOM), ttl: segment.ttl - 1 };
  // The server's side is made from the outside's view: there it is one hop farther away.
  const fromDmz = { source: '10.0.0.5', ack: advance(segment.ack, RANDOM), ttl: segment.ttl + 1 };
  return from === 'client' ? toDmz : fromDmz;
}

/** What a capture makes of what passed it: frames missing, a clock that is set. */
type Degrade = Partial<Record<Point, (passed: readonly Segment[]) => readonly Segment[]>>;

export function captureOf(
  point: Point,
  sent: readonly Sent[],
  shift: Micros,
  degrade: Degrade[Point] = (passed) => passed,
): PointCapture {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [465] });
  const traces: Trace[] = [];
  const collector = createCollector(point, (trace) => traces.push(trace));
  const passed = sent
    .map(({ segment }) => ({ ...segment, at: segment.at + shift }))
    .sort((a, b) => a.at - b.at);
  const timed = degrade(passed);
  for (const segment of timed) collector.observe(tracker.segment(segment));
  const to = timed.reduce((latest, { at }) => Math.max(latest, at), 0);
  collector.observe(tracker.end(to));
  return { traces, ran: { from: timed[0]?.at ?? 0, to } };
}

/** By its own clock, a little later inward and a little earlier outward. */
export function survey(
  outside: readonly Sent[],
  inside: readonly Sent[],
  together = false,
  degrade: Degrade = {},
): Survey {
  const moved = inside.map(({ from, segment }) => ({
    from,
    segment: { ...segment, at: segment.at + (from === 'client' ? DELAY : -DELAY) },
  }));
  const wan = captureOf('wan', outside, 0, degrade.wan);
  const dmz = captureOf('dmz', moved, CLOCK, degrade.dmz);
  const all = surveyTwoPoints(wan, dmz, together);
  const few = surveyAsTheyEnd(wan, dmz, together);
  assert.equal(
    [told(few), few.matched],
    [told(all), all.matched],
    'nothing is kept of what passed unchanged',
  );
  return all;
}

/** Of those that pass unchanged nothing is kept. */
function surveyAsTheyEnd(wan: PointCapture, dmz: PointCapture, together = false): Survey {
  const pairing = createPairing(0, Infinity);
  for (const trace of wan.traces) pairing.take('wan', trace);
  for (const trace of dmz.traces) pairing.take('dmz', trace);
  const rest = (point: Point, { ran }: PointCapture): PointCapture => ({ traces: pairing.rest(point), ran });
  return surveyTwoPoints(rest('wan', wan), rest('dmz', dmz), together, pairing.unchanged);
}

export function told({ judgements }: Survey): string[] {
  return judgements.flatMap(({ verdicts }) =>
    verdicts.map(({ verdict, certainty, proof, missingBytes, held }) =>
      [verdict, certainty, proof, missingBytes, held === undefined ? undefined : Math.round(held / 1e5) / 10]
        .filter((each) => each !== undefined)
        .join(' '),
    ),
  );
}

/** The last three segments (FIN, FIN, ACK) 10 ms apart: an answer passes behind its question at both points. */
export const ALL = packetise(DIALOGUE).map(({ from, segment }, i, all): Sent => {
  const later = Math.max(0, i - (all.length - 3)) * 10_000;
  return { from, segment: { ...segment, at: segment.at + later } };
});
export const isHello = ({ from, segment }: Sent): boolean =>
  from === 'client' && segment.length > 0 && segment.payload[0] === 0x45;
export const isServerText =
  (first: string) =>
  (each: Sent): boolean =>
    each.from === 'server' && Buffer.from(each.segment.payload).toString('latin1').startsWith(first);

export function later(each: Sent, seconds: number): Sent {
  const { options, at } = each.segment;
  const ticks = (options.timestamps?.[0] ?? 0) + seconds * 1000;
  return {
    ...each,
    segment: { ...each.segment, at: at + seconds * SECOND, options: { ...options, timestamps: [ticks, 0] } },
  };
}

/** The incident: the client says EHLO again and again, and the server its greeting. */
export function incident(copies: readonly number[]): { outside: Sent[]; inside: Sent[] } {
  const at = ALL.findIndex(isHello);
  const hello = ALL[at];
  const greeting = ALL.find(isServerText('220'));
  if (!hello || !greeting) throw new Error('no EHLO');
  const before = ALL.slice(0, at);
  const repeats = [20, 40].map((seconds) => later(greeting, seconds));
  const outside = [...before, ...copies.map((seconds) => later(hello, seconds)), ...repeats];
  return { outside, inside: [...before, ...repeats] };
}

/** The IP identifications of stacks that count by connection. */
export function numbered(sent: readonly Sent[]): Sent[] {
  const ids = { client: 7_000, server: 300 };
  return sent.map(({ from, segment }) => ({ from, segment: { ...segment, ipId: (ids[from] += 1) } }));
}
