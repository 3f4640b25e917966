// The ring itself: laps, borders, what peers wrote there before, full, killed readers, two processors at a time.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import { COMMON_SIZE, FLOW, PIECE_SPAN, PIECE_SIZE, POSITIONS, SLOT_VOID } from '../../../proxy/wire/abi';
import { readRecord } from '../../../proxy/wire/records';
import { positionsOf, type Ring } from '../../../proxy/wire/ring';
import { ROWS } from '../../inspect/smtp/session.table';
import { packetise, segment } from '../../inspect/tcp/packetise';
import { skip } from '../../kit/lab';
import { scratch } from '../../kit/process';
import { frameOf } from '../report/evidence/frames';
import { readFlow, streamAt } from './flow';
import { loadProgram, missing, type Program } from './program';

/** More is not taken by a test run: with its headers it has to fit in a page. */
const MOST = 3_400;
const SMALL = 1 << 16;

/** A SYN with data: whatever its length and however often it comes, one record each. */
function synOf(from: Direction, payload: Uint8Array): Uint8Array {
  return frameOf(segment(from, { seq: 1, ack: 0, flags: FLAG.syn, payload, at: 1 }));
}

function put(program: Program, payload: Uint8Array, from: Direction = 'client'): void {
  program.run(from, synOf(from, payload));
}

function drain(ring: Pick<Ring, 'drain'>, most = Infinity): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  ring.drain((octets) => payloads.push(payloadOf(octets)), most);
  return payloads;
}

function payloadOf(octets: Uint8Array): Uint8Array {
  const record = readRecord(octets.slice(), 0);
  if (record.kind !== 'segment') throw new Error(record.kind);
  return record.segment.payload;
}

/** Numbered, so that none can be taken for another one. */
function numbered(i: number, length: number): Uint8Array {
  const payload = new Uint8Array(length).fill(i);
  new DataView(payload.buffer).setUint32(0, i);
  return payload;
}

/** What a peer would send who wants it taken for a slot: in each word of eight octets, the size of one. */
function decoy(length: number, shift: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((i + shift) % 8 === 0 ? 64 : 0));
}

