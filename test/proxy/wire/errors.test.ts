// ICMP errors about the relay's own segments go to this machine; all others cross.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FLAG } from '../../../inspect/tcp/segment';
import { FLOW, RELAYING, SETTINGS, SETTINGS_SIZE } from '../../../proxy/wire/abi';
import { segment } from '../../inspect/tcp/packetise';
import { skip } from '../../kit/lab';
import { frameOf } from '../report/evidence/frames';
import { readFlow, writeFlow } from './flow';
import { loadProgram, missing } from './program';

/** Shorter IPv4 frames the kernel does not make for a test run. */
const MADE_UP = 34;
const MAC = [2, 9, 9, 9, 9, 9];

/** Fragmentation needed, of a router, about the segment in `frame` (RFC 792, RFC 1191 §4). */
function errorAbout(frame: Uint8Array, type = 3): Uint8Array {
  const ip = frame.slice(14, 14 + 20 + 8);
  const error = new Uint8Array(14 + 20 + 8 + ip.length);
  error.set(frame.subarray(0, 14));
  error.set([0x45, 0, 0, error.length - 14, 0, 0, 0, 0, 64, 1, 0, 0, 198, 18, 0, 254], 14);
  error.set(frame.subarray(26, 30), 30);
  error.set([type, 4, 0, 0, 0, 0, 5, 0], 34);
  error.set(ip, 42);
  return error;
}

const why = missing();
if (why !== undefined) skip(test, 'errors', why);
else {
  const program = loadProgram();
  const settings = Buffer.alloc(SETTINGS_SIZE);
  settings.writeUInt32LE(7, SETTINGS.relay_mark);
  settings.set(MAC, SETTINGS.relay_mac);
  program.write('settings', Buffer.alloc(4), settings);
  const facts = { seq: 1, ack: 1, payload: new Uint8Array(0), at: 1 };

  const own = (relayed: boolean): void => {
    program.run('client', frameOf(segment('client', { ...facts, flags: FLAG.syn })));
    const value = readFlow(program);
    if (!value) throw new Error('no such flow');
    value[FLOW.relaying] = relayed ? RELAYING.RELAYING : RELAYING.RELAYING_NOT;
    writeFlow(program, value);
  };

  for (const from of ['client', 'server'] as const) {
    const about = frameOf(segment(from, { ...facts, flags: FLAG.ack }));

    test(`about a segment of the ${from}’s side that the relay sent`, () => {
      own(true);
      const out = program.run(from, errorAbout(about));
      assert.equal([...out.subarray(0, 6)], MAC, 'to this machine');
      assert.equal(out.subarray(6), Buffer.from(errorAbout(about).subarray(6)), 'and not touched else');
    });

    test(`about a segment of the ${from}’s own`, () => {
      own(false);
      assert.equal(program.run(from, errorAbout(about)), Buffer.from(errorAbout(about)));
    });
  }

  test('an echo that quotes such a segment is no error', () => {
    own(true);
    const echo = errorAbout(frameOf(segment('client', { ...facts, flags: FLAG.ack })), 8);
    assert.equal(program.run('client', echo), Buffer.from(echo));
  });

  test('cut anywhere, it crosses', () => {
    own(true);
    const error = errorAbout(frameOf(segment('client', { ...facts, flags: FLAG.ack })));
    for (let length = MADE_UP; length < 66; length += 1) {
      const cut = error.subarray(0, length);
      assert.equal(program.run('client', cut), Buffer.from(cut), `${length} octets`);
    }
  });
}

test.run();
