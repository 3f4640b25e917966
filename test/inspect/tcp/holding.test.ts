// What is held beyond holes: bounded for a stream, and for all streams of a point together.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createInspector } from '../../../inspect/tracker/inspector';
import { AHEAD_ALL, AHEAD_LEAST_OCTETS, AHEAD_OCTETS } from '../../../inspect/limits';
import { advance } from '../../../inspect/tcp/seq';
import { FLAG } from '../../../inspect/tcp/segment';
import { createStream, type Stream } from '../../../inspect/tcp/stream';
import { packetise, type Sent } from './packetise';

const SYN = { at: 0, seq: 0, flags: FLAG.syn, payload: new Uint8Array(0), length: 0 };

/** So many segments of `size` octets, with the first octet of the stream missing. */
function pile(stream: Stream, count: number, size: number): void {
  stream.take(SYN);
  for (let n = 0; n < count; n += 1) {
    stream.take({ at: n, seq: 2 + n * size, flags: FLAG.ack, payload: new Uint8Array(size), length: size });
  }
}

test('property: streams of any number and size of pieces hold no more than all may, and each its least', () => {
  const one = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 1_460 }));
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 4 }), (kinds) => {
      const holding = { octets: 0 };
      const streams = Array.from({ length: 600 }, () => createStream(holding));
      for (const [i, stream] of streams.entries())
        pile(stream, ...(kinds[i % kinds.length] as [number, number]));
      const least = 2 * AHEAD_LEAST_OCTETS * streams.length;
      assert.ok(holding.octets <= AHEAD_ALL + AHEAD_OCTETS + least, `${holding.octets}`);
      for (const stream of streams) while (stream.giveUp());
      assert.is(holding.octets, 0);
    }),
    { numRuns: 20 },
  );
});

test('a flood of holes takes the others no hole of a dialogue', () => {
  const holding = { octets: 0 };
  for (let n = 0; n < 2_000; n += 1) pile(createStream(holding), 256, 1_000);
  const stream = createStream(holding);
  pile(stream, 3, 500);
  const news = stream.take({ at: 9, seq: 1, flags: FLAG.ack, payload: Uint8Array.of(0x45), length: 1 });
  assert.is(stream.next, 1 + 3 * 500);
  assert.ok(news.some(({ kind }) => kind === 'filled'));
});

test('a stream that begins where another ended compares with nothing of that one', () => {
  const octets = (text: string, seq: number): Parameters<Stream['take']>[0] => {
    const payload = Uint8Array.from(text, (each) => each.charCodeAt(0));
    return { at: 9, seq, flags: FLAG.ack, payload, length: payload.length };
  };
  const ended = createStream();
  ended.take(SYN);
  ended.take(octets('AUTH PLAIN secret', 1));
  ended.release();
  assert.is(ended.same(octets('AUTH PLAIN secret', 1)), undefined);
  const stream = createStream();
  stream.take(SYN);
  stream.take(octets('EHLO', 1));
  assert.is(stream.same(octets('EHLO', 1)), true);
  assert.is(stream.same(octets('AUTH', 1)), false);
  // Its first octets were missed, and the ring still has the other's there.
  const late = createStream();
  late.take(SYN);
  stream.release();
  late.take(octets('VM', 3));
  late.giveUp();
  assert.is(late.same(octets('EH', 1)), undefined);
  assert.is(late.same(octets('VM', 3)), true);
});

test('property: of a connection that ended, however it did, nothing is held', () => {
  const sent = packetise([
    ['S', '220 mx ESMTP\r\n'],
    ['C', 'EHLO client.example\r\n'],
    ['S', '250 mx\r\n'],
    ['C', 'QUIT\r\n'],
  ]);
  fc.assert(
    fc.property(fc.array(fc.nat(6), { maxLength: 12 }), fc.boolean(), (rolls, isReset) => {
      const holding = { octets: 0 };
      const first = sent[0] as Sent;
      const inspector = createInspector(first.segment, { holding });
      const end = first.segment.at + 60e6;
      sent.forEach(({ from, segment }, i) => {
        const roll = rolls[i % rolls.length] ?? 1;
        if (roll === 0) return;
        inspector.segment(from, roll === 2 ? { ...segment, seq: advance(segment.seq, 50) } : segment);
      });
      if (isReset) inspector.segment('client', { ...first.segment, flags: FLAG.rst, at: end });
      inspector.end(end);
      assert.is(holding.octets, 0);
    }),
  );
});

test.run();
