// pcapng blocks out of nothing, in either order of octets.

export interface Blocks {
  section(): Buffer;
  /** `options`: [code, value]. */
  describe(linkType: number, options?: readonly Option[]): Buffer;
  packet(which: number, stamp: bigint, frame: Uint8Array, wireLength?: number): Buffer;
  simple(frame: Uint8Array): Buffer;
  /** The packet block that enhanced ones replaced. */
  old(which: number, stamp: bigint, frame: Uint8Array): Buffer;
  statistics(which: number, options: readonly Option[]): Buffer;
  raw(type: number, body: Uint8Array): Buffer;
}

type Option = readonly [code: number, value: Uint8Array];

export function createBlocks(order: 'little' | 'big'): Blocks {
  const u16 = (value: number): Buffer => {
    const octets = Buffer.alloc(2);
    if (order === 'little') octets.writeUInt16LE(value);
    else octets.writeUInt16BE(value);
    return octets;
  };
  const u32 = (value: number): Buffer => {
    const octets = Buffer.alloc(4);
    if (order === 'little') octets.writeUInt32LE(value);
    else octets.writeUInt32BE(value);
    return octets;
  };
  const stampOf = (stamp: bigint): Buffer =>
    Buffer.concat([u32(Number(stamp >> 32n)), u32(Number(stamp & 0xffff_ffffn))]);
  const padded = (octets: Uint8Array): Buffer =>
    Buffer.concat([octets, Buffer.alloc((4 - (octets.length % 4)) % 4)]);
  const optionsOf = (options: readonly Option[]): Buffer =>
    Buffer.concat([
      ...options.flatMap(([code, value]) => [u16(code), u16(value.length), padded(value)]),
      ...(options.length > 0 ? [u16(0), u16(0)] : []),
    ]);
  const raw = (type: number, body: Uint8Array): Buffer => {
    const length = u32(12 + padded(body).length);
    return Buffer.concat([u32(type), length, padded(body), length]);
  };
  return {
    raw,
    section: () => raw(0x0a0d0d0a, Buffer.concat([u32(0x1a2b3c4d), u16(1), u16(0), Buffer.alloc(8, 0xff)])),
    describe: (linkType, options = []) =>
      raw(1, Buffer.concat([u16(linkType), u16(0), u32(0), optionsOf(options)])),
    packet: (which, stamp, frame, wireLength = frame.length) =>
      raw(6, Buffer.concat([u32(which), stampOf(stamp), u32(frame.length), u32(wireLength), frame])),
    simple: (frame) => raw(3, Buffer.concat([u32(frame.length), frame])),
    old: (which, stamp, frame) =>
      raw(
        2,
        Buffer.concat([u16(which), u16(0), stampOf(stamp), u32(frame.length), u32(frame.length), frame]),
      ),
    statistics: (which, options) => raw(5, Buffer.concat([u32(which), Buffer.alloc(8), optionsOf(options)])),
  };
}

/** A 64-bit option value. */
export function u64(value: bigint, order: 'little' | 'big'): Buffer {
  const octets = Buffer.alloc(8);
  if (order === 'little') octets.writeBigInt64LE(value);
  else octets.writeBigInt64BE(value);
  return octets;
}
