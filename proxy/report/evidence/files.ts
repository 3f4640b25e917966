// The files of evidence: how they are named, and that they are there whole or not at all.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Micros, VerdictName } from '../../../inspect/events';
import { formatTime } from '../../system/clock';
import { createFault, errno, type Fault } from '../../system/fault';

/** What may stand behind the name that all files of one connection share. Of two points each has a capture. */
export const ENDS = ['.pcapng', '-wan.pcapng', '-dmz.pcapng', '.md'] as const;

/** `20260504T030201.000123Z-198.51.100.7-40000-ehlo-dropped`: sorted by time, safe in every shell. */
export function nameOf(
  started: Micros,
  client: { readonly address: string; readonly port: number },
  verdict: VerdictName,
): string {
  const time = formatTime(started).replace(/[-:]/g, '');
  const address = client.address.replace(/[^0-9a-fA-F.]/g, '-');
  return `${time}-${address}-${client.port}-${verdict}`;
}

/** The shared name and the verdict of a file that is named as evidence. */
export function readName(file: string): { readonly base: string; readonly verdict: string } | undefined {
  const [, base, verdict] = NAME.exec(file) ?? [];
  return base === undefined || verdict === undefined ? undefined : { base, verdict };
}

/** Writes the whole file or none, and never through a symbolic link. */
export function writeWhole(path: string, octets: Uint8Array): Fault | undefined {
  const half = `${path}.${process.pid}.part`;
  try {
    writeFileSync(half, octets, { flag: 'wx', mode: 0o640 });
    renameSync(half, path);
    return undefined;
  } catch (cause) {
    rmSync(half, { force: true });
    return unwritable(path, cause);
  }
}

export function unwritable(path: string, cause: unknown): Fault {
  const code = errno(cause);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return createFault('evidence-unwritable', path, {
    cause,
    ...(full && { fix: 'the disk is full: make room' }),
  });
}

const NAME = /^(\d{8}T\d{6}\.\d{6}Z-[0-9a-fA-F.-]+-\d+-([a-z-]+?))(?:-wan|-dmz)?\.(?:pcapng|md)$/;
