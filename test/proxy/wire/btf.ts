// The types in the compiled program, as its BTF has them.

import { execFileSync } from 'node:child_process';
import { OBJECT } from './object';

export interface Type {
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

/** Throws where there is no such type. */
export function typeOf(kind: 'STRUCT' | 'UNION' | 'ENUM', name: string): Type {
  types ??= readTypes();
  const found = types.find((type) => type.kind === kind && type.name === name);
  if (!found) throw new Error(`no ${kind} ${name} in the object`);
  return found;
}

/** The values of an enum of the program, by name. */
export function valuesOf(name: string): ReadonlyMap<string, number> {
  return new Map(typeOf('ENUM', name).values?.map((value) => [value.name, value.val]));
}

/** Of a struct, in octets. `at` throws where there is no such member. */
export interface Layout {
  readonly size: number;
  at(member: string): number;
}

export function layoutOf(name: string): Layout {
  const { size, members } = typeOf('STRUCT', name);
  if (size === undefined) throw new Error(`struct ${name} has no size`);
  const at = (wanted: string): number => {
    const member = members?.find((each) => each.name === wanted);
    if (!member) throw new Error(`no member ${wanted} in struct ${name}`);
    return member.bits_offset / 8;
  };
  return { size, at };
}

/** Asked for once: the object does not change while a test runs. */
let types: readonly Type[] | undefined;

function readTypes(): readonly Type[] {
  const text = execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', OBJECT], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return (JSON.parse(text) as { types: Type[] }).types;
}
