// Connections in the program's table, as by default the one that `packetise` makes.

import type { Direction } from '../../../inspect/events';
import { FLOW, FLOW_KEY, FLOW_SIZE, STREAM, STREAM_SIZE, WAYS } from '../../../proxy/wire/abi';
import { writeAddress } from '../../../proxy/wire/tables';
import type { Program } from './program';

export function flowKey(clientPort = 40_000): Buffer {
  const key = Buffer.alloc(FLOW_KEY.server_port + 2);
  writeAddress(key, FLOW_KEY.client, '198.18.0.1');
  writeAddress(key, FLOW_KEY.server, '198.18.0.2');
  key.writeUInt16LE(clientPort, FLOW_KEY.client_port);
  key.writeUInt16LE(25, FLOW_KEY.server_port);
  return key;
}

/** Which of the table's places have that connection; those that nothing is in are left out, whatever they had. */
function placesOf(program: Program, key: Buffer): number[] {
  const places: number[] = [];
  for (let set = 0; ; set += 1) {
    const tags = program.read('sets', number(set), 4 * WAYS);
    if (!tags) return places;
    const fields = new DataView(tags.buffer, tags.byteOffset);
    for (let way = 0; way < WAYS; way += 1) {
      // 0: free, 1: being taken.
      if (fields.getUint32(4 * way, true) < 2) continue;
      const place = set * WAYS + way;
      const value = program.read('flows', number(place), FLOW_SIZE);
      if (value && key.equals(value.subarray(0, key.length))) places.push(place);
    }
  }
}

/** What the table has of a connection; undefined: it is not in it. */
export function readFlow(program: Program, key = flowKey()): Uint8Array | undefined {
  const [place, ...others] = placesOf(program, key);
  if (others.length > 0) throw new Error(`the table has it ${others.length + 1} times`);
  return place === undefined ? undefined : program.read('flows', number(place), FLOW_SIZE);
}

export function writeFlow(program: Program, value: Uint8Array, key = flowKey()): void {
  const [place] = placesOf(program, key);
  if (place === undefined) throw new Error('the table does not have it');
  program.write('flows', number(place), value);
}

function number(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer);
}

/** Where a member of a side's stream lies in the program's entry. */
export function streamAt(side: Direction, member: keyof typeof STREAM): number {
  return FLOW.streams + (side === 'client' ? 0 : STREAM_SIZE) + STREAM[member];
}

/** Marks a side as in the hand of another processor, or no more; false where the connection is not known. */
export function createHold(program: Program): (side: Direction, busy: boolean) => boolean {
  return (which, busy) => {
    const value = readFlow(program);
    if (!value) return false;
    new DataView(value.buffer, value.byteOffset).setUint32(streamAt(which, 'busy'), busy ? 1 : 0, true);
    writeFlow(program, value);
    return true;
  };
}
