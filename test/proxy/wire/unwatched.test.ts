// A crowded ring: connections that begin then are not recorded, whole, so that those that are recorded stay whole; all are
// repaired.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLAG } from '../../../inspect/tcp/segment';
import type { WireRecord } from '../../../proxy/wire/records';
import { readRecord } from '../../../proxy/wire/records';
import { ROWS } from '../../inspect/smtp/session.table';
import type { Turn } from '../../inspect/smtp/transcript';
import { packetise, segment, type PacketOptions, type Sent } from '../../inspect/tcp/packetise';
import { skip } from '../../kit/lab';
import { frameOf } from '../report/evidence/frames';
import { flowKey, readFlow } from './flow';
import { loadProgram, missing, type Program, track } from './program';
import { direct, story } from './story';

const RING = 1 << 16;
const FILLER = 39_999;
const SERVER = '198.18.0.2';
/** Sessions that are open; what all of them have left finds room in the other half of the ring. */
const AT_A_TIME = 6;
/** The flag, where IPv4 has it. */
const MORE_FRAGMENTS = 0x20;
const TURNS: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO client.example\r\n'],
  ['S', '250-mx.example\r\n250 8BITMIME\r\n'],
  ['C', 'MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\nDATA\r\n'],
  ['S', '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n'],
  ['C', `${'hello\r\n'.repeat(1_000)}.\r\n`],
  ['S', '250 2.0.0 queued\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 2.0.0 Bye\r\n'],
];
const LONE: Turn = ['S', '220-mx.example ESMTP\r\n'];

/** A session from a port of its own. */
function session(port: number, turns: readonly Turn[] = TURNS, options: PacketOptions = {}): Sent[] {
  const isn = { client: port * 100_003, server: port * 200_003 };
  return packetise(turns, { isn, ...options }).map((sent) => ({ ...sent, segment: from(port, sent) }));
}

function from(port: number, { from: side, segment: each }: Sent): Sent['segment'] {
  return { ...each, ...(side === 'client' ? { sourcePort: port } : { destinationPort: port }) };
}

/** What went on, changed or not. */
function send(program: Program, sent: readonly Sent[]): Uint8Array[] {
  return sent.map(({ from: side, segment: each }) => program.run(side, frameOf(each)));
}

function portOf(record: WireRecord): number {
  if (record.kind === 'odd') throw new Error(record.why);
  if (record.kind === 'elided') return record.client.port;
  const { sourcePort, destinationPort } = record.segment;
  return record.from === 'client' ? sourcePort : destinationPort;
}

/** A program whose ring can be filled, by a connection that is recorded since before. */
function createCrowd() {
  const program = loadProgram([25], RING);
  const ring = program.readAgain();
  const filler = frameOf(
    from(FILLER, {
      from: 'client',
      segment: segment('client', { seq: 1, ack: 0, flags: FLAG.syn, payload: new Uint8Array(900), at: 1 }),
    }),
  );
  program.run('client', filler);
  return {
    program,
    ring,
    fill(to: number): void {
      while (ring.fill() <= to) program.run('client', filler);
    },
    /** Reads until so much is left; what was read of others. */
    read(to = 0): WireRecord[] {
      const records: WireRecord[] = [];
      const take = (each: Uint8Array): void => void records.push(readRecord(each.slice(), 0));
      while (ring.fill() > to && ring.drain(take, 1) > 0);
      return records.filter((record) => portOf(record) !== FILLER);
    },
    close(): void {
      ring.close();
      program.close();
    },
  };
}

