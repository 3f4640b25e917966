// Folders, with those that they lie in.

import { mkdirSync, statSync } from 'node:fs';
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
