// What outlives the process beside the pinned tables: what was learned, and up to where losses were reported.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/config';
import { makeFolder } from '../system/files';
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
  readonly reported: Reported;
}

/** Of the kernel's counts, what the log has reported. */
export interface Reported {
  /** Records that found no room. */
  readonly lost: number;
  /** Connections that were not recorded. */
  readonly unwatched: number;
}

export function stateFile({ deploy }: Pick<Config, 'deploy'>): string {
  return join(dirname(deploy.journal), 'servers.json');
}

/** What cannot be read is learned again. */
export function readState(file: string): WireState {
  try {
    const saved = JSON.parse(readFileSync(file, 'utf8')) as { readonly [K in keyof Reported]?: unknown };
    const reported = { lost: countOf(saved.lost), unwatched: countOf(saved.unwatched) };
    return { servers: readKnowledge(saved), suspects: readSuspects(saved), reported };
  } catch {
    return { servers: [], suspects: [], reported: { lost: 0, unwatched: 0 } };
  }
}

function countOf(saved: unknown): number {
  return typeof saved === 'number' ? saved : 0;
}

/** Whole or not at all. A disk that takes nothing costs the next process its knowledge, and nobody's mail. */
export function writeState(file: string, { servers, suspects, reported }: WireState): boolean {
  const half = `${file}.${process.pid}`;
  try {
    makeFolder(dirname(file), 0o700);
    writeFileSync(half, `${JSON.stringify({ ...saveKnowledge(servers, suspects), ...reported })}\n`, {
      mode: 0o600,
    });
    renameSync(half, file);
    return true;
  } catch {
    rmSync(half, { force: true });
    return false;
  }
}
