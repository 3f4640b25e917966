// Every transcript gives its events, however its octets are cut; its spans tile both streams; its times add up.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PhaseEvent, SmtpEvent } from '../../../inspect/events';
import * as limits from '../../../inspect/limits';
import { createSession } from '../../../inspect/smtp/session';
import { latin1 } from '../../../inspect/text';
import { ROWS } from './session.table';
import {
  CUTS,
  everySplit,
  octets,
  pieces,
  run,
  SECOND,
  START,
  tell,
  TOKENS,
  totals,
  type Turn,
  untiled,
} from './transcript';

for (const { name, turns, want, messages = 0, options = {} } of ROWS) {
  test(name, () => {
    const close = { by: 'client', how: 'fin' } as const;
    const events = run(
      pieces(turns, (bytes) => [bytes]),
      close,
      options,
    );
    const told = events.map(tell);
    assert.equal(told.slice(1, -2), want);
    assert.equal(told[0], 'phase connect');
    assert.equal(told.slice(-2), ['phase close', `session ${messages} messages client fin`]);
    assert.equal(untiled(events, totals(turns)), []);
    assertTimesAddUp(events);
    for (const [cut, by] of Object.entries(CUTS)) {
      assert.equal(run(pieces(turns, by), close, options), events, cut);
    }
    for (const variant of everySplit(turns)) assert.equal(run(variant, close, options), events);
  });
}

/** `waited + duration` over all phases is the session's whole time, and no phase begins before its forerunner's end. */
function assertTimesAddUp(events: readonly SmtpEvent[]): void {
  const phases = events.filter((event): event is PhaseEvent => event.kind === 'phase');
  const session = events[events.length - 1];
  assert.is(session?.kind, 'session');
  if (session?.kind !== 'session') return;
  const sum = phases.reduce((total, { waited, duration }) => total + waited + duration, 0);
  assert.ok(Number.isInteger(sum));
  assert.is(sum, session.at - session.started);
  assert.equal(
    session.phases,
    phases.map(({ phase, sinceConnect, duration, reply }) => [phase, sinceConnect, duration, reply?.code]),
  );
}

test('a phase starts with its command, lasts until its reply, and says how long the client took', () => {
  const turns: Turn[] = [
    ['S', '220 mx ESMTP\r\n'],
    ['C', 'NOOP\r\n'],
    ['S', '250 ok\r\n'],
  ];
  const noop = run(pieces(turns, (bytes) => [bytes])).find(
    (event) => event.kind === 'phase' && event.verb === 'NOOP',
  );
  assert.equal(noop, {
    kind: 'phase',
    phase: 'other',
    verb: 'NOOP',
    started: START + 2 * SECOND,
    at: START + 3 * SECOND,
    sinceConnect: 2 * SECOND,
    duration: SECOND,
    waited: SECOND,
    reply: { code: 250, lines: 1, text: 'ok' },
  });
});

test('a greeting beyond its cap is the same however it is cut: a line is judged if it begins before the cap', () => {
  const before = `220-${'x'.repeat(94)}\r\n`.repeat(81);
  assert.ok(before.length < limits.GREETING && before.length + 200 > limits.GREETING);
  // The line that crosses the cap has a defect at its end, and the one behind it another.
  const turns: Turn[] = [['S', `${before}220-${'x'.repeat(196)}\n220\tx\r\n220 end\r\n`]];
  const greetingOf = (cut: (bytes: Uint8Array) => Uint8Array[]): unknown => {
    const found = run(pieces(turns, cut)).filter(({ kind }) => kind === 'phase' || kind === 'reply');
    return found.map((event) => (event.kind === 'phase' ? event.greeting : event.kind));
  };
  const whole = greetingOf((bytes) => [bytes]);
  assert.match(JSON.stringify(whole), /bare-lf/);
  assert.not.match(JSON.stringify(whole), /tab-separator/);
  for (const size of [1, 7, 100, 1_000, limits.GREETING - 1, limits.GREETING]) {
    const cut = (bytes: Uint8Array): Uint8Array[] =>
      Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
    assert.equal(greetingOf(cut), whole, `${size} octets at a time`);
  }
});

