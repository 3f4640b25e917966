// What is at one point only, or came late by two clocks: said where something shows it, and else not at all.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Micros } from '../../../inspect/events';
import { advance } from '../../../inspect/tcp/seq';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { octets, SECOND, START } from '../smtp/transcript';
import type { Sent } from '../tcp/packetise';
import {
  ALL,
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

const at = ALL.findIndex(isHello);
const [hello, ack] = [ALL[at], ALL[at + 1]];
if (!hello || !ack) throw new Error('no EHLO');
/** EHLO is sent again 1 s later, and the server answers the second one. */
const answered = [
  ...ALL.slice(0, at),
  hello,
  later(hello, 1),
  ...ALL.slice(at + 1).map((each) => later(each, 1)),
];
const without =
  (...gone: readonly Sent[]) =>
  (each: Sent): readonly Sent[] =>
    gone.includes(each) ? [] : [each];
const second = answered[at + 1] ?? hello;
const change = (each: Sent, facts: Partial<Segment>): Sent => ({
  ...each,
  segment: { ...each.segment, ...facts },
});
/** The server says that it got EHLO twice (RFC 2883), by the numbers inside. */
function inVain({ segment }: Sent): Partial<Segment> {
  const left = advance(hello?.segment.seq ?? 0, RANDOM);
  return { options: { ...segment.options, sack: [[left, advance(left, hello?.segment.length ?? 0)]] } };
}
const last = ALL[ALL.length - 1] ?? hello;
const reset = (seconds: number): Sent => {
  const payload = new Uint8Array(0);
  return change(hello, {
    flags: FLAG.rst,
    payload,
    length: 0,
    at: START + seconds * SECOND,
    options: last.segment.options,
  });
};
const isReply = isServerText('250-');
const tampered = ALL.map((each) =>
  isReply(each) ? change(each, { payload: octets('250-mx.example\r\n250-XTARTTLS\r\n250 SIZE\r\n') }) : each,
);

interface Row {
  readonly name: string;
  readonly outside: readonly Sent[];
  readonly inside: readonly Sent[];
  readonly want: readonly string[];
}

const ROWS: readonly Row[] = [
  {
    name: 'a retransmission is answered, and nothing before it: the first copy was dropped',
    outside: answered,
    inside: through(answered, without(hello)),
    want: ['ehlo-dropped proved two-point 9'],
  },
  {
    name: 'the server acknowledged EHLO before its retransmission came: the other capture missed the first copy',
    outside: [...answered.slice(0, at + 1), ack, ...answered.slice(at + 1)],
    inside: through([...answered.slice(0, at + 1), ack, ...answered.slice(at + 1)], without(hello)),
    want: [],
  },
  {
    name: 'the server got it twice, as it says: the other capture missed one copy',
    outside: answered,
    inside: through(
      answered.map((each) => (each === answered[at + 2] ? change(each, inVain(each)) : each)),
      without(hello),
    ),
    want: [],
  },
  {
    name: 'what is sent again when an earlier copy has come may get lost',
    outside: answered,
    inside: through(answered, without(second)),
    want: [],
  },
  {
    name: 'a RST that one capture missed is its sender’s own',
    outside: ALL,
    inside: through([...ALL.slice(0, at), reset(1.5)]),
    want: [],
  },
  {
    name: 'a client that goes on behind “its” RST did not send it',
    outside: ALL,
    inside: through([...ALL.slice(0, at + 2), reset(2.5), ...ALL.slice(at + 2)]),
    want: ['reset-injected proved two-point'],
  },
  {
    name: 'the reply to EHLO was changed, and one capture has not all of the dialogue: what was changed has no name',
    outside: tampered,
    inside: through(ALL, without(hello)),
    want: [],
  },
];

for (const { name, outside, inside, want } of ROWS) {
  test(name, () => assert.equal(told(survey(outside, inside)), want));
}

const { outside, inside } = incident([0, 0.3, 1, 2.4, 5.1]);
const held = numbered(ALL);
const PLAYS: readonly (readonly [name: string, outside: readonly Sent[], inside: readonly Sent[]])[] = [
  ['nothing happens', ALL, through(ALL)],
  ['EHLO is dropped', outside, through(inside)],
  [
    'EHLO is dropped once',
    numbered(answered),
    through(numbered(answered), (each, i) => (i === at ? [] : [each])),
  ],
  ['a RST is made', ALL, through([...ALL.slice(0, at + 2), reset(2.5), ...ALL.slice(at + 2)])],
  ['a RST is the client’s', [...ALL.slice(0, at), reset(1.5)], through([...ALL.slice(0, at), reset(1.5)])],
  [
    'EHLO is held',
    held,
    through(held, (each) => [isHello(each) ? change(each, { at: each.segment.at + 800_000 }) : each]),
  ],
];

/** Each frame of a side, or of both, once more: from a mirror port, behind a router. */
const mirrored =
  (by: Micros, share: number) =>
  (passed: readonly Segment[]): Segment[] =>
    [
      ...passed,
      ...passed.filter((_, i) => i % share === 0).map((each) => ({ ...moved(each, by), ttl: each.ttl - 1 })),
    ].sort((a, b) => a.at - b.at);

/** The same with less certainty or fewer numbers, and nothing else; what one point says by itself is judged elsewhere. */
function isNoMore(line: string, whole: readonly string[]): boolean {
  if (!line.includes('two-point')) return true;
  const words = line.replace('suspected', 'proved').split(' ');
  return whole.some((each) => words.every((word, i) => each.split(' ')[i] === word));
}

for (const [name, wan, dmz] of PLAYS) {
  const whole = told(survey(wan, dmz));

  test(`${name}: whatever either capture misses, nothing else is said`, () => {
    fc.assert(
      fc.property(
        fc.infiniteStream(fc.nat(99)),
        fc.infiniteStream(fc.nat(99)),
        fc.nat(60),
        (these, those, share) => {
          const lossy = (draws: typeof these) => (passed: readonly Segment[]) =>
            passed.filter(() => (draws.next().value ?? 0) >= share);
          const said = told(survey(wan, dmz, false, { wan: lossy(these), dmz: lossy(those) }));
          for (const line of said) assert.ok(isNoMore(line, whole), line);
        },
      ),
      { numRuns: 300 },
    );
  });

  test(`${name}: whatever is copied, the same is said`, () => {
    for (const by of [2, 2_000, 60_000, 300_000]) {
      for (const share of [1, 2, 3]) {
        for (const point of ['wan', 'dmz'] as const)
          assert.equal(
            told(survey(wan, dmz, false, { [point]: mirrored(by, share) })),
            whole,
            `${point}, ${by}`,
          );
      }
    }
  });

  test(`${name}: whenever a clock is set, nothing else is said`, () => {
    for (const by of [5_000, 50_000, -50_000, 700_000, -SECOND, 3 * SECOND, -7 * SECOND]) {
      for (let i = 1; i < dmz.length; i += 1) {
        const set = (passed: readonly Segment[]): Segment[] =>
          passed.map((each, n) => (n < i ? each : moved(each, by)));
        for (const point of ['wan', 'dmz'] as const) {
          for (const line of told(survey(wan, dmz, false, { [point]: set })))
            assert.ok(isNoMore(line, whole), `${point}, ${by} at ${i}: ${line}`);
        }
      }
    }
  });
}

function moved(segment: Segment, by: Micros): Segment {
  return { ...segment, at: segment.at + by };
}

test.run();
