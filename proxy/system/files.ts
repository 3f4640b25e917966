// Files and folders that other programs may have put there, or may be putting there.

import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createFault, errno, type Fault } from './fault';

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

/**
 * A file's text; undefined: there is no such file. It never waits, as it would for the writer of a pipe. Faults:
 * `file-unreadable`, `file-damaged` where it is no regular file of at most so many octets.
 */
export function readPlainFile(path: string, most: number): string | Fault | undefined {
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (!stat.isFile()) return createFault('file-damaged', `${path}: it is not a regular file`);
    if (stat.size > most)
      return createFault('file-damaged', `${path}: it has ${stat.size} octets, and at most ${most} are read`);
    return readFileSync(fd, 'utf8');
  } catch (cause) {
    const code = errno(cause);
    if (code === 'ENOENT') return undefined;
    const fix = code === 'EACCES' ? 'only its owner may read it: run this as root' : systemSaid(cause);
    return createFault('file-unreadable', path, { cause, fix });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * On disk when it resolves, whole or not at all, also if the machine loses power. It does not block: a disk may take a
 * second for it. Fault: `file-unwritable`.
 */
export async function writeDurably(path: string, text: string): Promise<Fault | undefined> {
  const half = `${path}.${process.pid}`;
  try {
    makeFolder(dirname(path), 0o700);
    await writeAndSync(half, text);
    await rename(half, path);
    await syncFolder(dirname(path));
    return undefined;
  } catch (cause) {
    await rm(half, { force: true }).catch(() => undefined);
    return createFault('file-unwritable', path, { cause, fix: systemSaid(cause) });
  }
}

async function writeAndSync(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The new name is in the folder, which has to be written, too. Some file systems cannot. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().catch(() => undefined);
  await folder.close();
}

/** What to do about an error that only the system can explain. */
export function systemSaid(cause: unknown): string {
  return `the system said ${errno(cause)}`;
}
