// What is over leaves the program's tables, and nothing else does.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLAG } from '../../../inspect/tcp/segment';
import { packetise, segment, type Sent } from '../../inspect/tcp/packetise';
import type { Turn } from '../../inspect/smtp/transcript';
import { skip } from '../../kit/lab';
import { frameOf } from '../evidence/frames';
import { layoutOf } from './btf';
import { flowKey } from './flow';
import { missing } from './object';
import { loadProgram, track } from './program';

const TURNS: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\nDATA\r\n'],
  ['S', '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n'],
  ['C', 'hello\r\n'],
  ['C', 'world\r\n'],
  ['C', '\r\n.\r\n'],
  ['S', '250 2.0.0 queued\r\n'],
];

/** As in maps.h. */
const TAILS = 8_192;

const why = missing();
if (why !== undefined) skip(test, 'tables of the wire', why);
else {
  const program = loadProgram();
  const flowSize = layoutOf('flow').size;
  const key = flowKey();
  const isKnown = (): boolean => program.read('flows', key, flowSize) !== undefined;

  let isn = 1;
  /** A connection of its own each time; whether the table has it behind each segment. */
  const follow = (make: (open: readonly Sent[]) => readonly Sent[]): boolean[] => {
    isn += 10_000_019;
    const open = packetise(TURNS, { isn: { client: isn, server: isn * 3 }, fin: false });
    return make(open).map(({ from, segment: each }) => {
      program.run(from, frameOf(each));
      program.records();
      return isKnown();
    });
  };
  /** What ends the connection, with these numbers beyond what each side had sent. */
  const ending = (open: readonly Sent[]) => {
    const last = (from: Sent['from']): Sent['segment'] => {
      const found = [...open].reverse().find((each) => each.from === from)?.segment;
      if (!found) throw new Error('no segment');
      return found;
    };
    const [client, server] = [last('client'), last('server')];
    const next = { client: client.seq + client.length, server: server.seq + server.length };
    return (from: Sent['from'], flags: number, own = 0, other = 0): Sent => {
      const to = from === 'client' ? 'server' : 'client';
      const numbers = { seq: next[from] + own, ack: next[to] + other };
      return {
        from,
        segment: segment(from, { ...numbers, flags, payload: new Uint8Array(0), at: client.at + 1_000_000 }),
      };
    };
  };
  const { fin, ack, rst } = FLAG;

  test('closed by both, it leaves with the last acknowledgement', () => {
    const known = follow((open) => {
      const end = ending(open);
      return [...open, end('client', fin | ack), end('server', fin | ack, 0, 1), end('client', ack, 1, 1)];
    });
    assert.is(known.pop(), false);
    assert.ok(known.every((each) => each));
  });

  test('reset by the client that has read the end, it leaves', () => {
    const known = follow((open) => {
      const end = ending(open);
      return [...open, end('server', fin | ack), end('client', rst | ack, 0, 1)];
    });
    assert.is(known.pop(), false);
    assert.ok(known.every((each) => each));
  });

  const odd: readonly (readonly [name: string, make: (end: ReturnType<typeof ending>) => Sent[]])[] = [
    ['a reset of an open connection', (end) => [end('client', rst | ack)]],
    ['a reset beside the right number', (end) => [end('server', fin | ack), end('client', rst | ack, 9, 1)]],
    ['an end that nobody acknowledged', (end) => [end('client', fin | ack), end('server', fin | ack)]],
  ];
  for (const [name, make] of odd) {
    test(`it stays: ${name}`, () => {
      assert.ok(follow((open) => [...open, ...make(ending(open))]).every((each) => each));
    });
  }

  const ticket = layoutOf('flow').at('ticket');
  const ticketOf = (): number =>
    new DataView((program.read('flows', key, flowSize) ?? new Uint8Array(flowSize)).buffer).getUint32(
      ticket,
      true,
    );
  /** A message in three segments; what its connection's ticket was behind each, and what the ring had in the end. */
  const carry = (onTicket: (ticket: number) => void) => {
    isn += 10_000_019;
    const sent = packetise(TURNS, { isn: { client: isn, server: isn * 3 } });
    const tickets = sent.map(({ from, segment: each }) => {
      program.run(from, frameOf(each));
      if (ticketOf() !== 0) onTicket(ticketOf());
      return ticketOf();
    });
    return {
      tickets,
      story: track(program.records()).flatMap(({ events }) => events.map(({ kind }) => kind)),
    };
  };

  test('a message that ended leaves nothing', () => {
    const { tickets } = carry(() => undefined);
    assert.ok(tickets.some((each) => each !== 0));
    assert.is(tickets.pop(), 0);
  });

  test('whose place another message took is given a new one', () => {
    const undisturbed = carry(() => undefined);
    const size = layoutOf('tail').size;
    const taken = carry((own) => {
      const place = Buffer.alloc(4);
      place.writeUInt32LE(own % TAILS);
      const tail = program.read('tails', place, size) ?? new Uint8Array();
      program.write('tails', place, tail.fill(0x2e));
    });
    assert.is(new Set(taken.tickets).size, new Set(undisturbed.tickets).size + 1);
    assert.equal(taken.story, undisturbed.story);
  });
}

test.run();
