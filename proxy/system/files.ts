// Files and folders that other programs may have put there, or may be putting there.

import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder, and what is missing above it; throws the system's error where there can be none. Node's own way
 * (`recursive`, up to version 20 at least) tries without end where a folder that exists takes none with ENOENT: below
 * /proc, or a mount point of /sys with nothing mounted.
 */
export function makeFolder(path: string, mode: number): void {
  if (isFolder(path)) return;
  const above = dirname(path);
  if (!isFolder(above)) makeFolder(above, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    // Another process was faster.
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

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
