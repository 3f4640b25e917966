// The program's entry of the connection that `packetise` makes.

import type { Direction } from '../../../inspect/events';
import { FLOW_KEY } from '../../../proxy/wire/abi';
import { writeAddress } from '../../../proxy/wire/address';
import { layoutOf } from './btf';
import type { Program } from './program';

export function flowKey(): Buffer {
  const key = Buffer.alloc(FLOW_KEY.server_port + 2);
  writeAddress(key, FLOW_KEY.client, '198.18.0.1');
  writeAddress(key, FLOW_KEY.server, '198.18.0.2');
  key.writeUInt16LE(40_000, FLOW_KEY.client_port);
  key.writeUInt16LE(25, FLOW_KEY.server_port);
  return key;
}

/** Where a member of a side's stream lies in the program's entry. */
export function streamAt(side: Direction, member: string): number {
  const [flow, stream] = [layoutOf('flow'), layoutOf('stream')];
  return flow.at('streams') + (side === 'client' ? 0 : stream.size) + stream.at(member);
}

/** Marks a side as in the hand of another processor, or no more; false where the connection is not known. */
export function createHold(program: Program): (side: Direction, busy: boolean) => boolean {
  const { size } = layoutOf('flow');
  const key = flowKey();
  return (which, busy) => {
    const value = program.read('flows', key, size);
    if (!value) return false;
    new DataView(value.buffer, value.byteOffset).setUint32(streamAt(which, 'busy'), busy ? 1 : 0, true);
    program.write('flows', key, value);
    return true;
  };
}
