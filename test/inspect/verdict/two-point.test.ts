// Two points of one path, out of transcripts: what is told of each thing that a firewall does, and of none.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction, Micros } from '../../../inspect/events';
import { advance } from '../../../inspect/tcp/seq';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { createTracker } from '../../../inspect/tracker';
import { surveyTwoPoints, type PointCapture, type Survey } from '../../../inspect/verdict/two-point-survey';
import { createCollector } from '../../../proxy/two-point/point';
import { octets, SECOND, START, type Turn } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';

const DIALOGUE: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO vm\r\n'],
  ['S', '250-mx.example\r\n250-STARTTLS\r\n250 SIZE\r\n'],
  ['C', 'MAIL FROM:<a@b.example>\r\n'],
  ['S', '250 ok\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
];

/** The inside clock's error, and how long a segment takes. */
const CLOCK = 7_300_000;
const DELAY = 400;

type Change = (each: Sent, i: number) => readonly Sent[];

/** What comes out at the other side of a firewall with destination NAT that randomises the client's numbers. */
function through(sent: readonly Sent[], change: Change = (each) => [each]): Sent[] {
  return sent
    .flatMap(change)
    .map(({ from, segment }) => ({ from, segment: { ...segment, ...translated(from, segment) } }));
}

const RANDOM = 0x9000_0123;

function translated(from: Direction, segment: Segment): Partial<Segment> {
  const toDmz = { destination: '10.0.0.5', seq: advance(segment.seq, RANDOM), ttl: segment.ttl - 1 };
  // The server's side is made from the outside's view: there it is one hop farther away.
  const fromDmz = { source: '10.0.0.5', ack: advance(segment.ack, RANDOM), ttl: segment.ttl + 1 };
  return from === 'client' ? toDmz : fromDmz;
}

function captureOf(point: 'wan' | 'dmz', sent: readonly Sent[], shift: Micros): PointCapture {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [465] });
  const collector = createCollector(point);
  const timed = sent
    .map(({ segment }) => ({ ...segment, at: segment.at + shift }))
    .sort((a, b) => a.at - b.at);
  for (const segment of timed) collector.take(tracker.segment(segment));
  const to = timed[timed.length - 1]?.at ?? 0;
  collector.take(tracker.end(to));
  return { traces: collector.traces, ran: { from: timed[0]?.at ?? 0, to } };
}

/** By its own clock, a little later inward and a little earlier outward. */
function survey(outside: readonly Sent[], inside: readonly Sent[], together = false): Survey {
  const moved = inside.map(({ from, segment }) => ({
    from,
    segment: { ...segment, at: segment.at + (from === 'client' ? DELAY : -DELAY) },
  }));
  return surveyTwoPoints(captureOf('wan', outside, 0), captureOf('dmz', moved, CLOCK), together);
}

function told({ judgements }: Survey): string[] {
  return judgements.flatMap(({ verdicts }) =>
    verdicts.map(({ verdict, certainty, proof, missingBytes, held }) =>
      [verdict, certainty, proof, missingBytes, held === undefined ? undefined : Math.round(held / 1e5) / 10]
        .filter((each) => each !== undefined)
        .join(' '),
    ),
  );
}

const ALL = packetise(DIALOGUE);
const isHello = ({ from, segment }: Sent): boolean =>
  from === 'client' && segment.length > 0 && segment.payload[0] === 0x45;
const isServerText =
  (first: string) =>
  (each: Sent): boolean =>
    each.from === 'server' && Buffer.from(each.segment.payload).toString('latin1').startsWith(first);

function later(each: Sent, seconds: number): Sent {
  const { options, at } = each.segment;
  const ticks = (options.timestamps?.[0] ?? 0) + seconds * 1000;
  return {
    ...each,
    segment: { ...each.segment, at: at + seconds * SECOND, options: { ...options, timestamps: [ticks, 0] } },
  };
}

/** The incident: the client says EHLO again and again, and the server its greeting. */
function incident(copies: readonly number[]): { outside: Sent[]; inside: Sent[] } {
  const at = ALL.findIndex(isHello);
  const hello = ALL[at];
  const greeting = ALL.find(isServerText('220'));
  if (!hello || !greeting) throw new Error('no EHLO');
  const before = ALL.slice(0, at);
  const repeats = [20, 40].map((seconds) => later(greeting, seconds));
  const outside = [...before, ...copies.map((seconds) => later(hello, seconds)), ...repeats];
  return { outside, inside: [...before, ...repeats] };
}

