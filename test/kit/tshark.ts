// tshark, where it is installed: how others read our files.

import { execFileSync } from 'node:child_process';

export function tshark(file: string, ...args: readonly string[]): string {
  const all = ['-r', file, ...args];
  return execFileSync('tshark', all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** The numbers of the frames that a display filter finds. */
export function framesBy(file: string, filter: string): string[] {
  const text = tshark(file, '-Y', filter, '-T', 'fields', '-e', 'frame.number').trim();
  return text === '' ? [] : text.split('\n');
}

export function hasTshark(): boolean {
  try {
    execFileSync('tshark', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
