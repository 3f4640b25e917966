// Repair in the kernel: the same table as the repair in TypeScript, octet for octet, checksums and all.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { repairInPlace } from '../../../inspect/greeting/in-place';
import { advance } from '../../../inspect/tcp/seq';
import { FLAG } from '../../../inspect/tcp/segment';
import { POLICY } from '../../../proxy/wire/abi';
import { parsePacket } from '../../../inspect/tcp/packet';
import { GREETINGS, octets } from '../../inspect/greeting/greeting.table';
import { segment } from '../../inspect/tcp/packetise';
import { skip } from '../../kit/lab';
import { frameOf } from '../report/evidence/frames';
import { loadProgram, missing, type Program } from './program';

const SERVER = '198.18.0.2';
const MSS = 1_400;
const NONE: Uint8Array = new Uint8Array(0);

interface Passed {
  /** The server's octets as they went on. */
  readonly payload: Uint8Array;
}

/** One connection, whose numbers begin at `isn`: its handshake is done. */
function connect(program: Program, isn: number) {
  const at = 1_700_000_000_000_000;
  const send = (from: Direction, flags: number, seq: number, payload = NONE): Passed => {
    const facts = { seq, ack: advance(isn, 1), flags, payload, at };
    const packet = parsePacket(1, program.run(from, frameOf(segment(from, facts))), at);
    if (packet.kind !== 'segment') throw new Error(packet.kind);
    assert.is(packet.segment.checksum, 'good');
    return packet.segment;
  };
  send('client', FLAG.syn, isn);
  send('server', FLAG.syn | FLAG.ack, isn);
  send('client', FLAG.ack, advance(isn, 1));
  return {
    /** `offset` counts from the side's first octet. */
    say: (from: Direction, offset: number, text: Uint8Array): string =>
      latin1([send(from, FLAG.psh | FLAG.ack, advance(isn, 1 + offset), text).payload]),
  };
}

/** All pieces in their order; what they became. */
function greet(program: Program, pieces: readonly Uint8Array[], isn: number): string {
  const { say } = connect(program, isn);
  let offset = 0;
  return pieces
    .map((piece) => {
      offset += piece.length;
      return say('server', offset - piece.length, piece);
    })
    .join('');
}

function cut(bytes: Uint8Array, most: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / most);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * most, (i + 1) * most));
}

function latin1(pieces: readonly Uint8Array[]): string {
  return Buffer.concat(pieces).toString('latin1');
}

const why = missing();
if (why !== undefined) skip(test, 'repair in the kernel', why);
else {
  const program = loadProgram();
  program.setServer(SERVER, 25, 'POLICY_REPAIR');
  let isn = 5_000;
  /** Other numbers make the same addresses another connection. */
  const pass = (...pieces: readonly Uint8Array[]): string => {
    isn = advance(isn, 100_003);
    return greet(program, pieces, isn);
  };

  for (const row of GREETINGS) {
    test(`in place: ${row.name}`, () => {
      const bytes = octets(row.bytes);
      if (bytes.length === 0) return;
      assert.is(pass(...cut(bytes, MSS)), row.sameLength ?? row.bytes);
    });
  }

  const LONE = octets('220-mx.example.com ESMTP\r\n');
  const MENDED = '220 mx.example.com ESMTP\r\n';

  test('every copy is repaired: whole, bytewise, from the middle', () => {
    isn = advance(isn, 100_003);
    const { say } = connect(program, isn);
    assert.is(say('server', 0, LONE), MENDED);
    assert.is(say('server', 0, LONE), MENDED);
    const bytewise = [...LONE].map((octet, i) => say('server', i, Uint8Array.of(octet)));
    assert.is(bytewise.join(''), MENDED);
    for (let from = 0; from < 6; from += 1) {
      assert.is(say('server', from, LONE.subarray(from)), MENDED.slice(from));
    }
  });

  test('a lone line over two segments is not finished in the first, and not touched', () => {
    const [head, tail] = [LONE.subarray(0, 10), LONE.subarray(10)];
    assert.is(pass(head, tail), latin1([LONE]));
  });

  test('known to stall behind its second line: the first one is left alone', () => {
    program.setServer(SERVER, 25, 'POLICY_REPAIR', 2);
    assert.is(pass(LONE, LONE), latin1([LONE]) + MENDED);
    assert.is(pass(octets(latin1([LONE, LONE]))), latin1([LONE]) + MENDED);
    assert.is(pass(LONE), latin1([LONE]), 'one line only: it may go on');
    program.setServer(SERVER, 25, 'POLICY_REPAIR');
  });

  test('the server goes on behind our end: policy withdrawn, at once', () => {
    isn = advance(isn, 100_003);
    const { say } = connect(program, isn);
    assert.is(say('server', 0, LONE), MENDED);
    assert.equal(program.server(SERVER, 25), { policy: POLICY.POLICY_REPAIR, contradicted: 0 });
    assert.is(say('server', LONE.length, octets(MENDED)), MENDED);
    assert.equal(program.server(SERVER, 25), { policy: POLICY.POLICY_OBSERVE, contradicted: 1 });
    assert.is(pass(LONE), latin1([LONE]), 'the next connection is left alone');
    program.setServer(SERVER, 25, 'POLICY_REPAIR');
  });

  test('what comes behind the client’s EHLO, or is no last line, leaves the policy to the process', () => {
    for (const [asked, reply] of [
      [true, '220 mx late\r\n'],
      [true, '250 mx\r\n'],
      [false, '421 timeout\r\n'],
    ] as const) {
      isn = advance(isn, 100_003);
      const { say } = connect(program, isn);
      say('server', 0, LONE);
      if (asked) say('client', 0, octets('EHLO a\r\n'));
      say('server', LONE.length, octets(reply));
      assert.is(program.server(SERVER, 25)?.contradicted, 0, reply);
      program.setServer(SERVER, 25, 'POLICY_REPAIR');
    }
  });

  test('never a guess: observed servers, and clients that spoke first, are left alone', () => {
    program.setServer(SERVER, 25, 'POLICY_OBSERVE');
    assert.is(pass(LONE), latin1([LONE]));
    program.setServer(SERVER, 25, 'POLICY_REPAIR');
    isn = advance(isn, 100_003);
    const { say } = connect(program, isn);
    say('client', 0, octets('EHLO early\r\n'));
    assert.is(say('server', 0, LONE), latin1([LONE]));
  });

  test('any octets: as in TypeScript', () => {
    const word = fc.constantFrom(
      '220',
      '221',
      '554',
      '-',
      ' ',
      '\t',
      '\r\n',
      '\n',
      'x',
      '\0',
      '\r',
      '2',
      'mx',
    );
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 24 }), (words) => {
        const bytes = octets(words.join(''));
        assert.is(pass(bytes), latin1([repairInPlace(bytes)]));
      }),
      { numRuns: 3_000 },
    );
  });
}

test.run();
