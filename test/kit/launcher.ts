// ehlowire as lab tests start it, many times a file: compiled, as an installed one is.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildLauncher } from '../proxy/launch';

let built: string | undefined;

/** The program; it is gone when the test's process ends. */
export function launcher(): string {
  if (built !== undefined) return built;
  const { dir } = buildLauncher();
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  built = join(dir, 'ehlowire');
  return built;
}
