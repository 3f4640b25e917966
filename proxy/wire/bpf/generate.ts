// `npm run build:wire`: abi.ts, from the types of the compiled program as its BTF has them.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of abi.h and maps.h: what the process, and the tests, read or write. */
const ENUMS = ['leg', 'side', 'policy', 'record_kind', 'record_flag', 'counter', 'common_key', 'relaying'];
const STRUCTS = [
  ...['settings', 'server_key', 'server', 'index', 'latest', 'common', 'cpu_scratch'],
  ...['flow_key', 'flow', 'stream', 'tail', 'record'],
];

/** The whole file, as prettier would leave it. Throws where bpftool is missing, or the program has no such type. */
export function describeAbi(object: string): string {
  const types = readTypes(object);
  const find = (name: string, ...kinds: readonly string[]): Type => {
    const found = types.find((type) => type.name === name && kinds.includes(type.kind));
    if (!found) throw new Error(`${object}: no ${kinds.join(' or ')} ${name}`);
    return found;
  };
  const constants = (find('constant', 'ENUM').values ?? []).map(
    ({ name, val }) => `${constant(name, val)}\n`,
  );
  const enums = ENUMS.map((name) => {
    const values = find(name, 'ENUM').values ?? [];
    // COUNTERS and COMMONS say how many there are.
    const named = values.filter((value) => value.name !== `${name.replace('_key', '').toUpperCase()}S`);
    return table(
      name,
      named.map((value) => [value.name, value.val]),
    );
  });
  const structs = STRUCTS.map((name) => {
    const type = find(name, 'STRUCT', 'UNION');
    const fields = fieldsOf(types, type).filter(([field]) => !/^zeros?$/.test(field));
    return `${table(name, fields)}${constant(`${name.toUpperCase()}_SIZE`, type.size ?? 0)}\n`;
  });
  return [
    HEAD,
    constants.join(''),
    ...enums,
    '// Offsets of fields, and sizes, in octets.\n',
    ...structs,
  ].join('\n');
}

const HEAD = `// What the program in the kernel and the process agree on. Written by \`npm run build:wire\` from the compiled types of
// bpf/abi.h, where the comments are; not to be edited.
`;

interface Type {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly {
    readonly name: string;
    readonly type_id: number;
    readonly bits_offset: number;
  }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

function readTypes(object: string): readonly Type[] {
  const text = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', object], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return (JSON.parse(text) as { readonly types: readonly Type[] }).types;
}

type Entry = readonly [name: string, value: number];

/** Those of a struct or union without a name are its outer one's, as in C. */
function fieldsOf(types: readonly Type[], { members = [] }: Type, base = 0): Entry[] {
  return members.flatMap(({ name, type_id, bits_offset }): Entry[] => {
    const at = base + bits_offset / 8;
    const inner = types.find(({ id }) => id === type_id);
    return name === '(anon)' && inner ? fieldsOf(types, inner, at) : [[name, at]];
  });
}

function table(name: string, entries: readonly Entry[]): string {
  const lines = entries.map(([key, value]) => `  ${key}: ${value},\n`);
  return `export const ${name.toUpperCase()} = {\n${lines.join('')}} as const;\n`;
}

function constant(name: string, value: number): string {
  return `export const ${name} = ${value};`;
}

if (require.main === module) {
  writeFileSync(join(__dirname, '../abi.ts'), describeAbi(join(__dirname, 'ehlowire.bpf.o')));
}
