// The program's entry of the connection that `packetise` makes.

import type { Direction } from '../../../inspect/events';
import { FLOW_KEY } from '../../../proxy/wire/abi';
import { writeAddress } from '../../../proxy/wire/address';
import { typesOf, type Type } from './btf';
import { OBJECT } from './object';
import type { Program } from './program';

export function flowKey(): Buffer {
  const key = Buffer.alloc(FLOW_KEY.server_port + 2);
  writeAddress(key, FLOW_KEY.client, '198.18.0.1');
  writeAddress(key, FLOW_KEY.server, '198.18.0.2');
  key.writeUInt16LE(40_000, FLOW_KEY.client_port);
  key.writeUInt16LE(25, FLOW_KEY.server_port);
  return key;
}

export function struct(name: string): Type {
  const found = typesOf(OBJECT).find((type) => type.kind === 'STRUCT' && type.name === name);
  if (!found) throw new Error(`no struct ${name}`);
  return found;
}

/** Marks a side as in the hand of another processor, or no more; false where the connection is not known. */
export function createHold(program: Program): (side: Direction, busy: boolean) => boolean {
  const [flow, side] = [struct('flow'), struct('side')];
  const at = (side.members?.find(({ name }) => name === 'busy')?.bits_offset ?? NaN) / 8;
  const key = flowKey();
  return (which, busy) => {
    const value = program.read('flows', key, flow.size ?? NaN);
    if (!value) return false;
    const offset = at + (which === 'client' ? 0 : (side.size ?? NaN));
    new DataView(value.buffer, value.byteOffset).setUint32(offset, busy ? 1 : 0, true);
    program.write('flows', key, value);
    return true;
  };
}
