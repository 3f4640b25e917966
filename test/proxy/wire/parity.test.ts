// What goes through the program's ring tells the same story as the whole segments do.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packetise, type Sent } from '../../inspect/tcp/packetise';
import { ROWS } from '../../inspect/smtp/session.table';
import type { Turn } from '../../inspect/smtp/transcript';
import { skip } from '../../kit/lab';
import { frameOf } from '../report/evidence/frames';
import { createHold } from './flow';
import { loadProgram, missing, type Program, track } from './program';
import { direct, story } from './story';

/** `isHeld`: another processor has the side in hand while the segment with that number passes. */
function wired(
  program: Program,
  sent: readonly Sent[],
  isHeld: (i: number) => boolean = () => false,
): string[] {
  const hold = createHold(program);
  sent.forEach(({ from, segment }, i) => {
    const frame = frameOf(segment);
    const held = isHeld(i) && hold(from, true);
    assert.equal(new Uint8Array(program.run(from, frame)), frame, 'the frame is untouched');
    if (held) hold(from, false);
  });
  return story(track(program.records()));
}

const why = missing();
if (why !== undefined) skip(test, 'parity of the wire', why);
else {
  const program = loadProgram();
  let isn = 1;
  const numbers = (): { client: number; server: number } => {
    isn += 7_000_003;
    return { client: isn >>> 0, server: (isn * 3) >>> 0 };
  };

  for (const { name, turns } of ROWS) {
    for (const mss of [1460, 7]) {
      test(`${name}, in segments of ${mss}`, () => {
        const sent = packetise(turns, { mss, isn: numbers() });
        assert.equal(wired(program, sent), direct(sent));
      });
    }
  }

  const plain = ['x', '..', '.y', 'hello, world'.repeat(9), '', '354 go'];
  const linesOf = (texts: readonly string[]) => fc.array(fc.constantFrom(...texts), { maxLength: 60 });
  const lines = linesOf([...plain, 'BDAT 7 LAST']);
  const groups = fc.constantFrom(
    '',
    'QUIT\r\n',
    'MAIL FROM:<c@example>\r\nRCPT TO:<d@example>\r\nDATA\r\n',
    `MAIL FROM:<c@example>\r\n${'RCPT TO:<d@example>\r\n'.repeat(30)}DATA\r\n`,
  );
  const mss = fc.constantFrom(1460, 3000, 536, 100);

  test('property: a message ends where it ends, and no command behind it is missed', () => {
    fc.assert(
      fc.property(lines, groups, mss, (content, group, most) => {
        const body = `${content.map((line) => `${line}\r\n`).join('')}.\r\n${group}`;
        const turns: readonly Turn[] = [...OPENING, ['C', body], ['S', '250 2.0.0 queued\r\n'], ...CLOSING];
        const sent = packetise(turns, { mss: most, isn: numbers() });
        assert.equal(wired(program, sent), direct(sent));
      }),
      { numRuns: 300 },
    );
  });

  test('property: chunks of any size, and what is pipelined around them', () => {
    const size = fc.oneof(fc.nat(20), fc.nat(5_000));
    fc.assert(
      fc.property(fc.array(size, { minLength: 1, maxLength: 4 }), mss, (sizes, most) => {
        const chunks = sizes.map((n, i) => {
          const last = i === sizes.length - 1 ? ' LAST' : '';
          return `BDAT ${n}${last}\r\n${'z\r\n.\r\n'.repeat(n).slice(0, n)}`;
        });
        const group = `MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\n${chunks.join('')}QUIT\r\n`;
        const replies = '250 2.0.0 Ok\r\n'.repeat(2 + sizes.length);
        const turns: readonly Turn[] = [...HELLO, ['C', group], ['S', `${replies}221 2.0.0 Bye\r\n`]];
        const sent = packetise(turns, { mss: most, isn: numbers() });
        const commands = wired(program, sent);
        // A command line that two segments share is not found by the program: the chunk is then copied, not missed.
        assert.equal(commands, direct(sent));
      }),
      { numRuns: 300 },
    );
  });

  test('property: broken frames cross untouched, and what is told of them can be read', () => {
    const healthy = packetise(OPENING, { isn: numbers() }).map(({ segment }) => frameOf(segment));
    const change = fc.tuple(fc.nat(90), fc.nat(255));
    const broken = fc.tuple(fc.constantFrom(...healthy), fc.array(change, { maxLength: 4 }), fc.nat(140));
    fc.assert(
      fc.property(broken, fc.boolean(), ([frame, changes, cut], inward) => {
        const bytes = frame.slice(0, Math.max(34, frame.length - cut));
        for (const [at, octet] of changes) if (at < bytes.length) bytes[at] = octet;
        const out = program.run(inward ? 'client' : 'server', bytes);
        assert.equal(new Uint8Array(out), bytes);
        program.records();
      }),
      { numRuns: 2_000 },
    );
  });

  const dice = fc.array(fc.nat(100), { minLength: 5, maxLength: 40 });

  test('property: loss, repetition and reordering', () => {
    fc.assert(
      fc.property(lines, dice, fc.constantFrom(300, 1448, 3000), (content, rolls, most) => {
        const body = `${content.map((line) => `${line}\r\n`).join('')}.\r\n`;
        const turns: readonly Turn[] = [...OPENING, ['C', body], ['S', '250 2.0.0 queued\r\n'], ...CLOSING];
        const sent = disturb(packetise(turns, { mss: most, isn: numbers() }), rolls);
        assert.equal(wired(program, sent), direct(sent));
      }),
      { numRuns: 300 },
    );
  });

  test('property: what passes while another processor has one of the same side in hand', () => {
    // Where the 354 passed by, the program takes content for dialogue: a line of it like BDAT would begin a chunk.
    fc.assert(
      fc.property(
        linesOf(plain),
        groups,
        dice,
        fc.constantFrom(300, 1448, 3000),
        (content, group, rolls, most) => {
          const body = `${content.map((line) => `${line}\r\n`).join('')}.\r\n${group}`;
          const turns: readonly Turn[] = [...OPENING, ['C', body], ['S', '250 2.0.0 queued\r\n'], ...CLOSING];
          const sent = disturb(packetise(turns, { mss: most, isn: numbers() }), rolls);
          const isHeld = (i: number): boolean => (rolls[(i * 7) % rolls.length] ?? 1) % 4 === 0;
          assert.equal(wired(program, sent, isHeld), direct(sent));
        },
      ),
      { numRuns: 300 },
    );
  });
}

/** Repeats, swaps neighbours of one direction, and sends late what was lost. */
function disturb(sent: readonly Sent[], rolls: readonly number[]): Sent[] {
  const out: Sent[] = [];
  sent.forEach((each, i) => {
    const roll = i < 3 ? 1 : (rolls[i % rolls.length] ?? 1);
    const before = out[out.length - 1];
    if (roll % 11 === 0 && before?.from === each.from) out.splice(out.length - 1, 0, each);
    else out.push(each);
    if (roll % 13 === 0) out.push(each);
  });
  return out;
}

const HELLO: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO vm\r\n'],
  ['S', '250-mx.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n'],
];
const OPENING: readonly Turn[] = [
  ...HELLO,
  ['C', 'MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\nDATA\r\n'],
  ['S', '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n'],
];
const CLOSING: readonly Turn[] = [
  ['C', 'QUIT\r\n'],
  ['S', '221 2.0.0 Bye\r\n'],
];

test.run();
