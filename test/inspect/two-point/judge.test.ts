// Two points of one path, out of transcripts: what is told of each thing that a firewall does, and of none.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { advance } from '../../../inspect/tcp/seq';
import { FLAG } from '../../../inspect/tcp/segment';
import { surveyTwoPoints } from '../../../inspect/two-point/survey';
import { octets, SECOND, START } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';
import {
  ALL,
  captureOf,
  CLOCK,
  DELAY,
  DIALOGUE,
  incident,
  isHello,
  isServerText,
  later,
  numbered,
  RANDOM,
  survey,
  through,
  told,
} from './points';

test('nothing happened: nothing is told, in spite of NAT, other numbers and another clock', () => {
  const result = survey(ALL, through(ALL));
  assert.equal(told(result), []);
  assert.equal(
    result.pairs.map(({ by }) => by),
    ['timestamps'],
  );
  assert.equal([result.wanOnly.length, result.dmzOnly.length], [0, 0]);
  assert.equal(result.offset, { micros: CLOCK - 1, spread: 2 * DELAY + 3, bounded: true, from: 1, steps: 0 });
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

test('edges: where nothing shows that the inside capture still ran nothing is said, and on somebody’s word it is proved', () => {
  const { outside, inside } = incident([0, 0.3, 1]);
  const early = inside.filter(({ segment }) => segment.at < START + 10 * SECOND);
  assert.equal(told(survey(outside, through(early))), []);
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

for (const gap of [20, 100, 300, 2_000]) {
  test(`EHLO is held, and all before it passed in steps of ${gap} µs: a point may stamp late, but it stamps in order`, () => {
    const at = ALL.findIndex(isHello);
    const outside = ALL.map((each, i): Sent => {
      const behind = (i - at) * 10_000 + at * gap;
      return { ...each, segment: { ...each.segment, at: START + (i <= at ? i * gap : behind) } };
    });
    const inside = through(outside).map((each, i): Sent => {
      const held = i >= at ? 800_000 : 0;
      const passing = each.from === 'client' ? gap / 4 : -gap / 4;
      return { ...each, segment: { ...each.segment, at: each.segment.at + passing + held } };
    });
    // What the server answers to it passes outside as late.
    const late = outside.map((each, i): Sent => {
      return i <= at ? each : { ...each, segment: { ...each.segment, at: each.segment.at + 800_000 } };
    });
    const points = [captureOf('wan', late, 0), captureOf('dmz', inside, 0)] as const;
    assert.equal(told(surveyTwoPoints(...points)), ['ehlo-held proved two-point 0.8']);
  });
}

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
    ['ehlo-dropped proved two-point 9'],
  ],
  [
    'the same, and the client’s IP identifications show that no earlier copy was missed outside: how late it came',
    numbered(twice),
    through(numbered(twice), (each, i) => (i === twice.findIndex(isHello) ? [] : [each])),
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
