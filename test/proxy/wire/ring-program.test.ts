// The program's ring and its reader: laps, what peers send, full, killed readers, two processors at a time.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import { FLOW } from '../../../proxy/wire/abi';
import { readRecord } from '../../../proxy/wire/records';
import type { Ring } from '../../../proxy/wire/ring';
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

/** What a peer would send who wants it taken for a record: in each word of eight octets, a length. */
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
  /** Octets of the ring, and how many records come before some are read. */
  for (const [octets, before] of [
    [1 << 12, 1],
    [SMALL, 16],
    [4 * SMALL, 16],
  ] as const) {
    test(`records of all sizes, several laps of ${octets} octets: each once, in order, octet for octet`, () => {
      load(octets, (program) => {
        const ring = program.readAgain();
        const got: Uint8Array[] = [];
        const sent = Array.from({ length: 1_500 }, (_, i) => numbered(i, 4 + ((i * 2_654_435) % (MOST - 4))));
        sent.forEach((payload, i) => {
          put(program, payload);
          if (i % before === before - 1) got.push(...drain(ring, 1 + (i % 40)));
        });
        got.push(...drain(ring));
        assert.ok(ring.end() > 4 * octets);
        assert.equal(got, sent);
        ring.close();
      });
    });
  }

  test('what peers send is never taken for a record', () => {
    load(SMALL, (program) => {
      const ring = program.readAgain();
      for (let i = 0; i < 600; i += 1) {
        const payload = decoy(8 + ((i * 97) % MOST), i);
        put(program, payload);
        assert.equal(drain(ring), [payload]);
      }
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
        ROWS.forEach(({ name, turns }, i) => {
          const isn = { client: 1 + i * 10_000_019, server: 1 + i * 30_000_057 };
          packetise(turns, { isn, fin: false }).forEach(({ from, segment: each }, nth) => {
            const frame = frameOf(each);
            const run = (): Uint8Array => full.run(from, frame);
            // One that begins while it is full is not recorded at all.
            const went = nth === 0 ? run() : full.whileFull(run);
            assert.equal(went, roomy.run(from, frame), name);
            assert.equal(knowledge(full), knowledge(roomy), name);
          });
          roomy.records();
          assert.is(full.records().length, 1);
        });
        assert.is(full.counters().COUNT_LOST, roomy.counters().COUNT_RECORDS - ROWS.length);
      });
    });
  });

  test('a reader that is killed: the next one begins at the record that was being taken', () => {
    load(SMALL, (program) => {
      const MANY = 12;
      for (let taken = 0; taken < MANY; taken += 1) {
        const sent = Array.from({ length: MANY }, (_, i) => numbered(i, 500));
        sent.forEach((payload) => put(program, payload));
        const first = program.readAgain();
        let left = taken;
        const killed = (): void => {
          if ((left -= 1) < 0) throw new Error('killed');
        };
        assert.throws(() => first.drain(killed, Infinity), /killed/);
        first.close();
        const second = program.readAgain();
        assert.equal(drain(second), sent.slice(taken));
        if (taken === MANY - 1) assert.ok(second.end() > SMALL, 'the last ones lie across the border');
        second.close();
      }
    });
  });

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
