// Reading a whole file that somebody else may have put there.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';

/** Its text, or why it is not read. Throws the system's error. It never waits, as it would for a pipe's writer. */
export function readPlainFile(
  path: string,
  most: number,
): { readonly text: string } | { readonly problem: string } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return { problem: 'it is no plain file' };
    if (stat.size > most) return { problem: `it has ${stat.size} octets, and at most ${most} are read` };
    return { text: readFileSync(fd, 'utf8') };
  } finally {
    closeSync(fd);
  }
}
