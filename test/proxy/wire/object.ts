// The compiled program, and what it takes to run it.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isTrouble, openLibbpf } from '../../../proxy/native/libbpf';
import { OBJECT } from '../../../proxy/wire/wire';

export { OBJECT };

/** Why the program cannot be run here; undefined where it can. */
export function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync(OBJECT)) return `no ${OBJECT}: npm run build:wire`;
  const libbpf = openLibbpf();
  if (isTrouble(libbpf)) return libbpf.text;
  try {
    execFileSync('bpftool', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'not installed: bpftool';
  }
}