test('no credential leaves the session, whatever the client does with it', () => {
  const secret = 'c3VwZXJzZWNyZXQ=';
  const dialogues: Turn[][] = [
    [
      ['S', '220 mx\r\n'],
      ['C', `XXXX PLAIN ${secret}\r\n`],
      ['S', '500 what\r\n'],
    ],
    [
      ['S', '220 mx\r\n'],
      ['C', `AUTH:PLAIN ${secret}\r\n`],
      ['S', '500 what\r\n'],
    ],
    [
      ['S', '220 mx\r\n'],
      ['C', `AUTH PLAIN ${secret}\r\n`],
      ['S', `535 5.7.8 no: ${secret}\r\n`],
    ],
    [
      ['S', '220 mx\r\n'],
      ['C', 'AUTH LOGIN\r\n'],
      ['S', '334 x\r\n'],
      ['C', `${secret}\r\n`],
      ['S', '235 ok\r\n'],
    ],
    [
      ['S', '220 mx\r\n'],
      ['C', `AUTH LOGIN\r\n${secret}\r\n${secret}\r\n`],
      ['S', '504 no\r\n500 no\r\n500 no\r\n'],
    ],
    [
      ['S', '220 mx\r\n'],
      ['C', `AUTH LOGIN\r\n${secret}`],
      ['S', '334 x\r\n535 no\r\n'],
      ['C', '\r\n'],
    ],
    [
      ['S', '220 mx\r\n'],
      ['C', `AUTH PLAIN ${secret}\n`],
      ['S', '535 no\r\n'],
      ['C', `${secret}\rx\n`],
    ],
    [['C', `AUTH PLAIN ${'x'.repeat(600)}${secret}\r\n`]],
  ];
  for (const turns of dialogues) {
    for (const cut of Object.values(CUTS)) {
      assert.not.match(JSON.stringify(run(pieces(turns, cut))), secret);
    }
  }
});

test('silence is told once, by the time that RFC 5321 §4.5.3.2 gives the phase', () => {
  const session = createSession({ started: START, connected: START });
  assert.equal(session.idle(START + 299 * SECOND).map(tell), ['phase connect']);
  assert.equal(session.idle(START + 300 * SECOND).map(tell), ['anomaly silence server']);
  assert.equal(session.idle(START + 400 * SECOND).map(tell), []);
});

test('waiting says on whom, in which phase', () => {
  const session = createSession({ started: START, connected: START });
  const after = (from: 'client' | 'server', text: string) => {
    session.feed(from, octets(text), START);
    const { on, phase } = session.waiting();
    return `${on} ${phase}`;
  };
  assert.is(session.waiting().phase, 'greeting');
  assert.is(after('server', '220 mx ESMTP\r\n'), 'client other');
  assert.is(after('client', 'DATA\r\n'), 'server data');
  assert.is(after('server', '354 go\r\n'), 'client message');
  assert.is(after('client', 'x\r\n.\r\n'), 'server message');
  assert.is(after('server', '250 ok\r\n'), 'client other');
});

test('what a path keeps back so that the end of data is not split', () => {
  const rows: [string, number][] = [
    ['x', 0],
    ['\r', 1],
    ['\n', 2],
    ['.', 3],
    ['\r', 4],
    ['x', 0],
    ['\n.\r', 0],
    ['\n.x', 0],
    ['\r\n.', 3],
    ['\r\n', 0],
  ];
  const session = createSession({ started: START });
  session.feed('server', octets('220 mx\r\n'), START);
  session.feed('client', octets('DATA\r\n'), START);
  assert.is(session.endOfDataBegun(), 0);
  session.feed('server', octets('354 go\r\n'), START);
  for (const [text, want] of rows) {
    session.feed('client', octets(text), START);
    assert.is(session.endOfDataBegun(), want, JSON.stringify(text));
  }
});

test('caps: beyond them the session steps aside and only counts', () => {
  const rows: { name: string; turns: Turn[] }[] = [
    { name: 'commands without replies', turns: [['C', 'NOOP\r\n'.repeat(limits.PENDING_COMMANDS + 1)]] },
    { name: 'octets behind DATA', turns: [['C', `DATA\r\n${'x'.repeat(limits.UNDECIDED + 1)}`]] },
  ];
  for (const { name, turns } of rows) {
    const all: Turn[] = [['S', '220 mx ESMTP\r\n'], ...turns, ['S', '250 ok\r\n'], ['C', 'more\r\n']];
    const events = run(pieces(all, (bytes) => [bytes]));
    const told = events.map(tell);
    assert.ok(told.includes('anomaly opaque client'), name);
    assert.equal(untiled(events, totals(all)), [], name);
    assert.equal(run(pieces(all, (bytes) => [bytes.subarray(0, 99), bytes.subarray(99)])), events, name);
  }
});

