// The types in a compiled program, as its BTF has them.

import { execFileSync } from 'node:child_process';

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
