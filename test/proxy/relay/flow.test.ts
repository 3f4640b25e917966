// One direction: what is kept for the next write, what goes out at once, and the brake.

import { once } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rest } from '../../../proxy/relay/brake';
import { createFlow, type Flow } from '../../../proxy/relay/flow';
import { call, eventually, playServer, type Peer } from './peers';

const FULL = 65_536;

interface Row {
  readonly name: string;
  /** Writes, each with the number of octets that begin an end of data. */
  readonly writes: readonly (readonly [text: string, begun: number])[];
  /** Octets handed to the socket after each write. */
  readonly sent: readonly number[];
}

const x = (length: number, end: string): string => 'x'.repeat(length - end.length) + end;

const ROWS: readonly Row[] = [
  { name: 'nothing begun: all at once', writes: [['abc', 0]], sent: [3] },
  { name: 'CRLF of a short read goes out: the client may be waiting', writes: [['abc\r\n', 2]], sent: [5] },
  { name: 'CR of a short read goes out', writes: [['abc\r', 1]], sent: [4] },
  {
    name: 'CRLF . waits',
    writes: [
      ['a\r\n.', 3],
      ['\r\n', 0],
    ],
    sent: [1, 6],
  },
  {
    name: 'CRLF . CR waits',
    writes: [
      ['a\r\n.\r', 4],
      ['\n', 0],
    ],
    sent: [1, 6],
  },
  {
    name: 'what stood before is gone: the dot waits alone',
    writes: [
      ['a\r\n', 2],
      ['.', 3],
      ['\r', 4],
      ['\n', 0],
    ],
    sent: [3, 3, 3, 6],
  },
  {
    name: 'a dot that ends nothing goes out with the next',
    writes: [
      ['a\r\n.', 3],
      ['b', 0],
    ],
    sent: [1, 5],
  },
  {
    name: 'a dot, a CR and another CR',
    writes: [
      ['\r\n.', 3],
      ['\r', 4],
      ['\r', 1],
    ],
    sent: [0, 0, 5],
  },
  {
    name: 'CR of a full read waits',
    writes: [
      [x(FULL, '\r'), 1],
      ['\n.\r\n', 0],
    ],
    sent: [FULL - 1, FULL + 4],
  },
  {
    name: 'CRLF of a full read waits',
    writes: [
      [x(FULL, '\r\n'), 2],
      ['.\r\n', 0],
    ],
    sent: [FULL - 2, FULL + 3],
  },
];

async function withFlow(scene: (flow: Flow, to: Peer, reader: Peer) => Promise<void>): Promise<void> {
  const source = await playServer(() => undefined);
  const sink = await playServer(() => undefined);
  const from = await call(source.port);
  const to = await call(sink.port);
  await eventually('accepted', () => sink.peers.length === 1);
  try {
    await scene(createFlow(from.socket, to.socket), to, sink.peers[0] as Peer);
  } finally {
    for (const peer of [from, to]) peer.socket.destroy();
    await source.close();
    await sink.close();
  }
}

for (const { name, writes, sent } of ROWS) {
  test(name, () =>
    withFlow(async (flow, to, reader) => {
      const seen = writes.map(([text, begun]) => {
        flow.write(Buffer.from(text), begun);
        return to.socket.bytesWritten;
      });
      assert.equal(seen, sent);
      flow.end();
      await reader.ending();
      assert.is(reader.text(), writes.map(([text]) => text).join(''));
    }),
  );
}

test('what a full read kept goes out by itself', () =>
  withFlow(async (flow, to, reader) => {
    flow.write(Buffer.from(x(FULL, '\r\n')), 2);
    assert.is(to.socket.bytesWritten, FULL - 2);
    await reader.expect('\r\n');
  }));

test('what was kept goes out with FIN', () =>
  withFlow(async (flow, _to, reader) => {
    flow.write(Buffer.from('\r\n.'), 3);
    flow.end();
    await reader.ending();
    assert.is(reader.text(), '\r\n.');
  }));

test('CRLF where we cut the stream ourselves waits', () =>
  withFlow(async (flow, to, reader) => {
    flow.write(Buffer.from('ab\r\n'), 2, true);
    assert.is(to.socket.bytesWritten, 2);
    flow.write(Buffer.from('.\r\n'), 0);
    assert.is(to.socket.bytesWritten, 7);
    await reader.expect('ab\r\n.\r\n');
  }));

test('a sender that rests is read again by itself', () =>
  withFlow(async (flow) => {
    rest(flow.brake);
    rest(flow.brake);
    assert.not(flow.blocked());
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }));

test('the very buffer is forwarded', () =>
  withFlow(async (flow, to) => {
    const chunk = Buffer.from('EHLO vm\r\n');
    const written: unknown[] = [];
    const write = to.socket.write.bind(to.socket);
    to.socket.write = ((bytes: Buffer) => (written.push(bytes), write(bytes))) as typeof to.socket.write;
    flow.write(chunk);
    assert.is(written[0], chunk);
  }));

test('a reader that does not read pauses the sender, and reading resumes it', () =>
  withFlow(async (flow, to, reader) => {
    reader.socket.pause();
    const chunk = Buffer.alloc(1_048_576);
    for (let i = 0; i < 64 && !flow.blocked(); i++) flow.write(chunk);
    assert.ok(flow.blocked());
    assert.ok(to.socket.writableLength > 0);
    reader.socket.resume();
    await once(to.socket, 'drain');
    assert.not(flow.blocked());
  }));

test.run();
