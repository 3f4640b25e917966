// Frames in the server's name that come by the client's leg, and the other way round: they pass, and nothing believes them.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import { POLICY } from '../../../proxy/wire/abi';
import { packetise, segment, type Sent } from '../../inspect/tcp/packetise';
import { skip } from '../../kit/lab';
import { frameOf } from '../report/evidence/frames';
import { loadProgram, missing, type Program } from './program';

const SERVER = '198.18.0.2';
const LONE = '220-mx.example.com ESMTP\r\n';
const LATE = '220 mx.example.com ESMTP\r\n';
const MENDED = '220 mx.example.com ESMTP\r\n';
const WRONG = { client: 'server', server: 'client' } as const;

const why = missing();
if (why !== undefined) skip(test, 'legs', why);
else {
  const program = loadProgram();
  test.after(() => program.close());
  let isn = 1;
  const play = (...texts: readonly string[]): Sent[] => {
    isn += 9_000_011;
    const numbers = { client: isn >>> 0, server: (isn * 3) >>> 0 };
    return packetise(
      texts.map((text) => ['S', text] as const),
      { isn: numbers, fin: false },
    );
  };
  const pass = ({ from, segment: each }: Sent, leg: Direction = from): string =>
    Buffer.from(program.run(leg, frameOf(each)).subarray(frameOf(each).length - each.length)).toString(
      'latin1',
    );
  const states = (of: Program) => [of.server(SERVER, 25)?.policy, of.server(SERVER, 25)?.contradicted];
  const IN_FORCE = [POLICY.POLICY_REPAIR, 0];
  const WITHDRAWN = [POLICY.POLICY_OBSERVE, 1];
  /** As the server's, or the client's, where its last segment of `sent` ended. */
  const behind = (sent: readonly Sent[], from: Direction, flags: number, text = ''): Sent => {
    const last = [...sent].reverse().find((each) => each.from === from)?.segment;
    const other = [...sent].reverse().find((each) => each.from !== from)?.segment;
    if (!last || !other) throw new Error('nothing of it');
    const syn = last.flags & FLAG.syn ? 1 : 0;
    const seq = last.seq + last.length + syn;
    const ack = other.seq + other.length + (other.flags & FLAG.syn ? 1 : 0);
    return { from, segment: segment(from, { seq, ack, flags, payload: Buffer.from(text), at: last.at }) };
  };

  /** What is forged by the other side's leg, behind so many segments of the dialogue. */
  const FORGED: readonly (readonly [name: string, after: number, forge: (sent: readonly Sent[]) => Sent])[] =
    [
      ['a late line behind a repair', 4, (sent) => behind(sent, 'server', FLAG.ack | FLAG.psh, LATE)],
      [
        'a whole greeting before the real one',
        3,
        (sent) => behind(sent, 'server', FLAG.ack | FLAG.psh, LATE),
      ],
      ['a reset before the greeting', 3, (sent) => behind(sent, 'server', FLAG.rst | FLAG.ack)],
      ['an end before the greeting', 3, (sent) => behind(sent, 'server', FLAG.fin | FLAG.ack)],
      [
        'a SYN-ACK before the real one',
        1,
        (sent) => behind([...sent, ...sent.slice(1, 2)], 'server', FLAG.ack, LATE),
      ],
      [
        'an early word of the client',
        3,
        (sent) => behind(sent, 'client', FLAG.ack | FLAG.psh, 'EHLO bot\r\n'),
      ],
    ];
  for (const [name, after, forge] of FORGED) {
    test(`${name}: it passes, and the repair stays what it is`, () => {
      program.setServer(SERVER, 25, 'POLICY_REPAIR');
      const sent = play(LONE);
      const before = program.counters().COUNT_WRONG_LEG;
      const greeting = sent.findIndex(({ segment: each }) => each.length > 0);
      program.records();
      sent.slice(0, after).forEach((each) => pass(each));
      const seen = program.records().length;
      const forged = forge(sent.slice(0, Math.max(after, 3)));
      for (let i = 0; i < 5; i += 1) {
        const text = Buffer.from(forged.segment.payload).toString('latin1');
        assert.is(pass(forged, WRONG[forged.from]), text, 'untouched');
      }
      assert.is(program.counters().COUNT_WRONG_LEG, before + 5);
      assert.equal(program.records(), [], 'and nobody is told it was the server');
      assert.is(seen > 0, true);
      const rest = sent.slice(after).map((each) => pass(each));
      if (after <= greeting) assert.is(rest[greeting - after], MENDED);
      assert.equal(states(program), IN_FORCE);
    });
  }

  test('(control) the same late line by the server’s leg withdraws it', () => {
    program.setServer(SERVER, 25, 'POLICY_REPAIR');
    const sent = play(LONE);
    sent.slice(0, 4).forEach((each) => pass(each));
    assert.equal(states(program), IN_FORCE);
    pass(behind(sent.slice(0, 4), 'server', FLAG.ack | FLAG.psh, LATE));
    assert.equal(states(program), WITHDRAWN);
  });

  test('a client behind lan and a server before wan: their legs are the other ones', () => {
    program.setServer(SERVER, 25, 'POLICY_REPAIR');
    const sent = play(LONE);
    const passed = sent.map((each) => pass(each, WRONG[each.from]));
    assert.ok(passed.includes(MENDED));
    pass(behind(sent.slice(0, 4), 'server', FLAG.ack | FLAG.psh, LATE));
    assert.equal(states(program), IN_FORCE);
    pass(behind(sent.slice(0, 4), 'server', FLAG.ack | FLAG.psh, LATE), WRONG.server);
    assert.equal(states(program), WITHDRAWN);
  });
}

test.run();
