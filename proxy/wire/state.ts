// What outlives the process beside the pinned tables: what was learned, and up to where losses were told.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '../folder';
import { readKnowledge, saveKnowledge, type ServerKnowledge } from '../servers/knowledge';

export interface WireState {
  readonly servers: readonly ServerKnowledge[];
  /** The kernel's count of records without room that the log has told. */
  readonly lost: number;
}

/** What cannot be read is learned again. */
export function readState(file: string): WireState {
  try {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as { readonly lost?: unknown };
    return { servers: readKnowledge(saved), lost: typeof saved.lost === 'number' ? saved.lost : 0 };
  } catch {
    return { servers: [], lost: 0 };
  }
}

/** Whole or not at all. A disk that takes nothing costs the next process its knowledge, and nobody's mail. */
export function writeState(file: string, { servers, lost }: WireState): boolean {
  const half = `${file}.${process.pid}`;
  try {
    makeFolder(dirname(file), 0o700);
    writeFileSync(half, `${JSON.stringify({ ...saveKnowledge(servers), lost })}\n`, { mode: 0o600 });
    renameSync(half, file);
    return true;
  } catch {
    rmSync(half, { force: true });
    return false;
  }
}