const why = missing();
if (why !== undefined) skip(test, 'the ring', why);
else {
  const load = (octets: number, body: (program: Program) => void): void => {
    const program = loadProgram([25], octets);
    try {
      body(program);
    } finally {
      program.close();
    }
  };
  const positionsIn = (program: Program): BigInt64Array =>
    positionsOf(program.memory('commons', COMMON_SIZE * 2));

  for (const octets of [SMALL, PIECE_SPAN, 2 * PIECE_SPAN]) {
    test(`records of all sizes, several laps of ${octets} octets: each once, in order, octet for octet`, () => {
      load(octets, (program) => {
        const ring = program.readAgain();
        const got: Uint8Array[] = [];
        const sent = Array.from({ length: 1_500 }, (_, i) => numbered(i, 4 + ((i * 2_654_435) % (MOST - 4))));
        sent.forEach((payload, i) => {
          put(program, payload);
          if (i % 16 === 15) got.push(...drain(ring, 1 + (i % 40)));
        });
        got.push(...drain(ring));
        assert.ok(Number(positionsIn(program)[POSITIONS.produced / 8]) > 4 * octets);
        assert.equal(got, sent);
        ring.close();
      });
    });
  }

  test('what peers wrote is gone before its place is used again', () => {
    load(SMALL, (program) => {
      const ring = program.readAgain();
      const memory = new Uint8Array(program.memory('ring', PIECE_SIZE));
      for (let i = 0; i < 600; i += 1) {
        const payload = decoy(8 + ((i * 97) % MOST), i);
        put(program, payload);
        assert.equal(drain(ring), [payload]);
      }
      assert.ok(
        memory.every((octet) => octet === 0),
        'all of it is zero again',
      );
      ring.close();
    });
  });

  test('a slot is waited for until its size is there, and passed over where there is nothing in it', () => {
    load(SMALL, (program) => {
      const ring = program.readAgain();
      const sizes = new Int32Array(program.memory('ring', PIECE_SIZE));
      // As if another processor had taken room and were not ready.
      Atomics.store(positionsIn(program), POSITIONS.produced / 8, 64n);
      put(program, numbered(7, 8));
      assert.equal(drain(ring), []);
      Atomics.store(sizes, 0, 64 | SLOT_VOID);
      assert.equal(drain(ring), [numbered(7, 8)]);
      ring.close();
    });
  });

  test('a full ring keeps what it has, counts what it has not, and the next record says so', () => {
    load(SMALL, (program) => {
      const ring = program.readAgain();
      const sent = Array.from({ length: 40 }, (_, i) => numbered(i, MOST));
      sent.forEach((payload) => put(program, payload));
      assert.ok(ring.fill() > 0.9 && ring.fill() <= 1, `${ring.fill()}`);
      const kept = drain(ring);
      assert.equal(kept, sent.slice(0, kept.length));
      assert.is(program.counters().COUNT_RECORDS, kept.length);
      assert.is(program.counters().COUNT_LOST, sent.length - kept.length);
      assert.is(ring.fill(), 0);
      for (const lost of [true, false]) {
        put(program, numbered(99, 8));
        const told: boolean[] = [];
        ring.drain((octets) => {
          const record = readRecord(octets.slice(), 0);
          told.push(record.kind === 'segment' && record.lost);
        }, Infinity);
        assert.equal(told, [lost]);
      }
      ring.close();
    });
  });

  /** What the program knows of the connection, but for times and for what was lost. */
  const knowledge = (program: Program): Uint8Array | undefined => {
    const value = readFlow(program);
    for (const at of [FLOW.used, FLOW.missed]) value?.fill(0, at, at + 4);
    for (const side of SIDES) {
      const start = streamAt(side, 'elided_at');
      value?.fill(0, start, start + 8);
    }
    return value;
  };

  test('where the ring is full the program goes on as if it were not', () => {
    load(SMALL, (roomy) => {
      load(SMALL, (full) => {
        for (const program of [roomy, full]) program.setServer('198.18.0.2', 25, 'POLICY_REPAIR');
        Atomics.store(positionsIn(full), POSITIONS.capacity / 8, 1n);
        ROWS.forEach(({ name, turns }, i) => {
          const isn = { client: 1 + i * 10_000_019, server: 1 + i * 30_000_057 };
          for (const { from, segment: each } of packetise(turns, { isn, fin: false })) {
            const frame = frameOf(each);
            assert.equal(full.run(from, frame), roomy.run(from, frame), name);
            assert.equal(knowledge(full), knowledge(roomy), name);
          }
          roomy.records();
        });
        assert.is(full.counters().COUNT_LOST, roomy.counters().COUNT_RECORDS);
        assert.is(full.records().length, 0);
      });
    });
  });

  /** What a reader that was killed may have left between what it had read and what it had given back. */
  const KILLED: readonly (readonly [
    when: string,
    leave: (memory: Uint8Array, from: number, to: number) => void,
  ])[] = [
    ['before anything was zeroed', () => undefined],
    ['with the first size zeroed', (memory, from) => memory.fill(0, from, from + 8)],
    ['with the last octets zeroed', (memory, _from, to) => memory.fill(0, to - 100, to)],
    ['with all of it zeroed', (memory, from, to) => memory.fill(0, from, to)],
  ];
  for (const [when, leave] of KILLED) {
    test(`a reader killed ${when}: the next one goes on at the record that was not read`, () => {
      load(SMALL, (program) => {
        const memory = new Uint8Array(program.memory('ring', PIECE_SIZE));
        const positions = positionsIn(program);
        // The second time it lies across the border of the piece.
        for (const ahead of [0, PIECE_SPAN - 4_000]) {
          const before = program.readAgain();
          for (let i = 0; Number(positions[POSITIONS.produced / 8]) < ahead; i += 1) {
            put(program, numbered(i, 2_000));
            drain(before);
          }
          before.close();
          const sent = Array.from({ length: 12 }, (_, i) => numbered(i, 500));
          sent.forEach((payload) => put(program, payload));
          const first = program.readAgain();
          let left = 10;
          const killed = (): void => {
            if ((left -= 1) < 0) throw new Error('killed');
          };
          assert.throws(() => first.drain(killed, Infinity), /killed/);
          first.close();
          const [from, to] = [POSITIONS.consumed, POSITIONS.read].map(
            (at) => Number(positions[at / 8]) % PIECE_SPAN,
          );
          if (from === undefined || to === undefined) throw new Error('no positions');
          if (ahead === 0) {
            assert.ok(to > from, 'nothing was left to zero');
            leave(memory, from, to);
          }
          const second = program.readAgain();
          assert.equal(drain(second), sent.slice(10));
          put(program, numbered(77, 8));
          assert.equal(drain(second), [numbered(77, 8)]);
          assert.ok(memory.every((octet) => octet === 0));
          second.close();
        }
      });
    });
  }

  test('two processors and a reader at a time: none is lost unsaid, none is mixed with another', async () => {
    const program = loadProgram([25], SMALL);
    const ring = program.readAgain();
    const folder = scratch('ring');
    // The client's SYN comes first: of a connection that began before, SYNs are told without their data.
    put(program, new Uint8Array(LENGTHS.client));
    drain(ring);
    const seen = { client: 0, server: 0 };
    const take = (octets: Uint8Array): void => {
      const payload = payloadOf(octets);
      const from = payload.length === LENGTHS.client ? 'client' : 'server';
      assert.is(payload.length, LENGTHS[from]);
      assert.ok(payload.every((octet) => octet === LENGTHS[from] % 256));
      seen[from] += 1;
    };
    const file = (from: Direction): string => join(folder, from);
    for (const from of SIDES)
      writeFileSync(file(from), synOf(from, new Uint8Array(LENGTHS[from]).fill(LENGTHS[from] % 256)));
    const send = async (from: Direction): Promise<unknown> => {
      const repeated = ['data_in', file(from), 'repeat', String(REPEATED)];
      return promisify(execFile)('bpftool', ['prog', 'run', 'id', String(program.id(from)), ...repeated]);
    };
    const sendBoth = async (): Promise<void> => {
      let running = true;
      const done = Promise.all(SIDES.map(send)).finally(() => (running = false));
      while (running) {
        ring.drain(take, 256);
        await new Promise(setImmediate);
      }
      await done;
      ring.drain(take, Infinity);
    };
    let rounds = 0;
    // One side may be through before the reader has a turn: then its records find no room.
    while (seen.client === 0 || seen.server === 0) {
      rounds += 1;
      assert.ok(rounds <= 50, `none of one side in ${rounds} rounds`);
      await sendBoth();
    }
    assert.is(seen.client + seen.server + program.counters().COUNT_LOST, 2 * REPEATED * rounds);
    assert.is(ring.fill(), 0);
    ring.close();
    program.close();
  });
}

const SIDES: readonly Direction[] = ['client', 'server'];
const LENGTHS = { client: 61, server: 203 };
const REPEATED = 50_000;

test.run();
