// From the ring to the log: what one record says is said of its own connection, whoever has news in the same breath.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import type { Sink } from '../../../proxy/sinks/record';
import type { Servers } from '../../../proxy/servers/servers';
import { createLearner } from '../../../proxy/wire/learner';
import { createReader } from '../../../proxy/wire/record-reader';
import { skip } from '../../kit/lab';
import { buildFrame } from '../sources/frames';
import { loadProgram, missing } from './program';

const CLIENT = '198.18.0.1';
const REPAIRED = '198.18.0.2';
const NEW = '198.18.0.3';
const SECOND = 1_000_000;

const why = missing();
if (why !== undefined) skip(test, 'the reader', why);
else {
  test('a repair is not taken for one of somebody else’s greeting, who is learned all the same', () => {
    const program = loadProgram();
    const ring = program.readAgain();
    program.setServer(REPAIRED, 25, 'POLICY_REPAIR');
    const lines: string[] = [];
    const learned: string[] = [];
    let clock = 1_700_000_000 * SECOND;
    let sessions = 0;
    const sink: Partial<Sink> = {
      write: (connection, event) => void lines.push(`${connection?.server.address} ${event.kind}`),
    };
    const servers: Partial<Servers> = {
      owns: () => false,
      server: ({ address }) => ({
        knowledge: undefined,
        listen: () => undefined,
        unlisten: () => undefined,
        teach: (lesson) => void learned.push(`${address} ${lesson.kind}`),
      }),
    };
    const reader = createReader({
      sink: sink as Sink,
      servers: servers as Servers,
      ports: [25],
      implicitTlsPorts: [],
      connections: 100,
      learner: createLearner({ patience: 20 * SECOND, knownOf: () => undefined }),
      probes: undefined,
      origin: () => clock,
      nextSession: () => `${(sessions += 1)}`,
    });
    const pass = (
      from: Direction,
      server: string,
      flags: number,
      seq: number,
      ack: number,
      text = '',
    ): void => {
      const [source, destination] = from === 'client' ? [CLIENT, server] : [server, CLIENT];
      const [fromPort, toPort] = from === 'client' ? [40_000, 25] : [25, 40_000];
      const payload = Buffer.from(text);
      program.run(
        from,
        buildFrame({ from: source, fromPort, to: destination, toPort, seq, ack, flags, payload }),
      );
      ring.drain((octets) => reader.take(octets), Infinity);
    };
    const open = (server: string): void => {
      pass('client', server, FLAG.syn, 1, 0);
      pass('server', server, FLAG.syn | FLAG.ack, 1, 2);
      pass('client', server, FLAG.ack, 2, 2);
    };

    open(NEW);
    pass('server', NEW, FLAG.ack | FLAG.psh, 2, 2, '220-new.example\r\n');
    // A hole in what the client says: time will have news of it.
    pass('client', NEW, FLAG.ack, 11, 19);
    open(REPAIRED);
    clock += 10 * SECOND;
    lines.length = 0;
    pass('server', REPAIRED, FLAG.ack | FLAG.psh, 2, 2, '220-mx.example ESMTP\r\n');
    assert.ok(
      lines.some((line) => line.startsWith(NEW)),
      'news of the other one came with it',
    );
    assert.ok(lines.includes(`${REPAIRED} repair`));
    reader.idle(reader.readTo + 30 * SECOND, Number.MAX_SAFE_INTEGER);
    assert.equal(learned, [], 'octets of the client were never seen');
    ring.close();
    program.close();
  });
}

test.run();
