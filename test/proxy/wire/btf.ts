// The types in a compiled program, as its BTF has them.

import { execFileSync } from 'node:child_process';
import { OBJECT } from './object';

export interface Type {
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

export function typesOf(object: string): readonly Type[] {
  const text = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', object], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return (JSON.parse(text) as { types: Type[] }).types;
}

/** The values of an enum of the program, by name. */
export function valuesOf(name: string): ReadonlyMap<string, number> {
  const found = typesOf(OBJECT).find((type) => type.kind === 'ENUM' && type.name === name);
  if (!found) throw new Error(`no enum ${name} in the object`);
  return new Map(found.values?.map((value) => [value.name, value.val]));
}

/** Of a struct, in octets. `at` throws where there is no such member. */
export interface Layout {
  readonly size: number;
  at(member: string): number;
}

export function layoutOf(name: string): Layout {
  const found = typesOf(OBJECT).find((type) => type.kind === 'STRUCT' && type.name === name);
  if (found?.size === undefined) throw new Error(`no struct ${name} in the object`);
  const at = (wanted: string): number => {
    const member = found.members?.find((each) => each.name === wanted);
    if (!member) throw new Error(`no member ${wanted} in struct ${name}`);
    return member.bits_offset / 8;
  };
  return { size: found.size, at };
}
