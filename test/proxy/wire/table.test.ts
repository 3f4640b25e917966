// The program's tables: what is over leaves them, what is silent makes room, and nothing else does.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLAG } from '../../../inspect/tcp/segment';
import { packetise, segment, type Sent } from '../../inspect/tcp/packetise';
import type { Turn } from '../../inspect/smtp/transcript';
import { COMMON_SIZE, FLOW, FLOW_SIZE, INDEX, TAIL_SIZE, TAILS, WAYS } from '../../../proxy/wire/abi';
import { skip } from '../../kit/lab';
import { frameOf } from '../report/evidence/frames';
import { flowKey, readFlow, streamAt, writeFlow } from './flow';
import { loadProgram, missing, type Program, track } from './program';

const TURNS: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\nDATA\r\n'],
  ['S', '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n'],
  ['C', 'hello\r\n'],
  ['C', 'world\r\n'],
  ['C', '\r\n.\r\n'],
  ['S', '250 2.0.0 queued\r\n'],
];

const why = missing();
if (why !== undefined) skip(test, 'tables of the wire', why);
else {
  const program = loadProgram();
  const isKnown = (): boolean => readFlow(program) !== undefined;

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
  const { fin, ack, rst, syn } = FLAG;

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

  const tailIdOf = (): number =>
    new DataView((readFlow(program) ?? new Uint8Array(FLOW_SIZE)).buffer).getUint32(FLOW.tail_id, true);
  /** A message in three segments; what its connection's tail_id was behind each, and what the ring had in the end. */
  const carry = (onTailId: (tailId: number) => void) => {
    isn += 10_000_019;
    const sent = packetise(TURNS, { isn: { client: isn, server: isn * 3 } });
    const tailIds = sent.map(({ from, segment: each }) => {
      program.run(from, frameOf(each));
      if (tailIdOf() !== 0) onTailId(tailIdOf());
      return tailIdOf();
    });
    return {
      tailIds,
      story: track(program.records()).flatMap(({ events }) => events.map(({ kind }) => kind)),
    };
  };

  test('a message that ended leaves nothing', () => {
    const { tailIds } = carry(() => undefined);
    assert.ok(tailIds.some((each) => each !== 0));
    assert.is(tailIds.pop(), 0);
  });

  test('whose place another message took is given a new one', () => {
    const undisturbed = carry(() => undefined);
    const taken = carry((own) => {
      const place = Buffer.alloc(4);
      place.writeUInt32LE(own % TAILS);
      const tail = program.read('tails', place, TAIL_SIZE) ?? new Uint8Array();
      program.write('tails', place, tail.fill(0x2e));
    });
    assert.is(new Set(taken.tailIds).size, new Set(undisturbed.tailIds).size + 1);
    assert.equal(taken.story, undisturbed.story);
  });

  /** A table of one set, in which connections from these ports were begun, one after the other. */
  const fill = (
    ports: readonly number[],
    each: (small: Program, port: number) => void = () => undefined,
  ): Program => {
    const small = loadProgram([25], undefined, 1);
    for (const port of ports) {
      begin(small, port);
      each(small, port);
    }
    return small;
  };
  const begin = (small: Program, port: number): void => {
    const first = segment('client', { seq: 1, ack: 0, flags: syn, payload: new Uint8Array(0), at: 1 });
    small.run('client', frameOf({ ...first, sourcePort: port }));
  };
  /** As if its last segment had come so much earlier, in sixteen ticks of the kernel. */
  const age = (small: Program, port: number, by: number): void => {
    setUsed(small, port, usedOf(small, port) - by);
  };
  const setWord = (small: Program, port: number, at: number, word: number): void => {
    const value = readFlow(small, flowKey(port)) ?? new Uint8Array();
    new DataView(value.buffer, value.byteOffset).setUint32(at, word >>> 0, true);
    writeFlow(small, value, flowKey(port));
  };
  const wordOf = (small: Program, port: number, at: number): number => {
    const value = readFlow(small, flowKey(port)) ?? new Uint8Array();
    return new DataView(value.buffer, value.byteOffset).getUint32(at, true);
  };
  const usedOf = (small: Program, port: number): number => wordOf(small, port, FLOW.used);
  const setUsed = (small: Program, port: number, mark: number): void => setWord(small, port, FLOW.used, mark);
  const knownOf = (small: Program, ports: readonly number[]): number[] =>
    ports.filter((port) => readFlow(small, flowKey(port)) !== undefined);
  const SET = Buffer.alloc(4);
  const tagsOf = (small: Program): Uint32Array =>
    new Uint32Array(new Uint8Array(small.read('sets', SET, 4 * WAYS) ?? []).buffer);
  const setTags = (small: Program, tags: Uint32Array): void =>
    small.write('sets', SET, new Uint8Array(tags.buffer));
  const ALL = Array.from({ length: WAYS }, (_, i) => 40_000 + i);

  test('a full set: whoever was silent longest makes room, across the wrap of the clock too', () => {
    for (const by of [1_000, 2 ** 31 + 5]) {
      const small = fill(ALL);
      const now = usedOf(small, 40_000);
      for (const port of ALL) setUsed(small, port, now - (port === 40_007 ? by : by - 1));
      assert.equal(knownOf(small, ALL), ALL);
      begin(small, 50_000);
      assert.equal(
        knownOf(small, [...ALL, 50_000]),
        [...ALL, 50_000].filter((port) => port !== 40_007),
      );
      assert.is(small.counters().COUNT_FLOWS, WAYS + 1);
      small.close();
    }
  });

  /** The server's SYN, and the client's answer to it. */
  const answer = (small: Program, port: number, acked = 8): void => {
    const facts = { payload: new Uint8Array(0), at: 2 };
    const back = segment('server', { ...facts, seq: 7, ack: 2, flags: syn | ack });
    small.run('server', frameOf({ ...back, destinationPort: port }));
    const last = segment('client', { ...facts, seq: 2, ack: acked, flags: ack });
    small.run('client', frameOf({ ...last, sourcePort: port }));
  };
  const greet = (small: Program, port: number): string => {
    const facts = { payload: Buffer.from('220-mx.example\r\n'), at: 3 };
    const greeting = segment('server', { ...facts, seq: 8, ack: 2, flags: ack });
    const frame = small.run('server', frameOf({ ...greeting, destinationPort: port }));
    return Buffer.from(frame.subarray(frame.length - facts.payload.length)).toString('latin1');
  };
  const waitsSince = streamAt('server', 'waits_since');
  const HALF = ALL.slice(1);
  /** What 40000 is, who was silent for longest; whether it outlives the newcomers. */
  const STAYS: readonly (readonly [name: string, stays: boolean, play: (small: Program) => void])[] = [
    ['a SYN alone makes room', false, () => undefined],
    ['a handshake that is complete outlives those that are not', true, (small) => answer(small, 40_000)],
    ['one whose answer has a wrong number is not complete', false, (small) => answer(small, 40_000, 9)],
    [
      'among others that are complete whoever was silent longest goes',
      false,
      (small) => ALL.forEach((port) => answer(small, port)),
    ],
  ];
  for (const [name, stays, play] of STAYS) {
    test(`a full set: ${name}`, () => {
      const small = fill(ALL);
      play(small);
      setUsed(small, 40_000, usedOf(small, 40_000) - 1_000);
      begin(small, 50_000);
      assert.equal(knownOf(small, [40_000, 50_000]), stays ? [40_000, 50_000] : [50_000]);
      small.close();
    });
  }

  /** Clients of a server under repair, whose greeting is still to come. */
  const waiting = (since = 0): Program => {
    const small = loadProgram([25], undefined, 1);
    small.setServer('198.18.0.2', 25, 'POLICY_REPAIR');
    begin(small, 40_000);
    answer(small, 40_000);
    small.setServer('198.18.0.2', 25, 'POLICY_OBSERVE');
    for (const port of HALF) {
      begin(small, port);
      answer(small, port);
    }
    setUsed(small, 40_000, usedOf(small, 40_000) - 1_000);
    setWord(small, 40_000, waitsSince, wordOf(small, 40_000, waitsSince) - since);
    return small;
  };

  test('a client that waits for a greeting to be repaired goes last, and its greeting is', () => {
    const small = waiting();
    for (let port = 50_000; port < 50_200; port += 1) {
      begin(small, port);
      if (port % 2) answer(small, port);
    }
    assert.is(greet(small, 40_000), '220 mx.example\r\n');
    small.close();
  });

  test('but not for ever: who only sits there makes room like others', () => {
    const small = waiting(61);
    begin(small, 50_000);
    assert.equal(knownOf(small, [40_000, 50_000]), [50_000]);
    small.close();
  });

  test('a place that is free is taken before any other makes room', () => {
    const small = fill(ALL, (each, port) => age(each, port, 1_000));
    setTags(small, tagsOf(small).fill(0, 5, 6));
    const left = ALL.filter((_, way) => way !== 5);
    assert.equal(knownOf(small, ALL), left);
    begin(small, 50_000);
    assert.equal(knownOf(small, [...ALL, 50_000]), [...left, 50_000]);
    small.close();
  });

  test('a place that another processor is taking stays its own; where all are, the frame crosses untold', () => {
    const small = fill(ALL.slice(0, 1));
    setTags(small, tagsOf(small).fill(1, 1, WAYS - 1));
    begin(small, 40_001);
    assert.equal(knownOf(small, ALL), [40_000, 40_001]);
    setTags(small, tagsOf(small).fill(1));
    small.records();
    begin(small, 40_002);
    assert.equal(knownOf(small, [40_002]), []);
    assert.equal(small.records(), []);
    small.close();
  });

  test('the same hash and another key: it is not taken for it, and takes its place', () => {
    const small = fill(ALL.slice(0, 1));
    const value = readFlow(small, flowKey(40_000)) ?? new Uint8Array();
    value.set(flowKey(40_001));
    writeFlow(small, value, flowKey(40_000));
    begin(small, 40_000);
    assert.equal(knownOf(small, [40_000, 40_001]), [40_000]);
    assert.is(small.counters().COUNT_FLOWS, 2);
    small.close();
  });

  test('laid down twice at the same time: it leaves both places', () => {
    const small = fill(ALL.slice(0, 1));
    setTags(small, tagsOf(small).copyWithin(3, 0, 1));
    const facts = { seq: 2, ack: 1, payload: new Uint8Array(0), at: 2 };
    const run = (from: 'client' | 'server', flags: number, seq: number, acked: number): void =>
      void small.run(from, frameOf(segment(from, { ...facts, flags, seq, ack: acked })));
    run('server', syn | ack, 1, 2);
    run('client', fin | ack, 2, 2);
    run('server', fin | ack, 2, 3);
    run('client', ack, 3, 3);
    assert.equal([...tagsOf(small)], new Array(WAYS).fill(0));
    small.close();
  });

  test('each table has a seed of its own', () => {
    const seeds = [1, 2].map(() => {
      const each = loadProgram();
      const index = each.read('commons', Buffer.alloc(4), COMMON_SIZE) ?? new Uint8Array();
      each.close();
      return new DataView(index.buffer, index.byteOffset).getBigUint64(INDEX.seed, true);
    });
    assert.is(new Set([0n, ...seeds]).size, 3);
  });
}

test.run();
