// A path with its mail servers, and traces of it.

import { join } from 'node:path';
import { launcher } from '../../kit/launcher';
import type { Child, Outcome } from '../../kit/process';
import { awaitWord, forgetStale } from '../../kit/topology';
import { makePath, type Path } from './path';

export interface Stage {
  readonly path: Path;
  /** Its servers' folders lie there. */
  readonly folder: string;
  /** Ends all. */
  fall(): Promise<void>;
}

const NAME = 'ehlr';
/** Several start at once. */
const START_MS = 120_000;
/** Far more than any trace takes. */
export const TRACE_MS = 180_000;

/** Once, before the first: what a run left behind that was killed. */
export const prepare = (): void => forgetStale(NAME);

export async function raise(index: number, folder: string): Promise<Stage> {
  const path = makePath(`${NAME}${process.pid}-${index}`);
  if (typeof path === 'string') throw new Error(path);
  const program = ['-r', 'ts-node/register/transpile-only', join(__dirname, 'mta.ts')];
  // The servers' own scratch folders lie in ours: they go with it, however the servers end.
  const servers: Child = path.start('mta', 'env', `TMPDIR=${folder}`, process.execPath, ...program);
  const fall = async (): Promise<void> => {
    await servers.stop();
    path.remove();
  };
  try {
    await awaitWord(servers, 'ready', START_MS);
  } catch (error) {
    await fall();
    throw error;
  }
  return { path, folder, fall };
}

/** For routers that answer as often as they are asked. */
export const QUICKLY = ['--pace', '50'] as const;

/** `ehlowire trace`, from the client. */
export function trace(path: Path, host: string, ...args: readonly string[]): Promise<Outcome> {
  return path.run('cli', TRACE_MS, launcher(), 'trace', host, '-n', ...args);
}
