// Which ehlowire this is.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** From package.json, which lies two folders above the sources and three above the compiled tree. */
export function readVersion(): string {
  const file = ['../..', '../../..']
    .map((up) => join(__dirname, up, 'package.json'))
    .find((path) => existsSync(path));
  if (file === undefined) return 'unknown';
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}
