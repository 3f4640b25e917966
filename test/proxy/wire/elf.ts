// The instructions in a compiled program, by function (ELF-64, least significant octet first).

export type Code = Uint8Array;

const [SYMBOL_TABLE, FUNCTION] = [2, 2];

export function functionsOf(object: Buffer): ReadonlyMap<string, Code> {
  const start = Number(object.readBigUInt64LE(0x28));
  const [size, count] = [object.readUInt16LE(0x3a), object.readUInt16LE(0x3c)];
  const sections = Array.from({ length: count }, (_, i) => {
    const header = object.subarray(start + i * size);
    const [at, length] = [0x18, 0x20].map((field) => Number(header.readBigUInt64LE(field)));
    return {
      type: header.readUInt32LE(4),
      names: header.readUInt32LE(0x28),
      octets: object.subarray(at, (at ?? 0) + (length ?? 0)),
    };
  });
  const functions = new Map<string, Code>();
  for (const table of sections.filter(({ type }) => type === SYMBOL_TABLE)) {
    const names = sections[table.names]?.octets;
    for (let at = 0; at < table.octets.length; at += 24) {
      const symbol = table.octets.subarray(at, at + 24);
      if ((symbol.readUInt8(4) & 15) !== FUNCTION) continue;
      const name = names?.subarray(symbol.readUInt32LE(0)).toString('latin1').split('\0', 1)[0] ?? '';
      const [from, length] = [8, 16].map((field) => Number(symbol.readBigUInt64LE(field)));
      const code = sections[symbol.readUInt16LE(6)]?.octets.subarray(from, (from ?? 0) + (length ?? 0));
      if (code) functions.set(name, code);
    }
  }
  return functions;
}