test('nothing happened: nothing is told, in spite of NAT, other numbers and another clock', () => {
  const result = survey(ALL, through(ALL));
  assert.equal(told(result), []);
  assert.equal(
    result.pairs.map(({ by }) => by),
    ['timestamps'],
  );
  assert.equal([result.wanOnly.length, result.dmzOnly.length], [0, 0]);
  assert.equal(result.offset, { micros: CLOCK - 1, spread: 2 * DELAY + 2, bounded: true, from: 1, steps: 0 });
  for (const usual of Object.values(result.points.usual)) {
    // The clocks may have run apart a little since the last segment by which they were compared.
    assert.ok(Math.abs(usual - DELAY) <= 200, `${usual}`);
  }
  assert.equal(result.judgements[0]?.aligned.shift, { client: RANDOM | 0, server: 0 });
});

test('the incident: how often EHLO was sent outside, and that none came inside', () => {
  const { outside, inside } = incident([0, 0.3, 1, 2.4, 5.1, 10.6, 21.5]);
  const result = survey(outside, through(inside));
  assert.equal(told(result), ['ehlo-dropped proved two-point 9']);
  const [verdict] = result.judgements[0]?.verdicts ?? [];
  assert.is(
    verdict?.summary,
    'The first command (EHLO) (9 octets) was sent 7 times outside in 21.5 s and came inside not once: it was dropped between the two points.',
  );
  const notes = verdict?.evidence.map(({ point, note }) => `${point}: ${note}`) ?? [];
  assert.is(notes[0], 'wan: copy 1: not at the other point');
  assert.is(notes[7], 'dmz: the capture there ran: this passed later');
});

test('edges: where nothing shows that the inside capture still ran it is suspected, and on somebody’s word proved', () => {
  const { outside, inside } = incident([0, 0.3, 1]);
  const early = inside.filter(({ segment }) => segment.at < START + 10 * SECOND);
  assert.equal(told(survey(outside, through(early))), ['ehlo-dropped suspected two-point 9']);
  assert.equal(told(survey(outside, through(early), true)), ['ehlo-dropped proved two-point 9']);
});

test('a capture that lost a frame itself is no firewall: the receiver has acknowledged it', () => {
  const lossy = through(ALL, (each) => (isHello(each) ? [] : [each]));
  const result = survey(ALL, lossy);
  assert.equal(told(result), []);
  assert.ok(result.judgements[0]?.aligned.fates.some(({ kind }) => kind === 'missed'));
});

test('edges: one copy behind the other capture’s last frame, or a RST there, says nothing', () => {
  const { outside, inside } = incident([0]);
  const early = inside.filter(({ segment }) => segment.at < START + 2 * SECOND);
  assert.equal(told(survey(outside, through(early))), []);
  const before = ALL.filter(({ segment }) => segment.at < START + 4 * SECOND);
  assert.equal(told(survey(before, through([...before, rst('client')]))), []);
});

/** [name, outside, inside, what is told]. */
const hello = ALL.find(isHello);
if (!hello) throw new Error('no EHLO');
const TAIL = later(ALL[ALL.length - 1] ?? hello, 60);
const twice = ALL.flatMap((each) => (isHello(each) ? [later(each, -0.5), each] : [each]));
const reply =
  (text: string) =>
  (each: Sent): readonly Sent[] => {
    if (!isServerText('250-')(each)) return [each];
    const payload = octets(text);
    return [{ ...each, segment: { ...each.segment, payload, length: payload.length } }];
  };
const rst = (from: Direction): Sent => {
  const last = ALL.filter((each) => each.from === from).slice(-3)[0] ?? hello;
  const payload = new Uint8Array(0);
  return {
    from,
    segment: { ...last.segment, flags: FLAG.rst, payload, length: 0, ttl: 30, at: START + 4.5 * SECOND },
  };
};