test('a line beyond the cap is cut, told, and ends where it ends', () => {
  const long = `NOOP ${'x'.repeat(limits.COMMAND_LINE)}\r\n`;
  const turns: Turn[] = [
    ['S', '220 mx\r\n'],
    ['C', `${long}QUIT\r\n`],
    ['S', `250 ${'y'.repeat(9000)}\r\n221 bye\r\n`],
  ];
  const events = run(pieces(turns, (bytes) => [bytes]));
  const told = events.map(tell).filter((words) => !words.startsWith('command NOOP'));
  assert.equal(told.slice(3, -2), [
    'anomaly line-too-long client',
    'command QUIT',
    'anomaly improper-pipelining client',
    'anomaly line-too-long server',
    'reply 250 other',
    'phase other 250',
    'reply 221 quit',
    'phase quit 221',
  ]);
  assert.equal(untiled(events, totals(turns)), []);
});

test('nothing comes after close', () => {
  const session = createSession({ started: START });
  session.close({ by: 'server', how: 'rst' }, START);
  assert.equal(session.feed('client', octets('NOOP\r\n'), START), []);
  assert.equal(session.gap('client', 1, START), []);
  assert.equal(session.idle(START + 1e12), []);
  assert.equal(session.close({ by: 'server', how: 'rst' }, START), []);
});

/** Dialogues of likely and unlikely turns, each with places to cut it. */
const dialogue = fc.array(
  fc.record({
    from: fc.constantFrom('C' as const, 'S' as const),
    tokens: fc.array(fc.oneof(fc.constantFrom(...TOKENS), fc.uint8Array({ maxLength: 6 }).map(latin1)), {
      minLength: 1,
      maxLength: 6,
    }),
    cuts: fc.array(fc.nat(40), { maxLength: 4 }),
  }),
  { maxLength: 24 },
);

test('property: no throw, spans contiguous, output independent of segmentation', () => {
  fc.assert(
    fc.property(dialogue, (spoken) => {
      const said = spoken.filter(({ tokens }) => tokens.join('') !== '');
      const turns = said.map(({ from, tokens }): Turn => [from, tokens.join('')]);
      const whole = run(pieces(turns, (bytes) => [bytes]));
      assert.equal(untiled(whole, totals(turns)), []);
      assertTimesAddUp(whole);
      assert.equal(run(pieces(turns, (bytes) => [...bytes].map((byte) => Uint8Array.of(byte)))), whole);
      assert.equal(run(pieces(turns, (bytes, i) => cutAt(bytes, said[i]?.cuts ?? []))), whole);
    }),
    {
      numRuns: 400,
      // No TLS begins in the midst of a line; an octet that may begin TLS, and does not, is accounted for all the same.
      examples: [
        [
          [
            turnOf('C', '\r'),
            turnOf('S', '220 mx ESMTP\r\n334 x\r\n220 mx ESMTP\r\n'),
            turnOf('C', '220 mx ESMTP\r\n'),
          ],
        ],
        [
          [
            turnOf('C', '220 mx ESMTP\r\nSTARTTLS\r\n'),
            turnOf('C', '\u0016\u0003\u0001\u0000\u0004'),
            turnOf('C', '220 mx ESMTP\r\n'),
            turnOf('S', '250 ok\r\n220 mx ESMTP\r\n'),
          ],
        ],
        [
          [
            turnOf('S', '220 mx ESMTP\r\n'),
            turnOf('C', 'STARTTLS\r\n'),
            turnOf('S', '220 go\r\n'),
            turnOf('C', '\u0000\u0016\u0003\u0001\u0000\u0004x\r\n'),
          ],
        ],
        [[turnOf('C', '\u0015'), turnOf('S', '220 mx ESMTP\r\n')]],
        [[turnOf('C', '\u0016'), turnOf('S', '5')]],
      ],
    },
  );
});

function turnOf(from: 'C' | 'S', token: string): { from: 'C' | 'S'; tokens: string[]; cuts: number[] } {
  return { from, tokens: [token], cuts: [] };
}

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...cuts, bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}

test.run();
