// What outlives the process beside the pinned tables: what was learned, and up to where losses were told.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config';
import { makeFolder } from '../folder';
import {
  readKnowledge,
  readSuspects,
  saveKnowledge,
  type ServerKnowledge,
  type Suspect,
} from '../servers/knowledge';

export interface WireState {
  readonly servers: readonly ServerKnowledge[];
  readonly suspects: readonly Suspect[];
  /** The kernel's count of records without room that the log has told. */
  readonly lost: number;
}

export function stateFile({ deploy }: Pick<Config, 'deploy'>): string {
  return join(dirname(deploy.journal), 'servers.json');
}

/** What cannot be read is learned again. */
export function readState(file: string): WireState {
  try {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as { readonly lost?: unknown };
    const lost = typeof saved.lost === 'number' ? saved.lost : 0;
    return { servers: readKnowledge(saved), suspects: readSuspects(saved), lost };
  } catch {
    return { servers: [], suspects: [], lost: 0 };
  }
}

/** Whole or not at all. A disk that takes nothing costs the next process its knowledge, and nobody's mail. */
export function writeState(file: string, { servers, suspects, lost }: WireState): boolean {
  const half = `${file}.${process.pid}`;
  try {
    makeFolder(dirname(file), 0o700);
    writeFileSync(half, `${JSON.stringify({ ...saveKnowledge(servers, suspects), lost })}\n`, {
      mode: 0o600,
    });
    renameSync(half, file);
    return true;
  } catch {
    rmSync(half, { force: true });
    return false;
  }
}