const ROWS: readonly (readonly [string, readonly Sent[], readonly Sent[], readonly string[]])[] = [
  [
    'the first copy is dropped, the second comes',
    twice,
    through(twice, (each) => (each === twice.find(isHello) ? [] : [each])),
    ['ehlo-dropped proved two-point 9 0.5'],
  ],
  [
    'EHLO is held',
    ALL,
    through(ALL, (each) => [
      isHello(each) ? { ...each, segment: { ...each.segment, at: each.segment.at + 800_000 } } : each,
    ]),
    ['ehlo-held proved two-point 0.8'],
  ],
  [
    'EHLO is masked',
    ALL,
    through(ALL, (each) => [
      isHello(each) ? { ...each, segment: { ...each.segment, payload: octets('XXXX vm\r\n') } } : each,
    ]),
    ['ehlo-altered proved two-point'],
  ],
  [
    'STARTTLS is masked in the reply',
    ALL.flatMap(reply('250-mx.example\r\n250-XXXXXXXA\r\n250 SIZE\r\n')),
    through(ALL),
    ['starttls-stripped proved two-point'],
  ],
  [
    'STARTTLS is cut out of the reply',
    ALL.flatMap(reply('250-mx.example\r\n250 SIZE\r\n')),
    through(ALL),
    ['starttls-stripped proved two-point'],
  ],
  [
    'EHLO comes octet by octet',
    ALL,
    through(ALL, (each) =>
      isHello(each)
        ? [...each.segment.payload].map((octet, i) => ({
            ...each,
            segment: {
              ...each.segment,
              seq: advance(each.segment.seq, i),
              payload: Uint8Array.of(octet),
              length: 1,
            },
          }))
        : [each],
    ),
    [],
  ],
  [
    'a RST in the client’s name, inside only',
    [...ALL, TAIL],
    through([...ALL, rst('client')]),
    ['reset-injected proved two-point'],
  ],
  [
    'a RST in the server’s name, outside only',
    [...ALL, rst('server')],
    through([...ALL, TAIL]),
    ['reset-injected proved two-point'],
  ],
  ['a RST at both points is its sender’s own', [...ALL, rst('client')], through([...ALL, rst('client')]), []],
  [
    'the greeting does not come out',
    [...ALL.slice(0, 3), later(ALL[2] ?? hello, 20)],
    through([...ALL.slice(0, 4), later(ALL[3] ?? hello, 1), later(ALL[3] ?? hello, 3)]),
    ['greeting-lost proved two-point 22'],
  ],
  [
    'another TCP speaks for the client',
    ALL,
    through(ALL, (each) => {
      const { options } = each.segment;
      if (each.from !== 'client') return [each];
      const stamps = options.timestamps && ([options.timestamps[0] + 77_000_000, 0] as const);
      const syn = each.segment.flags & FLAG.syn ? { windowScale: 9 } : {};
      return [
        {
          ...each,
          segment: {
            ...each.segment,
            options: { ...options, ...syn, ...(stamps && { timestamps: stamps }) },
          },
        },
      ];
    }),
    ['path-terminated proved two-point'],
  ],
];

for (const [name, outside, inside, want] of ROWS) {
  test(name, () => assert.equal(told(survey(outside, inside)), want));
}

/** Many at once: other ports, other beginnings. */
function copyOf(sent: readonly Sent[], n: number): Sent[] {
  return sent.map(({ from, segment }) => {
    const { options, at } = segment;
    const port = from === 'client' ? { sourcePort: 41_000 + n } : { destinationPort: 41_000 + n };
    const stamps = options.timestamps && ([options.timestamps[0] + n * 10_007, 0] as const);
    return {
      from,
      segment: {
        ...segment,
        ...port,
        at: at + n * 20_000,
        options: { ...options, ...(stamps && { timestamps: stamps }) },
      },
    };
  });
}

test('of many connections only the one is flagged, whatever order their segments come in', () => {
  const { outside, inside } = incident([0, 1, 3]);
  const many = Array.from({ length: 50 }, (_, n) => (n === 17 ? outside : ALL)).map(copyOf);
  const there = Array.from({ length: 50 }, (_, n) => (n === 17 ? inside : ALL)).map(copyOf);
  const result = survey(many.flat(), through(there.flat()));
  assert.is(result.pairs.length, 50);
  assert.equal(told(result), ['ehlo-dropped proved two-point 9']);
  const flagged = result.judgements.find(({ verdicts }) => verdicts.length > 0);
  assert.is(flagged?.pair.wan.client.port, 41_017);
});

test('source NAT without stamps: recognised by nothing but time and words, and only where that is unambiguous', () => {
  const bare = packetise(DIALOGUE, { rate: 0 });
  const nat = (sent: readonly Sent[]): Sent[] =>
    through(sent).map(({ from, segment }) => ({
      from,
      segment:
        from === 'client'
          ? { ...segment, source: '10.0.0.1', sourcePort: segment.sourcePort - 30_000 }
          : { ...segment, destination: '10.0.0.1', destinationPort: segment.destinationPort - 30_000 },
    }));
  const known = copyOf(ALL, 2_000);
  const one = survey([...known, ...copyOf(bare, 2_001)], [...through(known), ...nat(copyOf(bare, 2_001))]);
  assert.equal(
    one.pairs.map(({ by }) => by),
    ['timestamps', 'words'],
  );
  const two = survey(
    [...known, ...copyOf(bare, 2_001), ...copyOf(bare, 2_002)],
    [...through(known), ...nat(copyOf(bare, 2_001)), ...nat(copyOf(bare, 2_002))],
  );
  assert.equal([two.pairs.length, two.wanOnly.length, two.dmzOnly.length], [1, 2, 2]);
});

test.run();