const why = missing();
if (why !== undefined) skip(test, 'what is not watched', why);
else {
  const shared = createCrowd();
  const { program, fill, read } = shared;
  test.after(() => shared.close());
  let nextPort = 40_000;
  /** The ring is empty and not crowded, and `port` is nobody's; `counted`: connections unwatched, records lost. */
  const scene = (
    name: string,
    body: (port: number, counted: () => readonly [number, number]) => void,
  ): void => {
    test(name, () => {
      read();
      send(program, session((nextPort += 1)).slice(0, 1));
      read();
      const before = program.counters();
      body((nextPort += 10), () => {
        const { COUNT_UNWATCHED: unwatched, COUNT_LOST: lost } = program.counters();
        return [unwatched - before.COUNT_UNWATCHED, lost - before.COUNT_LOST];
      });
    });
  };

  /** How full the ring was before, up to the connection's SYN; whether it is recorded. */
  const BEGINNINGS: readonly (readonly [name: string, fills: readonly number[], recorded: boolean])[] = [
    ['next to nothing: recorded', [0], true],
    ['just below a half: recorded', [0.47], true],
    ['above a half: not', [0.51], false],
    ['between a quarter and a half, on the way up: recorded', [0.3], true],
    ['the same on the way down: not', [0.6, 0.3], false],
    ['below a quarter again: recorded', [0.6, 0.2], true],
    ['between both after that: recorded', [0.6, 0.2, 0.4], true],
    ['above a half the second time: not', [0.6, 0.2, 0.6], false],
  ];
  for (const [name, fills, recorded] of BEGINNINGS) {
    scene(`a connection that begins when the ring is filled ${name}`, (port, counted) => {
      const sent = session(port);
      fills.forEach((to, i) => {
        if (to > shared.ring.fill()) fill(to);
        else read(to);
        // Whether the ring is crowded is asked when somebody begins.
        if (i < fills.length - 1) send(program, session(port - 1 - i).slice(0, 1));
      });
      const [others] = counted();
      send(program, sent.slice(0, 1));
      assert.is(shared.ring.crowded(), !recorded);
      const first = read().filter((record) => portOf(record) === port);
      // Whatever room there is afterwards: all of it, or nothing.
      send(program, sent.slice(1, 5));
      fill(0.6);
      send(program, sent.slice(5));
      const records = [...first, ...read()];
      assert.equal(recorded ? story(track(records)) : records, recorded ? direct(sent) : []);
      assert.equal(counted(), [others + (recorded ? 0 : 1), 0]);
    });
  }

  for (const [name, fragmented] of [
    ['one that is not watched', undefined],
    ['the same, a segment of it in fragments', 8],
  ] as const) {
    scene(`${name}: it leaves the table when it is over`, (port, counted) => {
      fill(0.6);
      const known = session(port).map(({ from: side, segment: each }, i) => {
        const frame = frameOf(each);
        if (i === fragmented) frame[20] = MORE_FRAGMENTS;
        program.run(side, frame);
        return readFlow(program, flowKey(port)) !== undefined;
      });
      assert.equal(known, [...known.slice(1).map(() => true), false]);
      assert.equal(read(), []);
      assert.equal(counted(), [1, 0]);
    });
  }

  scene('a SYN that is sent again: counted once, and not recorded later', (port, counted) => {
    fill(0.6);
    const sent = session(port);
    send(program, [...sent.slice(0, 1), ...sent.slice(0, 1)]);
    read();
    send(program, [...sent.slice(0, 1), ...sent]);
    assert.equal(read(), []);
    assert.equal(counted(), [1, 0]);
  });

  scene('a port that is used again is a connection of its own', (port, counted) => {
    fill(0.6);
    send(program, session(port).slice(0, -1));
    read();
    const again = session(port, TURNS, { isn: { client: 7, server: 8 } });
    send(program, again);
    assert.equal(story(track(read())), direct(again));
    assert.equal(counted(), [1, 0]);
  });

  scene('one whose beginning was not seen: it may be recorded since before, and is told', (port, counted) => {
    fill(0.6);
    send(program, session(port).slice(3));
    const midstream = read().map((record) => record.kind !== 'odd' && record.midstream);
    assert.ok(midstream.length > 5);
    assert.equal(
      midstream,
      midstream.map((_, i) => i === 0),
    );
    assert.equal(counted(), [0, 0]);
  });

  const REPAIRED: readonly (readonly [name: string, turns: readonly Turn[]])[] = [
    ['a truncated greeting', [LONE, ...TURNS.slice(1)]],
    ['a tab', [['S', '220\tmx.example\r\n'], ...TURNS.slice(1)]],
    ['a last line behind the repair', [LONE, ...TURNS]],
    ['another word behind the repair', [LONE, ['S', '421 too late\r\n']]],
    ['an early talker', [['C', 'EHLO early\r\n'], LONE, ...TURNS.slice(2)]],
    ...ROWS.map(({ name, turns }) => [name, turns] as const),
  ];
  test('what is not watched is repaired, and a repair taken back, octet for octet as what is', () => {
    const [watched, crowded] = [createCrowd(), createCrowd()];
    const both = [watched, crowded].map((each) => each.program);
    REPAIRED.forEach(([name, turns], i) => {
      for (const each of both) each.setServer(SERVER, 25, 'POLICY_REPAIR');
      crowded.fill(0.6);
      const sent = session(40_000 + i, turns, { mss: 536 });
      // Repetitions have to be the same.
      const twice = sent.flatMap((each, at) => (each.from === 'server' && at < 8 ? [each, each] : [each]));
      assert.equal(send(crowded.program, twice), send(watched.program, twice), name);
      assert.equal(crowded.program.server(SERVER, 25), watched.program.server(SERVER, 25), name);
      watched.read();
    });
    const [a, b] = both.map((each) => each.counters());
    assert.is(b?.COUNT_UNWATCHED, REPAIRED.length);
    assert.is(b?.COUNT_LOST, 0);
    for (const counter of ['COUNT_REPAIRED', 'COUNT_CONTRADICTED'] as const) {
      assert.is(b?.[counter], a?.[counter], counter);
      assert.ok((b?.[counter] ?? 0) > 0, counter);
    }
    assert.equal(crowded.read(), []);
    watched.close();
    crowded.close();
  });

  test('however sessions and the reader take turns: each session is recorded whole or not at all', () => {
    const { program: own, ring, close } = createCrowd();
    let port = 1_024;
    const seen = { recorded: 0, not: 0 };
    const turn = fc.tuple(
      fc.nat(AT_A_TIME - 1),
      fc.integer({ min: 1, max: 30 }),
      fc.constantFrom(...Array.from({ length: 19 }, () => 0), 150),
    );
    fc.assert(
      fc.property(fc.array(turn, { minLength: 40, maxLength: 80 }), (turns) => {
        const began = new Map<number, readonly Sent[]>();
        const open: Sent[][] = Array.from({ length: AT_A_TIME }, () => []);
        const records: WireRecord[] = [];
        const take = (each: Uint8Array): void => void records.push(readRecord(each.slice(), 0));
        const before = own.counters();
        for (const [which, count, reads] of [...turns, ...open.map((_, i) => [i, Infinity, 9] as const)]) {
          let left = open[which] ?? [];
          if (left.length === 0 && count < Infinity) {
            port = port < 60_000 ? port + 1 : 1_025;
            left = session(port);
            began.set(port, left);
          }
          send(own, left.slice(0, count));
          open[which] = left.slice(count);
          ring.drain(take, reads);
        }
        ring.drain(take, Infinity);
        const after = own.counters();
        assert.is(after.COUNT_LOST, before.COUNT_LOST);
        const recorded = [...new Set(records.map(portOf))].filter((each) => each !== FILLER);
        assert.is(recorded.length + after.COUNT_UNWATCHED - before.COUNT_UNWATCHED, began.size);
        for (const each of recorded) {
          const mine = records.filter((record) => portOf(record) === each);
          assert.equal(story(track(mine)), direct(began.get(each) ?? []), `${each}`);
        }
        seen.recorded += recorded.length;
        seen.not += began.size - recorded.length;
      }),
      { numRuns: 12, endOnFailure: true },
    );
    assert.ok(seen.recorded > 20 && seen.not > 20, JSON.stringify(seen));
    close();
  });
}

test.run();
